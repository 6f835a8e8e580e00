//! A copy of the ring's sources, where one mutant after the other is built and put to the models.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::mutants::Mutant;
use crate::process::{cannot_start, cargo, root, shown, target_dir};

/// The copy: a workspace with nothing in it but the ring.
pub(super) struct Lab {
    workspace: PathBuf,
    ring: PathBuf,
}

/// How one model ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Passed,
    /// With what it said.
    Failed(String),
    /// It says nothing about the mutant: it took too long, or loom gave up.
    Undecided(String),
}

/// What a mutant is put to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suite {
    /// The loom models.
    Models,
    /// The ordinary tests, for what takes no second thread, or more slots than a model has.
    Tests,
}

/// The tests of one build, of which each is run by itself.
pub(super) struct Models {
    /// The program and name of each.
    tests: Vec<(PathBuf, String)>,
}

impl Lab {
    /// Copies the sources, over what is there.
    pub(super) fn new(name: &str) -> Result<Self> {
        let workspace = target_dir("orderings").join(name);
        // Named apart in each copy, since cargo goes by a package's place in its workspace to tell programs apart.
        let ring = workspace.join(name);
        if ring.exists() {
            fs::remove_dir_all(&ring).with_context(|| format!("cannot clear {}", ring.display()))?;
        }
        let original = root().join("ring");
        for dir in ["src", "tests/loom", "tests/common", "tests/sequences"] {
            copy_dir(&original.join(dir), &ring.join(dir))?;
        }
        for file in ["Cargo.toml", "tests/pitfalls.rs", "tests/allocations.rs"] {
            copy_file(&original.join(file), &ring.join(file))?;
        }
        copy_file(&root().join("Cargo.lock"), &workspace.join("Cargo.lock"))?;
        let manifest = fs::read_to_string(root().join("Cargo.toml"))?;
        fs::write(workspace.join("Cargo.toml"), alone(&manifest, name)?)?;
        Ok(Self { workspace, ring })
    }

    /// Builds the models, with the change if there is one, and puts the file back as it was.
    pub(super) fn build(&self, mutant: Option<&Mutant>, suite: Suite) -> Result<Models> {
        let Some(mutant) = mutant else { return self.build_as_is(suite) };
        let path = self.ring.join("src").join(&mutant.file);
        let source = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        fs::write(&path, mutant.apply(&source)?)?;
        let built = self.build_as_is(suite).with_context(|| mutant.label());
        fs::write(&path, source)?;
        built
    }

    fn build_as_is(&self, suite: Suite) -> Result<Models> {
        let mut command = cargo();
        command
            .current_dir(&self.workspace)
            .args(["test", "--package", "vas-ring", "--profile", "loom", "--no-run", "--message-format", "json"])
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        match suite {
            // Only the ring is built anew: what it depends on is there from `cargo xtask loom`.
            Suite::Models => {
                command.args(["--test", "loom", "--target-dir"]).arg(target_dir("loom")).env("RUSTFLAGS", "--cfg loom")
            }
            Suite::Tests => command
                .args(["--lib", "--test", "pitfalls", "--test", "allocations", "--test", "sequences", "--target-dir"])
                .arg(target_dir("orderings").join("tests"))
                .env_remove("RUSTFLAGS"),
        };
        let output = command.stdin(Stdio::null()).output().with_context(|| cannot_start(&command))?;
        ensure!(
            output.status.success(),
            "`{}` failed:\n{}{}",
            shown(&command),
            rendered(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        let mut tests = Vec::new();
        for (number, program) in programs(&output.stdout)?.iter().enumerate() {
            // The next build overwrites it.
            let own = self.workspace.join(format!("program-{number}"));
            copy_file(program, &own)?;
            let list = Command::new(&own).args(["--list", "--format", "terse"]).output()?;
            let list = String::from_utf8(list.stdout)?;
            let names = list.lines().filter_map(|line| line.strip_suffix(": test"));
            tests.extend(names.map(|name| (own.clone(), name.to_owned())));
        }
        ensure!(!tests.is_empty(), "the copy has no tests");
        Ok(Models { tests })
    }
}

impl Models {
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tests.iter().map(|(_, name)| name.as_str())
    }

    /// Runs one of them.
    pub(super) fn run(&self, name: &str, limit: Duration) -> Result<(Ending, Duration)> {
        let (program, _) = self.tests.iter().find(|(_, one)| one == name).context("there is no such test")?;
        let log = program.with_extension("log");
        let out = File::create(&log)?;
        let start = Instant::now();
        let mut child = Command::new(program)
            .args(["--exact", name, "--nocapture", "--test-threads", "1"])
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stderr(out.try_clone()?)
            .stdout(out)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if start.elapsed() > limit {
                child.kill()?;
                child.wait()?;
                let ending = Ending::Undecided(format!("took more than {} s", limit.as_secs()));
                return Ok((ending, start.elapsed()));
            }
            thread::sleep(Duration::from_millis(10));
        };
        let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        let ending = if status.success() {
            ensure!(said.contains("1 passed"), "the model {name} did not run:\n{said}");
            Ending::Passed
        } else {
            verdict(&said).unwrap_or_else(|| Ending::Failed(format!("{status}")))
        };
        Ok((ending, start.elapsed()))
    }
}

/// What a model that did not pass says about it.
fn verdict(said: &str) -> Option<Ending> {
    let (_, panic) = said.split_once(" panicked at ")?;
    let message = panic.lines().skip(1).map(str::trim).find(|line| !line.is_empty())?;
    Some(if message.contains("maximum number of branches") {
        Ending::Undecided(message.into())
    } else {
        Ending::Failed(message.into())
    })
}

/// The workspace's manifest for a copy with one member: the others would bring FFmpeg and whatever else into the build.
fn alone(manifest: &str, member: &str) -> Result<String> {
    let is_members = |line: &str| line.starts_with("members = [") && line.ends_with(']');
    let found = manifest.lines().filter(|line| is_members(line)).count();
    ensure!(found == 1, "Cargo.toml has {found} lines with the workspace's members, wanted one");
    let only = format!("members = [\"{member}\"]");
    let lines = manifest.lines().map(|line| if is_members(line) { &only } else { line });
    Ok(lines.flat_map(|line| [line, "\n"]).collect())
}

/// The test programs, out of cargo's messages.
fn programs(messages: &[u8]) -> Result<Vec<PathBuf>> {
    let mut programs = BTreeMap::new();
    for line in messages.split(|&byte| byte == b'\n') {
        let Ok(message) = serde_json::from_slice::<Value>(line) else { continue };
        if let (Some(path), Some(fresh)) = (message["executable"].as_str(), message["fresh"].as_bool()) {
            programs.insert(PathBuf::from(path), fresh);
        }
    }
    ensure!(!programs.is_empty(), "cargo did not name a test program");
    // A verdict about a former mutant's program would be worth nothing.
    if let Some((path, _)) = programs.iter().find(|&(_, &fresh)| fresh) {
        bail!("{} was not built anew", path.display());
    }
    Ok(programs.into_keys().collect())
}

/// What the compiler has to say, out of cargo's messages.
fn rendered(messages: &[u8]) -> String {
    let lines = messages.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    lines.filter_map(|message| message["message"]["rendered"].as_str().map(str::to_owned)).collect()
}

fn copy_dir(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &to)?;
        } else {
            copy_file(&entry.path(), &to)?;
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_panic_is_what_a_model_says() {
        let said =
            "running 1 test\n\nthread 'x' (12) panicked at ring/tests/loom/model.rs:1:2:\n\nthe writer was refused\n
            thread 'x' (12) panicked at library/core/x.rs:1:2:\npanic in a destructor\n";
        assert_eq!(verdict(said), Some(Ending::Failed("the writer was refused".into())));
        let gave_up = said.replace("the writer was refused", "Model exceeded maximum number of branches.");
        assert!(matches!(verdict(&gave_up), Some(Ending::Undecided(_))));
        assert_eq!(verdict("killed"), None);
    }

    #[test]
    fn the_copy_has_one_member() {
        let manifest = "[workspace]\nmembers = [\"ring\", \"tap\"]\n";
        assert_eq!(alone(manifest, "copy-1").unwrap(), "[workspace]\nmembers = [\"copy-1\"]\n");
        assert!(alone("[workspace]\n", "copy-1").is_err());
    }

    #[test]
    fn a_program_that_was_not_built_is_an_error() {
        let message =
            |fresh| format!("{{\"executable\":null,\"fresh\":false}}\n{{\"executable\":\"/x\",\"fresh\":{fresh}}}\n");
        assert_eq!(programs(message(false).as_bytes()).unwrap(), [Path::new("/x")]);
        assert!(programs(message(true).as_bytes()).is_err());
        assert!(programs(b"").is_err());
    }
}
