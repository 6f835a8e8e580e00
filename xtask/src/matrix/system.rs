//! A bare Debian in a folder.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::machine::Machine;
use crate::process::{cannot_start, root, shown};
use crate::progress::{spin, spinner};

/// Debootstrap has a script for each release that it knew of when it was made. This one is right for the others too.
const SCRIPTS: &str = "/usr/share/debootstrap/scripts";
const NEWEST: &str = "sid";

/// Until a command inside a system is killed: it builds hundreds of crates.
const LIMIT: &str = "5400";

pub(super) struct System<'a> {
    machine: &'a Machine,
    pub(super) suite: String,
    /// Where the systems, cargo's home and what the commands print are.
    keep: &'a Path,
}

impl<'a> System<'a> {
    /// The system of this suite, made with debootstrap unless it is there already.
    pub(super) fn new(machine: &'a Machine, keep: &'a Path, suite: &str) -> Result<Self> {
        let is_name = !suite.is_empty() && suite.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        ensure!(is_name, "{suite:?} is no suite of Debian; those that are run by default have FFmpeg 4.3 to 9");
        let system = Self { machine, suite: suite.to_owned(), keep };
        let folder = system.folder();
        if !folder.is_dir() {
            let part = keep.join(format!("{suite}.part"));
            remove(&part)?;
            let script = Path::new(SCRIPTS).join(suite);
            let script = if script.exists() { script } else { Path::new(SCRIPTS).join(NEWEST) };
            let mut command = apart(&[]);
            command.args(["debootstrap", "--variant=minbase"]).arg("--include=ca-certificates,gcc,libc6-dev").args([
                suite.as_ref(),
                part.as_os_str(),
                machine.mirror.as_ref(),
                script.as_os_str(),
            ]);
            system.log("debootstrap", "making the system", &mut command)?;
            fs::rename(&part, &folder)?;
        }
        machine.set_up(&folder)?;
        Ok(system)
    }

    fn folder(&self) -> PathBuf {
        self.keep.join(&self.suite)
    }

    /// Installs these packages, where one of them is missing.
    pub(super) fn install(&self, packages: &[&str]) -> Result<()> {
        let packages = packages.join(" ");
        let script = format!(
            "dpkg-query --show {packages} >/dev/null 2>&1 && exit\n\
             apt-get update\napt-get install --yes --no-install-recommends {packages}\napt-get clean"
        );
        self.inside("packages", "installing packages", &script).map(drop)
    }

    /// The version of FFmpeg that the packages brought.
    pub(super) fn ffmpeg(&self) -> Result<String> {
        let printed =
            self.inside("version", "asking for FFmpeg", "dpkg-query --show --showformat '${Version}' ffmpeg")?;
        upstream(&printed).map(str::to_owned).with_context(|| format!("which FFmpeg is {printed:?}?"))
    }

    /// Gives the system the sources of this workspace as they are now: all that is not ignored. Returns where they are.
    pub(super) fn copy_sources(&self) -> Result<PathBuf> {
        let sources = self.folder().join("src");
        remove(&sources)?;
        let mut list = Command::new("git");
        list.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root());
        let output = list.output().with_context(|| cannot_start(&list))?;
        ensure!(output.status.success(), "`{}` failed: {}", shown(&list), String::from_utf8_lossy(&output.stderr));
        let names = String::from_utf8(output.stdout)?;
        for name in names.split_terminator('\0') {
            let (from, to) = (root().join(name), sources.join(name));
            // It may have been deleted and not committed.
            let Ok(kind) = from.symlink_metadata() else { continue };
            fs::create_dir_all(to.parent().context("a name without a folder")?)?;
            let copied = if kind.is_symlink() {
                fs::read_link(&from).and_then(|target| symlink(target, &to))
            } else {
                fs::copy(&from, &to).map(drop)
            };
            copied.with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
        }
        Ok(sources)
    }

    /// Gives the system a script to be run there.
    pub(super) fn add_program(&self, name: &str, script: &str) -> Result<()> {
        let path = self.folder().join(name);
        fs::write(&path, script)
            .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o755)))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Runs a script inside. Returns what it printed, which is also kept under the name.
    pub(super) fn inside(&self, name: &str, what: &str, script: &str) -> Result<String> {
        let cargo_home = self.keep.join("cargo");
        self.machine.cargo_home(&cargo_home)?;
        let mut command = apart(&["--pid", "--kill-child"]);
        command
            .args(["sh", "-euc", include_str!("enter.sh"), "sh"])
            .args([self.folder(), self.machine.toolchain.clone(), cargo_home])
            .args([LIMIT, script])
            .env_clear()
            .envs(self.machine.variables());
        self.log(name, what, &mut command)
    }

    /// Runs a command behind a spinner, with what it prints going to a file.
    fn log(&self, name: &str, what: &str, command: &mut Command) -> Result<String> {
        let path = self.keep.join(format!("{}-{name}.log", self.suite));
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let spinner = spinner(&format!("{}: {what}", self.suite));
        spin(&spinner);
        let status = command.status().with_context(|| cannot_start(command));
        spinner.finish_and_clear();
        let printed = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        let status = status?;
        if !status.success() {
            let why = if status.code() == Some(124) { "took too long" } else { "failed" };
            bail!("{}: {what} {why}, see {}", self.suite, path.display());
        }
        Ok(printed)
    }
}

/// The beginning of a command: what it mounts is seen by nobody else, and it ends with this task, however that ends.
fn apart(more: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private"]).args(more);
    command
}

/// Removes a folder, unless something is mounted in it: that would be removed as well.
fn remove(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    let folder = folder.canonicalize()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").context("cannot tell what is mounted")?;
    if let Some(mount) = mounted_in(&folder, &mounts) {
        bail!("{mount} is mounted: unmount it, then try again");
    }
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))
}

/// A mount point in the folder, of those in the text of a `mountinfo`.
fn mounted_in<'a>(folder: &Path, mounts: &'a str) -> Option<&'a str> {
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    // Spaces and their kin stand there as octal numbers.
    let folder = folder.to_string_lossy().replace('\\', r"\134").replace(' ', r"\040").replace('\t', r"\011");
    points.into_iter().find(|point| Path::new(point).starts_with(&folder))
}

/// Of `7:5.1.9-0+deb12u1`, the version that FFmpeg gave itself.
fn upstream(version: &str) -> Option<&str> {
    let version = version.trim();
    let (_, version) = version.split_once(':').unwrap_or(("", version));
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    (end > 0).then(|| &version[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_removed_that_is_mounted() {
        let mounts = "22 1 8:1 / / rw - ext4 /dev/a rw\n30 22 0:5 / /keep/a\\040b/x/dev rw - devtmpfs d rw\n";
        assert_eq!(mounted_in(Path::new("/keep/a b/x"), mounts), Some("/keep/a\\040b/x/dev"));
        assert_eq!(mounted_in(Path::new("/keep/a b"), mounts), Some("/keep/a\\040b/x/dev"));
        assert_eq!(mounted_in(Path::new("/keep/a"), mounts), None);
        assert_eq!(mounted_in(Path::new("/keep/a b/xy"), mounts), None);

        let folder = tempfile::tempdir().unwrap();
        remove(&folder.path().join("none")).unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        remove(&folder.path().join("a")).unwrap();
        assert!(!folder.path().join("a").exists());
    }

    #[test]
    fn versions_without_debians_part() {
        assert_eq!(upstream("7:5.1.9-0+deb12u1\n"), Some("5.1.9"));
        assert_eq!(upstream("8.0~rc1"), Some("8.0"));
        assert_eq!(upstream("no packages"), None);
    }
}
