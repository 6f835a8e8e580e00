//! What a tap must not do, done on purpose beside it, so that `cargo xtask accept --saboteurs` sees that it is found out.
//!
//! A branch like the others: it is in the host with export and in the one without alike.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::hint::black_box;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use ffmpeg_next::Packet;
use ffmpeg_next::ffi::av_frame_ref;
use ffmpeg_next::frame::Video;

use super::Branch;
use crate::account::Account;
use crate::input::Source;

/// How often the rare ones do what they do: on one frame of so many.
const SELDOM: u64 = 100;
/// Frames that the greedy one keeps.
const KEPT: usize = 8;
/// Bytes that are lost with each frame.
const LEAK: usize = 2048;

/// What is done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Sabotage {
    /// Sleeps for half a millisecond with each frame.
    Sleep,
    /// Sleeps for 50 ms with one frame of a hundred.
    Stall,
    /// Changes one byte of one frame of a hundred.
    Write,
    /// Keeps references to the last eight frames.
    Keep,
    /// Loses two KiB with each frame.
    Leak,
    /// Opens a file and keeps it open.
    Open,
    /// Starts a thread that does nothing, each time that its camera starts.
    Thread,
    /// Keeps one frame of a hundred from the recording, and one packet of a hundred from the producer.
    Drop,
}

/// Does it.
pub(super) struct Saboteur {
    sabotage: Sabotage,
    frames: u64,
    kept: VecDeque<Video>,
    file: Option<(File, PathBuf)>,
}

impl Saboteur {
    pub(super) fn new(sabotage: Sabotage) -> Self {
        Self { sabotage, frames: 0, kept: VecDeque::new(), file: None }
    }
}

impl Branch for Saboteur {
    fn begin(&mut self, _source: &Source) {
        if self.sabotage == Sabotage::Thread {
            drop(thread::spawn(|| {
                loop {
                    thread::park();
                }
            }));
        }
    }

    fn take(&mut self, frame: &Video) {
        self.frames += 1;
        let seldom = self.frames.is_multiple_of(SELDOM);
        match self.sabotage {
            Sabotage::Sleep => thread::sleep(Duration::from_micros(500)),
            Sabotage::Stall if seldom => thread::sleep(Duration::from_millis(50)),
            // SAFETY: the first byte of a decoded frame's pixels. Whoever else reads them does so on this thread.
            Sabotage::Write if seldom => unsafe {
                let pixels = (*frame.as_ptr()).data[0];
                pixels.write(!pixels.read());
            },
            Sabotage::Keep => {
                let mut own = Video::empty();
                // SAFETY: both are frames; this makes `own` another reference to the pixels.
                if unsafe { av_frame_ref(own.as_mut_ptr(), frame.as_ptr()) } >= 0 {
                    self.kept.push_back(own);
                }
                if self.kept.len() > KEPT {
                    self.kept.pop_front();
                }
            }
            // Nothing that is never read would be allocated at all.
            Sabotage::Leak => _ = black_box(Vec::leak(vec![1_u8; LEAK])),
            Sabotage::Open if self.file.is_none() => {
                let path = std::env::temp_dir().join(format!("vas-saboteur-{}", std::process::id()));
                self.file = File::create(&path).ok().map(|file| (file, path));
            }
            _ => {}
        }
    }

    fn finish(self: Box<Self>) -> Account {
        if let Some((_, path)) = &self.file {
            // It is in the folder for what may go at any time.
            _ = fs::remove_file(path);
        }
        Account { name: "saboteur", frames: self.frames, ..Account::default() }
    }
}

/// A branch that does not get all frames and packets.
pub(super) struct Lossy {
    branch: Box<dyn Branch>,
    frames: u64,
    packets: u64,
}

impl Lossy {
    pub(super) fn new(branch: Box<dyn Branch>) -> Self {
        Self { branch, frames: 0, packets: 0 }
    }
}

impl Branch for Lossy {
    fn begin(&mut self, source: &Source) {
        self.branch.begin(source);
    }

    fn packet(&mut self, packet: &Packet) {
        self.packets += 1;
        if !self.packets.is_multiple_of(SELDOM) {
            self.branch.packet(packet);
        }
    }

    fn take(&mut self, frame: &Video) {
        self.frames += 1;
        if !self.frames.is_multiple_of(SELDOM) {
            self.branch.take(frame);
        }
    }

    fn finish(self: Box<Self>) -> Account {
        self.branch.finish()
    }
}
