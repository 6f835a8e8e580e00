//! Criterion 8: off, the crates do nothing; on, they open no socket, file or shared memory. By strace and DHAT.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Bench;
use super::host::{Export, Figures, Host};
use super::verdict::Criterion;

/// Lifecycle's own thread.
const CONTROL: &str = "frame-export";
const MOST: Duration = Duration::from_secs(120);
/// What opens something, and what maps memory or starts a thread.
const OPENS: [&str; 9] =
    ["open", "openat", "creat", "socket", "socketpair", "memfd_create", "shmget", "pipe2", "eventfd2"];
const TRACED: &str = "open,openat,creat,socket,socketpair,memfd_create,shmget,pipe2,eventfd2,mmap,clone,clone3";
/// What glibc's malloc reads before it gives memory back, and what the host reads of its own threads and memory.
const OTHERS: [&str; 3] = ["/proc/sys/vm/overcommit_memory", "/proc/self/task", "/proc/self/status"];
/// What the kernel says of memory, which lifecycle reads before it takes some.
const MEMORY: [&str; 4] = ["/proc/meminfo", "/proc/self/cgroup", "/proc/self/mountinfo", "/sys/fs/cgroup/"];
/// Stands behind the name of what is not opened to be read only.
const WRITTEN: &str = ", not read-only";

/// Calls by thread and name, and what was opened by whom.
#[derive(Debug, Default, PartialEq, Eq)]
struct Trace {
    calls: BTreeMap<(String, String), usize>,
    opened: BTreeMap<(String, String), usize>,
}

pub(super) fn criterion(bench: &mut Bench) -> Result<Vec<Criterion>> {
    let mut criterion = Criterion::new(8);
    let (absent, _) = traced(bench, Export::Absent)?;
    let (off, figures) = traced(bench, Export::Off)?;
    criterion.judge("off: state", &figures.export.state, "off", figures.export.state == "off");
    let threads = figures.export.threads.join(", ");
    criterion.judge(
        "off: export threads",
        if threads.is_empty() { "none" } else { &threads },
        "none",
        threads.is_empty(),
    );
    for call in ["mmap", "clone3"] {
        let (before, after) = (absent.count(call), off.count(call));
        criterion.judge(
            format!("off: calls of {call}"),
            after,
            format!("{before}, as absent"),
            before == after && after > 0,
        );
    }
    let more = off.beyond(&absent);
    let found = if more.is_empty() { "nothing".to_owned() } else { more.join("; ") };
    criterion.judge("off: opened beyond absent", found, "nothing", more.is_empty());
    allocations(bench, &mut criterion)?;

    let (on, figures) = traced(bench, Export::On)?;
    // Lifecycle's own, and the readers, which are the AI's. What maps memory is started by lifecycle's own and ends.
    let own = 1 + Export::On.places() as usize;
    let started = |trace: &Trace, by: fn(&str) -> bool| {
        let calls = trace.calls.iter().filter(|((thread, call), _)| call.starts_with("clone") && by(thread));
        calls.map(|(_, n)| n).sum::<usize>()
    };
    let (before, after) = (started(&absent, |_| true), started(&on, |thread| thread != CONTROL));
    criterion.judge("on: threads started", after, format!("{before} as absent, and {own}"), after == before + own);
    let hands = started(&on, |thread| thread == CONTROL);
    criterion.judge("on: threads that thread frame-export started", hands, "at most one per ring", hands <= 1);
    criterion.judge("on: state", &figures.export.state, "on", figures.export.state == "on");
    let own = [CONTROL, "frame-memory", "brisk-reader", "slow-reader", "rated-reader", "asking-reader"];
    for thread in own {
        // A thread that was not seen shows nothing.
        let calls: usize = on.calls.iter().filter(|((by, _), _)| by == thread).map(|(_, n)| n).sum();
        let opened = on.opened.keys().filter(|(by, what)| by == thread && !is_others(what));
        let opened: Vec<_> = opened.map(|(_, what)| what.clone()).collect();
        let figure = if opened.is_empty() { format!("nothing, in {calls} calls") } else { opened.join("; ") };
        criterion.judge(format!("on: opened by thread {thread}"), figure, "nothing", opened.is_empty() && calls > 0);
    }
    let more = on.beyond(&absent);
    let found = if more.is_empty() { "nothing".to_owned() } else { more.join("; ") };
    criterion.judge("on: opened beyond absent, by any thread", found, "nothing", more.is_empty());
    criterion.tell("on: mappings beyond absent", on.count("mmap").saturating_sub(absent.count("mmap")));
    Ok(vec![criterion])
}

fn traced(bench: &Bench, export: Export) -> Result<(Trace, Figures)> {
    let folder = bench.folder(&format!("strace-{}", export.name()))?;
    let words = ["strace", "--follow-forks", "--decode-pids=comm", "--quiet=all", "-e"];
    let traced = format!("trace={TRACED}");
    let words = words.into_iter().chain([traced.as_str(), "-o", "strace.txt"]);
    let host = Host::under(words, bench, export, &folder).args(["--fast"]).args([&bench.clips.sintel]);
    let figures = host.run(&bench.children, MOST)?;
    Ok((Trace::read(&folder.join("strace.txt"))?, figures))
}

impl Trace {
    fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("no trace in {}", path.display()))?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let mut trace = Self::default();
        for line in text.lines() {
            // 9320<host> openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY) = 3; resumed calls were counted when they began.
            let Some((thread, call)) = line.split_once("> ") else { continue };
            let Some((_, thread)) = thread.split_once('<') else { continue };
            let Some((name, arguments)) = call.split_once('(').filter(|(name, _)| !name.contains(' ')) else {
                continue;
            };
            let by = |what: &str| (thread.to_owned(), what.to_owned());
            *trace.calls.entry(by(name)).or_default() += 1;
            if OPENS.contains(&name) {
                let how = if arguments.contains("O_RDONLY") { "" } else { WRITTEN };
                let path = arguments.split('"').nth(1).map(|path| format!("{path}{how}"));
                *trace.opened.entry(by(&path.unwrap_or_else(|| format!("{name}({arguments}")))).or_default() += 1;
            }
        }
        trace
    }

    fn count(&self, call: &str) -> usize {
        self.calls.iter().filter(|((_, name), _)| name == call).map(|(_, n)| n).sum()
    }

    /// What was opened that was not opened there, or more often.
    fn beyond(&self, other: &Self) -> Vec<String> {
        let sum = |trace: &Self| {
            let mut sum = BTreeMap::<String, usize>::new();
            for ((_, what), n) in &trace.opened {
                *sum.entry(what.clone()).or_default() += n;
            }
            sum
        };
        let before = sum(other);
        let more = sum(self).into_iter().filter(|(what, n)| n > before.get(what).unwrap_or(&0));
        more.map(|(what, _)| what).filter(|what| !is_others(what)).collect()
    }
}

/// Whether it is known to be opened by others than the crates, in the absent build too, or is what the kernel says of memory.
fn is_others(what: &str) -> bool {
    let known = OTHERS.iter().chain(&MEMORY).any(|known| what.starts_with(known));
    known && !what.ends_with(WRITTEN)
}

/// What DHAT writes, as far as it is looked at.
#[derive(Deserialize)]
struct Dhat {
    /// Places that allocate.
    pps: Vec<Place>,
    /// Frames of the places' stacks.
    ftbl: Vec<String>,
}

#[derive(Deserialize)]
struct Place {
    /// Blocks in all.
    tbk: u64,
    /// Bytes at the end.
    #[serde(default)]
    eb: u64,
    /// The stack.
    fs: Vec<usize>,
}

/// Allocations of the crates while export is off: those that read the environment at the start, and no others.
fn allocations(bench: &Bench, criterion: &mut Criterion) -> Result<()> {
    if bench.is_short() {
        criterion.not_run("off: allocations by the crates", "valgrind takes too long for a quick run");
        return Ok(());
    }
    let folder = bench.folder("dhat-off")?;
    let words = ["valgrind", "--quiet", "--tool=dhat", "--num-callers=40", "--dhat-out-file=dhat.json"];
    let host = Host::under(words, bench, Export::Off, &folder).args(["--fast"]).args([&bench.clips.sintel]);
    host.run(&bench.children, MOST)?;
    let Dhat { pps, ftbl } = serde_json::from_slice(&fs::read(folder.join("dhat.json"))?)?;
    let (mut reading, mut others, mut left) = (0, Vec::new(), 0);
    for place in &pps {
        let stack: Vec<_> = place.fs.iter().filter_map(|&frame| ftbl.get(frame)).collect();
        let has = |part: &str| stack.iter().any(|frame| frame.contains(part));
        if !has("vas_lifecycle") && !has("vas_tap") && !has("vas_ring") {
            continue;
        }
        left += place.eb;
        if has("from_env") || has("from_vars") || has("from_os_vars") {
            reading += place.tbk;
        } else {
            others
                .push(stack.iter().find(|frame| frame.contains("vas_")).map_or_else(String::new, ToString::to_string));
        }
    }
    // Unless those are seen, the tool sees nothing.
    criterion.judge("off: allocations while reading the environment", reading, "some, at the start", reading > 0);
    criterion.judge("off: bytes of them left at the end", left, 0, left == 0);
    let figure = if others.is_empty() { "none".to_owned() } else { others.join("; ") };
    criterion.judge("off: other allocations by the crates", figure, "none", others.is_empty());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABSENT: &str = r#"9<host> openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3
9<host> mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, -1, 0 <unfinished ...>
9<host> <... mmap resumed>) = 0x7f0000000000
9<host> openat(AT_FDCWD, "/proc/self/status", O_RDONLY) = 3
"#;

    #[test]
    fn calls_are_counted_once_and_by_thread() {
        let trace = Trace::parse(ABSENT);
        assert_eq!((trace.count("mmap"), trace.count("openat")), (1, 2));
        assert_eq!(trace.calls.keys().filter(|(thread, _)| thread == "host").count(), 2);
    }

    #[test]
    fn what_is_opened_beyond_is_found() {
        let absent = Trace::parse(ABSENT);
        let more = |line: &str| Trace::parse(&format!("{ABSENT}{line}\n")).beyond(&absent);
        assert!(more(r#"8<frame-export> openat(AT_FDCWD, "/proc/self/status", O_RDONLY) = 4"#).is_empty());
        assert!(more(r#"8<host> openat(AT_FDCWD, "/sys/fs/cgroup/memory.max", O_RDONLY|O_CLOEXEC) = 4"#).is_empty());
        let written = more(r#"8<host> openat(AT_FDCWD, "/sys/fs/cgroup/memory.max", O_RDWR) = 4"#);
        assert_eq!(written, ["/sys/fs/cgroup/memory.max, not read-only"]);
        assert_eq!(
            more(r#"8<camera> openat(AT_FDCWD, "/dev/shm/ring", O_RDWR) = 4"#),
            ["/dev/shm/ring, not read-only"]
        );
        assert_eq!(more("8<camera> socket(AF_INET, SOCK_STREAM, 0) = 4"), ["socket(AF_INET, SOCK_STREAM, 0) = 4"]);
        assert_eq!(more(r#"8<camera> openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY) = 4"#), ["/etc/ld.so.cache"]);
    }
}
