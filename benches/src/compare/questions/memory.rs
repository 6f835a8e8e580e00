//! Question 4: what is held, and what a frame takes from the system.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::hint::spin_loop;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::compare::contender::{Contender, Reader, Shape};
use crate::compare::contenders::{Visitor, visit_all};
use crate::compare::counting;
use crate::compare::lab::Lab;
use crate::compare::picture::{FULL, Picture, SMALL, Size, TINY};
use crate::compare::report::{Section, Table};
use crate::compare::stage::{Call, Stage, in_company};

const READERS: usize = 2;
/// Frames over which calls and faults are counted.
const FRAMES: usize = 500;
/// What the traced program calls before and after them: it closes files that cannot be.
const MARKS: [i32; 2] = [-4242, -4243];

/// The answer.
pub fn ask(lab: &Lab, out: &Path) -> Section {
    let calls = system_calls(lab, out);
    let mut table = Table::new(
        "Memory and system",
        &[
            "MB allocated",
            "MB resident",
            "to 7 frames",
            "allocator calls/frame",
            "system calls/frame",
            "page faults/frame",
        ],
    );
    let mut notes = vec![format!(
        "1080p, K = 4 readable frames, R = 2 readers, B = 1 frame held by each: K + R*B + 1 = 7 \
         frames. *Allocated* is by Rust's allocator, *resident* what a process of its own grows by, and *to 7 frames* the \
         larger of the two, for a contender that has published 50 frames; some touch buffers only when they come to need \
         them, and some do not allocate through the allocator. Calls and faults are the writer's \
         alone, per published frame over {FRAMES} frames, with two readers that take every frame; system calls are \
         counted by strace, at 360p, with pauses of 20 us."
    )];
    if let Err(error) = &calls {
        notes.push(format!("System calls were not counted: {error:#}."));
    }
    let mut visitor = Costs { lab, pictures: FULL.pictures(), calls: calls.unwrap_or_default(), table: &mut table };
    visit_all(&mut visitor);
    Section { number: 4, question: "Memory, allocations, system calls and page faults", notes, tables: vec![table] }
}

struct Costs<'a> {
    lab: &'a Lab,
    pictures: Vec<Picture>,
    calls: BTreeMap<String, f64>,
    table: &'a mut Table,
}

impl Visitor for Costs<'_> {
    fn visit<C: Contender>(&mut self) {
        let frame = FULL.bytes() as f64;
        let before = counting::live_bytes();
        match Stage::<C>::new(&Shape::new(READERS, FULL.bytes())) {
            Ok(mut stage) => {
                work(self.lab, &mut stage, &self.pictures, 50, || ());
                let allocated = (counting::live_bytes() - before) as f64;
                let resident = resident_of(C::NAME).ok();
                let held = allocated.max(resident.unwrap_or_default());
                let mut marks = Vec::with_capacity(2);
                let frames = self.lab.or_quick(FRAMES, 50);
                work(self.lab, &mut stage, &self.pictures, frames, || marks.push((counting::calls(), page_faults())));
                let per_frame = |count: f64| Some(count / frames as f64);
                let [(calls, faults), (calls_after, faults_after)] = marks[..] else { return };
                self.table.push(
                    C::NAME,
                    C::KIND,
                    vec![
                        Some(allocated / 1e6),
                        resident.map(|bytes| bytes / 1e6),
                        Some(held / (7.0 * frame)),
                        per_frame((calls_after - calls) as f64),
                        self.calls.get(C::NAME).copied(),
                        per_frame((faults_after - faults) as f64),
                    ],
                );
            }
            Err(reason) => self.table.absent.push((C::NAME, reason)),
        }
    }
}

/// Publishes so many frames to readers that take each as they can, after some that do not count. Calls `mark` before and
/// after.
fn work<C: Contender>(lab: &Lab, stage: &mut Stage<C>, pictures: &[Picture], frames: usize, mut mark: impl FnMut()) {
    let mut readers = std::mem::take(&mut stage.readers);
    let step = |reader: &mut C::Reader, call: &Call<'_>| {
        if reader.latest(|_, _| ()).is_none() {
            call.idle();
        }
    };
    in_company(lab, &mut readers, step, || {
        let mut publish = |frames| {
            for _ in 0..frames {
                stage.publish(pictures);
                let due = lab.clock.now() + lab.clock.ticks(2e4);
                while lab.clock.now() < due {
                    spin_loop();
                }
            }
        };
        publish(50);
        mark();
        publish(frames);
        mark();
    });
    stage.readers = readers;
}

/// Page faults of the calling thread so far.
fn page_faults() -> i64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: a whole `rusage`, for which zeros are a value.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr());
        usage.assume_init()
    };
    usage.ru_minflt + usage.ru_majflt
}

/// System calls per frame of each contender's writer: the program runs itself under strace, once for each.
fn system_calls(lab: &Lab, out: &Path) -> Result<BTreeMap<String, f64>> {
    let mut names = Names(Vec::new());
    visit_all(&mut names);
    let log = out.join("strace.log");
    let mut calls = BTreeMap::new();
    for name in names.0 {
        if lab.unfit.contains_key(name) {
            continue;
        }
        eprintln!("  system calls of {name}");
        let status = Command::new("strace")
            .args(["-f", "-qq", "-o"])
            .arg(&log)
            .arg(env::current_exe()?)
            .args(["--traced", name])
            .stdin(Stdio::null())
            .status()
            .context("strace cannot be started")?;
        ensure!(status.success(), "strace of {name} ended with {status}");
        calls.insert(name.to_owned(), count(&fs::read_to_string(&log)?)? as f64 / FRAMES as f64);
    }
    _ = fs::remove_file(&log);
    Ok(calls)
}

/// What a process of its own grows by for one contender.
fn resident_of(name: &str) -> Result<f64> {
    let output = Command::new(env::current_exe()?).args(["--held", name]).stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "a process for {name} ended with {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}

/// Bytes of this process that are in memory.
fn resident() -> Result<f64> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages: f64 = statm.split(' ').nth(1).context("statm has no second number")?.parse()?;
    Ok(pages * rustix::param::page_size() as f64)
}

struct Names(Vec<&'static str>);

impl Visitor for Names {
    fn visit<C: Contender>(&mut self) {
        if Stage::<C>::new(&Shape::new(READERS, 64)).is_ok() {
            self.0.push(C::NAME);
        }
    }
}

/// Counts the calls between the marks, of the thread that made them.
fn count(log: &str) -> Result<usize> {
    let [start, end] = MARKS.map(|mark| format!("close({mark}"));
    let writer = log
        .lines()
        .find_map(|line| line.split_once(' ').filter(|(_, call)| call.trim_start().starts_with(&start)))
        .context("strace shows no start")?
        .0;
    let calls = log.lines().filter_map(|line| line.split_once(' ').filter(|(thread, _)| *thread == writer));
    let calls: Vec<&str> = calls.map(|(_, call)| call.trim_start()).collect();
    let place = |mark: &str| calls.iter().position(|call| call.starts_with(mark)).context("strace shows no end");
    // A call that another thread's interrupted is shown in two lines.
    let between = &calls[place(&start)? + 1..place(&end)?];
    Ok(between.iter().filter(|call| !call.starts_with("<...") && !call.starts_with("---")).count())
}

/// What the program runs itself for: one contender, alone in its process.
#[derive(Clone, Copy, Debug)]
pub enum Alone {
    /// Publishes, between marks, under strace.
    Traced,
    /// Publishes, and says by how much the process has grown.
    Held,
}

/// Runs one contender alone, as `task` says.
///
/// # Errors
///
/// When there is no such contender.
pub fn alone(task: Alone, name: &str) -> Result<()> {
    let mut visitor = Lone { lab: Lab::new(true), task, name, ran: None };
    visit_all(&mut visitor);
    visitor.ran.with_context(|| format!("no contender is called {name}"))?
}

struct Lone<'a> {
    lab: Lab,
    task: Alone,
    name: &'a str,
    ran: Option<Result<()>>,
}

impl Visitor for Lone<'_> {
    fn visit<C: Contender>(&mut self) {
        if C::NAME == self.name {
            self.ran = Some(match self.task {
                Alone::Traced => trace::<C>(&self.lab),
                Alone::Held => hold::<C>(&self.lab),
            });
        }
    }
}

fn stage<C: Contender>(size: Size) -> Result<Stage<C>> {
    Stage::new(&Shape::new(READERS, size.bytes())).map_err(anyhow::Error::msg)
}

fn trace<C: Contender>(lab: &Lab) -> Result<()> {
    let mut marks = MARKS.into_iter();
    work(lab, &mut stage::<C>(SMALL)?, &SMALL.pictures(), FRAMES, || {
        // SAFETY: there is no such file, which is all that the call finds out.
        unsafe { libc::close(marks.next().unwrap_or(-1)) };
    });
    Ok(())
}

fn hold<C: Contender>(lab: &Lab) -> Result<()> {
    let pictures = FULL.pictures();
    // Once before, for what the threads and the libraries take at first.
    work(lab, &mut stage::<C>(TINY)?, &TINY.pictures(), 1, || ());
    let before = resident()?;
    let mut stage = stage::<C>(FULL)?;
    work(lab, &mut stage, &pictures, 50, || ());
    println!("{}", resident()? - before);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_between_the_marks() {
        let log = "7  mmap(NULL, 1) = 0x1\n7  close(-4242 <unfinished ...>\n7  <... close resumed>) = -1 EBADF\n8  futex(1) = 0\n7  munmap(0x1, 1 <unfinished ...>\n\
                   8  sched_yield() = 0\n7  <... munmap resumed>) = 0\n7  futex(2) = 0\n7  close(-4243) = -1 EBADF\n7  brk(1) = 1\n";
        assert_eq!(count(log).unwrap(), 2);
        assert!(count("7  brk(1) = 1\n").is_err());
        assert!(count("7  close(-4242) = -1 EBADF\n").is_err());
    }
}
