//! What memory there is for this process: the least that the system, its memory cgroups and its own limits leave.
//!
//! Touching a page that is not there any more does not fail, it has the kernel kill somebody, and in a cgroup that is
//! this process. So export looks here first, and again while it touches what it has mapped.
//!
//! | limit | what is left | read from |
//! |---|---|---|
//! | the system | `MemAvailable`, without swap | `/proc/meminfo` |
//! | a memory cgroup, version 1 or 2, of this process or an ancestor | limit - (usage - file cache that was not used lately) | `memory.*` in its folder |
//! | `RLIMIT_AS`, `RLIMIT_DATA` | limit - `VmSize`, `VmData` | `/proc/self/status` |
//! | strict overcommit, mode 2 | `CommitLimit - Committed_AS` | `/proc/meminfo` |
//!
//! Of the file cache in a cgroup only `inactive_file` counts as free, as for Kubernetes: the kernel takes it back without
//! much ado, while to take the active part slows down whoever reads those files. Of version 2, `memory.high` is a limit
//! like `memory.max`, since beyond it the kernel makes the process wait.
//!
//! What cannot be read is no limit: a system without `/proc` has none of these, and none is known.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Which limit leaves the least memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryLimit {
    /// What the system has: `MemAvailable`.
    System,
    /// A memory cgroup of this process, or one above it.
    Cgroup,
    /// The process's limit of address space, `RLIMIT_AS`.
    AddressSpace,
    /// The process's limit of data, `RLIMIT_DATA`.
    Data,
    /// The system's limit of memory that may be promised, with strict overcommit.
    Commit,
}

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::System => "the system",
            Self::Cgroup => "the memory cgroup",
            Self::AddressSpace => "the process's limit of address space (RLIMIT_AS)",
            Self::Data => "the process's limit of data (RLIMIT_DATA)",
            Self::Commit => "strict overcommit (CommitLimit)",
        })
    }
}

/// The least that any limit leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Least {
    pub(crate) bytes: u64,
    pub(crate) limit: MemoryLimit,
}

/// What memory is to be taken for: address space is taken when it is mapped, pages are when they are touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Map,
    Touch,
}

/// What there is now; none when no limit is known.
pub(crate) fn now() -> Option<Least> {
    Limits::find().least(Step::Map)
}

/// Soft limits of the process, in bytes; none when there is none.
#[derive(Clone, Copy, Debug, Default)]
struct ProcessLimits {
    address_space: Option<u64>,
    data: Option<u64>,
}

impl ProcessLimits {
    fn of_this_process() -> Self {
        use rustix::process::{Resource, getrlimit};
        Self { address_space: getrlimit(Resource::As).current, data: getrlimit(Resource::Data).current }
    }
}

/// The limits that hold for this process, found once and read as often as it takes.
#[derive(Debug)]
pub(crate) struct Limits {
    root: PathBuf,
    /// The process's own cgroup of each hierarchy first, then those above it.
    cgroups: Vec<Cgroup>,
    process: ProcessLimits,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Cgroup {
    folder: PathBuf,
    version: Version,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Limits {
    pub(crate) fn find() -> Self {
        if cfg!(loom) {
            // Models have all the memory that they want.
            return Self { root: PathBuf::new(), cgroups: Vec::new(), process: ProcessLimits::default() };
        }
        Self::find_in(Path::new("/"), ProcessLimits::of_this_process())
    }

    /// With the file systems of the kernel below `root`.
    fn find_in(root: &Path, process: ProcessLimits) -> Self {
        let memberships = read(root, "proc/self/cgroup").unwrap_or_default();
        let mounts = read(root, "proc/self/mountinfo").unwrap_or_default();
        let mut cgroups = Vec::new();
        for mount in mounts.lines().filter_map(Mount::parse) {
            let Some(path) = memberships.lines().find_map(|line| mount.membership(line)) else { continue };
            let top = root.join(mount.point.trim_start_matches('/'));
            // Of a namespace, or of a part of the hierarchy that is mounted, the mount point is the top that is to be seen;
            // a path that does not lead there belongs to a cgroup that is not.
            let below = Path::new(path).strip_prefix(&mount.root).unwrap_or(Path::new(""));
            let below = if below.components().any(|part| part.as_os_str() == "..") { Path::new("") } else { below };
            let folder = top.join(below);
            let above = folder.ancestors().take_while(|folder| folder.starts_with(&top));
            cgroups.extend(above.map(|folder| Cgroup { folder: folder.to_owned(), version: mount.version }));
        }
        Self { root: root.to_owned(), cgroups, process }
    }

    /// What the tightest limit leaves now; none when none is known.
    pub(crate) fn least(&self, step: Step) -> Option<Least> {
        if cfg!(loom) {
            return None;
        }
        let mut least = None;
        let mut consider = |bytes: Option<u64>, limit| {
            let Some(bytes) = bytes else { return };
            if least.is_none_or(|Least { bytes: least, .. }| bytes < least) {
                least = Some(Least { bytes, limit });
            }
        };
        let system = read(&self.root, "proc/meminfo").unwrap_or_default();
        consider(kilobytes(&system, "MemAvailable:"), MemoryLimit::System);
        for cgroup in &self.cgroups {
            consider(cgroup.available(), MemoryLimit::Cgroup);
        }
        if step == Step::Map {
            let left =
                |limit: Option<u64>, status: &str, name: &str| Some(limit?.saturating_sub(kilobytes(status, name)?));
            let ProcessLimits { address_space, data } = self.process;
            if address_space.is_some() || data.is_some() {
                let status = read(&self.root, "proc/self/status").unwrap_or_default();
                consider(left(address_space, &status, "VmSize:"), MemoryLimit::AddressSpace);
                consider(left(data, &status, "VmData:"), MemoryLimit::Data);
            }
            if read(&self.root, "proc/sys/vm/overcommit_memory").is_some_and(|mode| mode.trim() == "2") {
                consider(left(kilobytes(&system, "CommitLimit:"), &system, "Committed_AS:"), MemoryLimit::Commit);
            }
        }
        least
    }
}

impl Cgroup {
    /// What it leaves; none when it has no limit, or cannot be read.
    fn available(&self) -> Option<u64> {
        let number = |name: &str| read(&self.folder, name)?.trim().parse::<u64>().ok();
        let stat = || read(&self.folder, "memory.stat").unwrap_or_default();
        let (limit, usage, cache) = match self.version {
            Version::One => {
                let stat = stat();
                // Above the top that is to be seen there may be a tighter one, which this knows.
                let above = field(&stat, "hierarchical_memory_limit");
                let limit = number("memory.limit_in_bytes").into_iter().chain(above).min()?;
                let cache = field(&stat, "total_inactive_file").or_else(|| field(&stat, "inactive_file"));
                (limit, number("memory.usage_in_bytes")?, cache)
            }
            Version::Two => {
                // Without a limit they say `max`, and the usage need not be read.
                let limit = number("memory.max").into_iter().chain(number("memory.high")).min()?;
                (limit, number("memory.current")?, field(&stat(), "inactive_file"))
            }
        };
        Some(limit.saturating_sub(usage.saturating_sub(cache.unwrap_or(0))))
    }
}

/// A line of `mountinfo` that mounts a hierarchy of memory cgroups.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    /// Which cgroup is mounted.
    root: String,
    /// Where.
    point: String,
    version: Version,
}

impl Mount {
    /// `32 31 0:29 /root /point rw,relatime shared:1 - cgroup cgroup rw,memory`, with any number of fields before the dash.
    fn parse(line: &str) -> Option<Self> {
        let (mount, system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (unescaped(mount.next()?), unescaped(mount.next()?));
        let mut system = system.split(' ');
        let version = match (system.next()?, system.nth(1)?) {
            ("cgroup2", _) => Version::Two,
            ("cgroup", options) if options.split(',').any(|option| option == "memory") => Version::One,
            _ => return None,
        };
        Some(Self { root, point, version })
    }

    /// The cgroup that a line of `/proc/self/cgroup` names, when it is of this hierarchy: `4:memory:/path`, `0::/path`.
    fn membership<'a>(&self, line: &'a str) -> Option<&'a str> {
        let mut fields = line.splitn(3, ':');
        let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let ours = match self.version {
            Version::One => controllers.split(',').any(|controller| controller == "memory"),
            Version::Two => number == "0" && controllers.is_empty(),
        };
        ours.then_some(path)
    }
}

/// The kernel writes spaces, tabs, newlines and backslashes as three octal digits.
fn unescaped(field: &str) -> String {
    let mut parts = field.split('\\');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                text.push(char::from(byte));
                text.push_str(&part[3..]);
            }
            None => {
                text.push('\\');
                text.push_str(part);
            }
        }
    }
    text
}

fn read(folder: &Path, name: &str) -> Option<String> {
    fs::read_to_string(folder.join(name)).ok()
}

/// `Name:   123 kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// `name 123`.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A kernel made of files.
    struct Fixture(PathBuf);

    impl Fixture {
        fn new(files: &[(&str, &str)]) -> Self {
            static COUNT: AtomicUsize = AtomicUsize::new(0);
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let root = std::env::temp_dir().join(format!("vas-available-{}-{number}", std::process::id()));
            let fixture = Self(root);
            for (name, text) in files {
                let path = fixture.0.join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            fixture
        }

        fn least(&self, process: ProcessLimits, step: Step) -> Option<(u64, MemoryLimit)> {
            Limits::find_in(&self.0, process).least(step).map(|least| (least.bytes, least.limit))
        }
    }

    impl Drop for Fixture {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const MEMINFO: &str = "MemTotal:  8000000 kB\nMemFree: 1000 kB\nMemAvailable:    4000000 kB\nCommitLimit:  9000 kB\nCommitted_AS:   8000 kB\n";
    const AVAILABLE: u64 = 4_000_000 << 10;
    const NO_LIMITS: ProcessLimits = ProcessLimits { address_space: None, data: None };
    const V1: &str = "32 31 0:29 / /sys/fs/cgroup/memory rw,relatime shared:9 master:1 - cgroup cgroup rw,memory\n";
    const UNLIMITED: &str = "9223372036854771712\n";

    #[test]
    fn nothing_is_known_of_a_system_without_proc() {
        assert_eq!(Fixture::new(&[]).least(NO_LIMITS, Step::Map), None);
    }

    #[test]
    fn the_system_alone() {
        let fixture = Fixture::new(&[("proc/meminfo", MEMINFO), ("proc/sys/vm/overcommit_memory", "1\n")]);
        for step in [Step::Map, Step::Touch] {
            assert_eq!(fixture.least(NO_LIMITS, step), Some((AVAILABLE, MemoryLimit::System)));
        }
    }

    #[test]
    fn strict_overcommit_counts_when_memory_is_mapped() {
        let fixture = Fixture::new(&[("proc/meminfo", MEMINFO), ("proc/sys/vm/overcommit_memory", "2\n")]);
        assert_eq!(fixture.least(NO_LIMITS, Step::Map), Some((1000 << 10, MemoryLimit::Commit)));
        assert_eq!(fixture.least(NO_LIMITS, Step::Touch), Some((AVAILABLE, MemoryLimit::System)));
    }

    #[test]
    fn limits_of_the_process() {
        let status = "Name:\tvas\nVmSize:\t  2000 kB\nVmData:\t 500 kB\n";
        let fixture = Fixture::new(&[("proc/meminfo", MEMINFO), ("proc/self/status", status)]);
        let limits = |address_space: u64, data: u64| ProcessLimits {
            address_space: Some(address_space << 10),
            data: Some(data << 10),
        };
        let least = |limits| fixture.least(limits, Step::Map);
        assert_eq!(least(limits(5000, 5000)), Some((3000 << 10, MemoryLimit::AddressSpace)));
        assert_eq!(least(limits(5000, 700)), Some((200 << 10, MemoryLimit::Data)));
        assert_eq!(least(limits(1000, 700)), Some((0, MemoryLimit::AddressSpace)), "beyond it already");
        assert_eq!(fixture.least(limits(1, 1), Step::Touch), Some((AVAILABLE, MemoryLimit::System)));
    }

    /// Version 1 without a namespace: the process's own cgroup, and those above it, any of which may be the tightest.
    #[test]
    fn version_1_and_its_ancestors() {
        let files = |own: &'static str, above: &'static str| {
            Fixture::new(&[
                ("proc/meminfo", MEMINFO),
                ("proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/a/b\n3:cpuset:/c\n0::/\n"),
                ("proc/self/mountinfo", V1),
                ("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", own),
                ("sys/fs/cgroup/memory/a/b/memory.usage_in_bytes", "60000000\n"),
                ("sys/fs/cgroup/memory/a/b/memory.stat", "cache 5\ninactive_file 1\ntotal_inactive_file 10000000\n"),
                ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", above),
                ("sys/fs/cgroup/memory/a/memory.usage_in_bytes", "150000000\n"),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", UNLIMITED),
                ("sys/fs/cgroup/memory/memory.usage_in_bytes", "900000000\n"),
            ])
        };
        let least = |fixture: Fixture| fixture.least(NO_LIMITS, Step::Touch);
        assert_eq!(least(files("100000000\n", UNLIMITED)), Some((50_000_000, MemoryLimit::Cgroup)));
        assert_eq!(least(files("100000000\n", "160000000\n")), Some((10_000_000, MemoryLimit::Cgroup)));
        assert_eq!(least(files("10000000\n", UNLIMITED)), Some((0, MemoryLimit::Cgroup)), "beyond it already");
        assert_eq!(least(files(UNLIMITED, UNLIMITED)), Some((AVAILABLE, MemoryLimit::System)));
    }

    /// Version 1 in a container: the path is the host's, and the mount shows the container's part alone, whose ancestors
    /// only `hierarchical_memory_limit` tells of.
    #[test]
    fn version_1_in_a_container() {
        let fixture = Fixture::new(&[
            ("proc/meminfo", MEMINFO),
            ("proc/self/cgroup", "4:memory:/docker/0123\n"),
            ("proc/self/mountinfo", "32 31 0:29 /docker/0123 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", UNLIMITED),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "60000000\n"),
            ("sys/fs/cgroup/memory/memory.stat", "hierarchical_memory_limit 80000000\ntotal_inactive_file 0\n"),
        ]);
        assert_eq!(fixture.least(NO_LIMITS, Step::Touch), Some((20_000_000, MemoryLimit::Cgroup)));
    }

    /// Version 2, with a path that has a space in it, and `memory.high` above and `memory.max` below.
    #[test]
    fn version_2_and_its_ancestors() {
        let files = |path: &'static str| {
            Fixture::new(&[
                ("proc/meminfo", MEMINFO),
                ("proc/self/cgroup", path),
                ("proc/self/mountinfo", "35 24 0:30 / /sys/fs/my\\040cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n"),
                ("sys/fs/my cgroup/a/b/memory.max", "max\n"),
                ("sys/fs/my cgroup/a/b/memory.high", "100000000\n"),
                ("sys/fs/my cgroup/a/b/memory.current", "30000000\n"),
                ("sys/fs/my cgroup/a/b/memory.stat", "anon 3\ninactive_file 5000000\n"),
                ("sys/fs/my cgroup/a/memory.max", "200000000\n"),
                ("sys/fs/my cgroup/a/memory.high", "max\n"),
                ("sys/fs/my cgroup/a/memory.current", "190000000\n"),
            ])
        };
        let least = |path| files(path).least(NO_LIMITS, Step::Touch);
        assert_eq!(least("0::/a/b\n"), Some((10_000_000, MemoryLimit::Cgroup)));
        assert_eq!(least("0::/a/b/c\n"), Some((10_000_000, MemoryLimit::Cgroup)), "a cgroup that was removed");
        // In a namespace that the process has been moved out of, or on the machine's top.
        assert_eq!(least("0::/../other\n"), Some((AVAILABLE, MemoryLimit::System)));
        assert_eq!(least("0::/\n"), Some((AVAILABLE, MemoryLimit::System)));
    }

    /// Both versions at once, as systemd's hybrid mode has them; version 2 without the memory controller says nothing.
    #[test]
    fn hybrid() {
        let fixture = Fixture::new(&[
            ("proc/meminfo", MEMINFO),
            ("proc/self/cgroup", "4:memory:/a\n0::/b\n"),
            (
                "proc/self/mountinfo",
                &format!("{V1}41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\nnonsense\n - \n"),
            ),
            ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "70000000\n"),
            ("sys/fs/cgroup/memory/a/memory.usage_in_bytes", "60000000\n"),
            ("sys/fs/cgroup/unified/b/cgroup.procs", "1\n"),
        ]);
        assert_eq!(fixture.least(NO_LIMITS, Step::Touch), Some((10_000_000, MemoryLimit::Cgroup)));
    }

    /// Text that means nothing is no limit, and no panic.
    #[test]
    fn nonsense_is_no_limit() {
        let fixture = Fixture::new(&[
            ("proc/meminfo", "MemAvailable: lots kB\nCommitLimit:\n"),
            ("proc/sys/vm/overcommit_memory", "2"),
            ("proc/self/cgroup", "4:memory\n:\n0::\n4:memory:\u{fffd}\n"),
            ("proc/self/mountinfo", &format!("1 2\n{V1}3 4 - cgroup2\n1 2 3 \\9 \\777 x - cgroup2 a b\n")),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "-1\n"),
            ("sys/fs/cgroup/memory/memory.stat", "total_inactive_file\nhierarchical_memory_limit x\n"),
        ]);
        assert_eq!(fixture.least(NO_LIMITS, Step::Map), None);
        assert_eq!(unescaped("a\\040b\\134\\"), "a b\\\\");
    }

    /// This process's own, as far as they can be held against something.
    #[test]
    fn of_this_process() {
        let least = now().expect("Linux has /proc");
        assert!(least.bytes > 0, "{least:?}");
        let total = kilobytes(&fs::read_to_string("/proc/meminfo").unwrap(), "MemTotal:").unwrap();
        assert!(least.bytes <= total, "{least:?} of {total}");
    }
}
