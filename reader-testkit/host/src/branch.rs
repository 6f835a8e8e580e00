//! What VAS does with a camera already: the branches that frame export must not disturb.

mod digest;
mod produce;
mod record;
mod sabotage;

use std::path::PathBuf;

use ffmpeg_next::Packet;
use ffmpeg_next::frame::Video;

use crate::account::Account;
use crate::input::Source;
use produce::Producer;
use record::Recording;
use sabotage::{Lossy, Saboteur};

pub use produce::Target;
pub use sabotage::Sabotage;

/// A consumer of one camera's stream, on the thread that decodes it.
pub trait Branch: Send {
    /// The input was opened, or opened again.
    fn begin(&mut self, _source: &Source) {}

    /// The next encoded picture, before it is decoded.
    fn packet(&mut self, _packet: &Packet) {}

    /// The next frame.
    fn take(&mut self, frame: &Video);

    /// What it did, at the end.
    fn finish(self: Box<Self>) -> Account;
}

/// What is to be made of the cameras.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    /// The folder for recordings.
    pub record: Option<PathBuf>,
    /// Where the cameras' pictures go as RTP, for as many cameras as there are.
    pub produce: Vec<Target>,
    /// What is done wrong on purpose.
    pub sabotage: Option<Sabotage>,
}

impl Outputs {
    /// The branches of the camera with this name and number. One that is neither recorded nor sent gets a digest, so
    /// that somebody looks at its frames.
    pub fn branches(&self, name: &str, number: usize) -> Vec<Box<dyn Branch>> {
        let mut branches: Vec<Box<dyn Branch>> = Vec::new();
        if let Some(folder) = &self.record {
            branches.push(Box::new(Recording::new(folder, name)));
        }
        if let Some(target) = self.produce.get(number) {
            branches.push(Box::new(Producer::new(*target)));
        }
        if branches.is_empty() {
            branches.push(Box::new(digest::Digest::default()));
        }
        if self.sabotage == Some(Sabotage::Drop) {
            branches = branches.into_iter().map(|branch| Box::new(Lossy::new(branch)) as _).collect();
        }
        // After all others, where the tap is.
        if let Some(sabotage) = self.sabotage {
            branches.push(Box::new(Saboteur::new(sabotage)));
        }
        branches
    }
}
