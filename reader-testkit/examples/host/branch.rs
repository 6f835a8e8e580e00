//! What VAS does with raw frames already: the branches that frame export must not disturb.

use ffmpeg_next::frame::Video;

use crate::pixels::pack;

/// A consumer of one camera's raw frames, on the thread that decodes them.
pub(crate) trait Branch: Send {
    /// The next frame.
    fn take(&mut self, frame: &Video);

    /// What it did, at the end.
    fn finish(self: Box<Self>) -> Account;
}

/// What a branch did.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Account {
    /// The branch.
    pub(crate) name: &'static str,
    /// Frames that it was handed.
    pub(crate) frames: u64,
    /// CRC-32 of what it made of them, in hexadecimal digits.
    pub(crate) crc32: String,
}

/// The branches of a camera.
pub(crate) fn branches() -> Vec<Box<dyn Branch>> {
    vec![Box::new(Digest::default())]
}

/// Stands in for recording: the same frames give the same digest.
#[derive(Default)]
struct Digest {
    frames: u64,
    sum: crc32fast::Hasher,
    pixels: Vec<u8>,
}

impl Branch for Digest {
    fn take(&mut self, frame: &Video) {
        pack(frame, &mut self.pixels);
        self.sum.update(&self.pixels);
        self.frames += 1;
    }

    fn finish(self: Box<Self>) -> Account {
        Account { name: "digest", frames: self.frames, crc32: format!("{:08x}", self.sum.finalize()) }
    }
}
