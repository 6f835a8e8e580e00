//! The processes of a run: each in a group of its own, and none outlives the run.
//!
//! A child ends when its `Child` is dropped, when the run fails, on Ctrl-C, and, since the kernel is told, also when this
//! process is killed.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{self, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// The exit status of a process that SIGINT ended, by custom.
const INTERRUPTED: i32 = 130;
const POLL: Duration = Duration::from_millis(10);

/// All children.
#[derive(Clone)]
pub(crate) struct Children {
    running: Arc<Mutex<Vec<Pid>>>,
}

/// One child, which ends with this.
pub(crate) struct Child {
    name: String,
    log: PathBuf,
    child: process::Child,
    pid: Pid,
    output: Option<BufReader<ChildStdout>>,
    input: Option<ChildStdin>,
    children: Children,
}

impl Children {
    /// From now on Ctrl-C ends the children, and then this process.
    pub(crate) fn new() -> Result<Self> {
        let children = Self { running: Arc::default() };
        let interrupted = children.clone();
        ctrlc::set_handler(move || {
            interrupted.lock().iter().for_each(|&pid| end(pid));
            process::exit(INTERRUPTED);
        })?;
        Ok(children)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Pid>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a program; what it says on standard error goes to `log`.
    pub(crate) fn start(&self, name: &str, command: &Command, log: &Path) -> Result<Child> {
        // `setpriv` becomes the program, and tells the kernel to kill it when this process dies.
        let mut child = Command::new("setpriv");
        child.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
        for (variable, value) in command.get_envs() {
            match value {
                Some(value) => child.env(variable, value),
                None => child.env_remove(variable),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            child.current_dir(folder);
        }
        let errors = File::create(log).with_context(|| format!("cannot make {}", log.display()))?;
        child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors).process_group(0);
        // With the lock held, so that a Ctrl-C finds the child.
        let mut running = self.lock();
        let mut child = child.spawn().with_context(|| format!("cannot start {name}"))?;
        let pid = Pid::from_child(&child);
        running.push(pid);
        drop(running);
        let output = child.stdout.take().map(BufReader::new);
        let input = child.stdin.take();
        Ok(Child { name: name.into(), log: log.into(), child, pid, output, input, children: self.clone() })
    }

    /// Runs a program to its end. Returns what it printed.
    pub(crate) fn run(&self, name: &str, command: &Command, log: &Path, most: Duration) -> Result<String> {
        self.start(name, command, log)?.finish(most)
    }
}

impl Child {
    pub(crate) fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let output = self.output.as_mut().context("its output is gone")?;
        output.read_line(&mut line).with_context(|| self.complaint("cannot be read"))?;
        ensure!(!line.is_empty(), self.complaint("ended without a word"));
        Ok(line)
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.pid, signal).with_context(|| self.complaint("cannot be signalled"))
    }

    /// Closes its standard input.
    pub(crate) fn close_input(&mut self) {
        self.input = None;
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Waits for its end, and returns what it printed. Anything but success is an error that names the log.
    pub(crate) fn finish(self, most: Duration) -> Result<String> {
        let (status, text, complaint) = self.finish_with_status(most)?;
        ensure!(status.success(), "{complaint} ({status})");
        Ok(text)
    }

    /// Waits for its end, whatever it is. Returns the status, what it printed, and what to say if that will not do.
    pub(crate) fn finish_with_status(mut self, most: Duration) -> Result<(ExitStatus, String, String)> {
        let mut output = self.output.take().context("its output is gone")?;
        let reading = thread::spawn(move || {
            let mut text = String::new();
            output.read_to_string(&mut text).map(|_| text)
        });
        let deadline = Instant::now() + most;
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if Instant::now() >= deadline {
                bail!(self.complaint(&format!("did not end within {} s", most.as_secs())));
            }
            thread::sleep(POLL);
        };
        let text = reading.join().map_err(|_| anyhow!("the reading thread panicked"))??;
        let how = status.signal().map_or_else(|| "failed".into(), |signal| format!("was ended by signal {signal}"));
        Ok((status, text, self.complaint(&how)))
    }

    fn complaint(&self, what: &str) -> String {
        format!("{} {what}; its log is {}", self.name, self.log.display())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        end(self.pid);
        // It is ended, so this does not wait for long; and nobody else may have its number before.
        _ = self.child.wait();
        self.children.lock().retain(|&pid| pid != self.pid);
    }
}

/// Ends a child and whatever it started. It may be gone already.
fn end(pid: Pid) {
    _ = kill_process_group(pid, Signal::KILL);
}

/// A command of a program with arguments.
pub(crate) fn command<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}
