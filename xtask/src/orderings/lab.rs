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

/// The copy, in a directory of its own.
pub(super) struct Lab {
    copy: PathBuf,
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

/// The models of one build.
pub(super) struct Models {
    program: PathBuf,
    pub(super) names: Vec<String>,
}

impl Lab {
    /// Copies the sources, over what is there.
    pub(super) fn new(name: &str) -> Result<Self> {
        let copy = target_dir("orderings").join(name);
        if copy.exists() {
            fs::remove_dir_all(&copy).with_context(|| format!("cannot clear {}", copy.display()))?;
        }
        for part in ["ring/src", "ring/tests/model"] {
            copy_dir(&root().join(part), &copy.join(part))?;
        }
        for file in ["Cargo.lock", "ring/Cargo.toml", "ring/tests/loom.rs"] {
            copy_file(&root().join(file), &copy.join(file))?;
        }
        // The other members would bring FFmpeg and whatever else into the build.
        let manifest = fs::read_to_string(root().join("Cargo.toml"))?;
        let (mut alone, mut found) = (String::new(), 0);
        for line in manifest.lines() {
            if line.starts_with("members = [") && line.ends_with(']') {
                alone += "members = [\"ring\"]\n";
                found += 1;
            } else {
                alone += line;
                alone.push('\n');
            }
        }
        ensure!(found == 1, "Cargo.toml has {found} lines with the workspace's members, wanted one");
        fs::write(copy.join("Cargo.toml"), alone)?;
        Ok(Self { copy })
    }

    /// Builds the models, with the change if there is one, and puts the file back as it was.
    pub(super) fn build(&self, mutant: Option<&Mutant>) -> Result<Models> {
        let Some(mutant) = mutant else { return self.build_as_is() };
        let path = self.copy.join("ring/src").join(&mutant.file);
        let source = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        fs::write(&path, mutant.apply(&source)?)?;
        let built = self.build_as_is().with_context(|| mutant.label());
        fs::write(&path, source)?;
        built
    }

    fn build_as_is(&self) -> Result<Models> {
        let mut command = cargo();
        command
            .current_dir(&self.copy)
            .args(["test", "--package", "vas-ring", "--profile", "loom", "--test", "loom", "--no-run"])
            .args(["--message-format", "json"])
            // Only the ring is built anew: what it depends on is there from `cargo xtask loom`.
            .arg("--target-dir")
            .arg(target_dir("loom"))
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env("RUSTFLAGS", "--cfg loom");
        let output = command.stdin(Stdio::null()).output().with_context(|| cannot_start(&command))?;
        ensure!(
            output.status.success(),
            "`{}` failed:\n{}{}",
            shown(&command),
            rendered(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        let program = program(&output.stdout)?;
        // The next build overwrites it.
        let own = self.copy.join("models");
        copy_file(&program, &own)?;
        let list = Command::new(&own).args(["--list", "--format", "terse"]).output()?;
        let list = String::from_utf8(list.stdout)?;
        let names: Vec<_> = list.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect();
        ensure!(!names.is_empty(), "the copy has no models");
        Ok(Models { program: own, names })
    }
}

impl Models {
    /// Runs one of them.
    pub(super) fn run(&self, name: &str, limit: Duration) -> Result<(Ending, Duration)> {
        let log = self.program.with_extension("log");
        let (out, err) = (File::create(&log)?, File::options().append(true).open(&log)?);
        let start = Instant::now();
        let mut child = Command::new(&self.program)
            .args(["--exact", name, "--nocapture", "--test-threads", "1"])
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
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

/// The test program, out of cargo's messages.
fn program(messages: &[u8]) -> Result<PathBuf> {
    let mut programs = BTreeMap::new();
    for line in messages.split(|&byte| byte == b'\n') {
        let Ok(message) = serde_json::from_slice::<Value>(line) else { continue };
        if let (Some(path), Some(fresh)) = (message["executable"].as_str(), message["fresh"].as_bool()) {
            programs.insert(PathBuf::from(path), fresh);
        }
    }
    match programs.pop_first() {
        // A verdict about a former mutant's program would be worth nothing.
        Some((path, true)) => bail!("{} was not built anew", path.display()),
        Some((path, false)) if programs.is_empty() => Ok(path),
        _ => bail!("cargo did not name one test program"),
    }
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
            "running 1 test\n\nthread 'x' (12) panicked at ring/tests/model/mod.rs:1:2:\n\nthe writer was refused\n
            thread 'x' (12) panicked at library/core/x.rs:1:2:\npanic in a destructor\n";
        assert_eq!(verdict(said), Some(Ending::Failed("the writer was refused".into())));
        let gave_up = said.replace("the writer was refused", "Model exceeded maximum number of branches.");
        assert!(matches!(verdict(&gave_up), Some(Ending::Undecided(_))));
        assert_eq!(verdict("killed"), None);
    }

    #[test]
    fn a_program_that_was_not_built_is_an_error() {
        let message =
            |fresh| format!("{{\"executable\":null,\"fresh\":false}}\n{{\"executable\":\"/x\",\"fresh\":{fresh}}}\n");
        assert_eq!(program(message(false).as_bytes()).unwrap(), Path::new("/x"));
        assert!(program(message(true).as_bytes()).is_err());
        assert!(program(b"").is_err());
    }
}
