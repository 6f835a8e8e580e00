//! A camera: its input is decoded on a thread of its own, and each raw frame handed to VAS's branches and to the tap.
//!
//! The lines marked `frame export` are all that VAS adds, here and in `vas.rs`. Without the feature `export` they are
//! gone.

use std::time::{Duration, Instant};

use ffmpeg_next::Packet;
use ffmpeg_next::frame::Video;

use crate::account::Account;
use crate::branch::Branch;
use crate::clock::{Moment, Turns};
use crate::gauge::Gauge;
use crate::input::{Input, InputError, Next, Source};
use crate::vas::Vas;

/// How long a lost stream is left alone before it is opened again.
const RECONNECT: Duration = Duration::from_millis(500);

/// One camera.
pub struct Camera {
    pub name: String,
    pub input: Input,
    pub gauge: Gauge,
}

impl Camera {
    /// Opens the camera's input.
    pub fn open(&self, vas: &Vas) -> Result<Source, InputError> {
        let source = Source::open(&self.input, vas.playback, &vas.stop)?;
        self.gauge.opened(source.decoder().width(), source.decoder().height());
        Ok(source)
    }

    /// Plays the camera from its opened input until the host ends: a stream that is lost is opened again, a file that
    /// has ended is played again. Returns what the branches did.
    pub fn run(
        &self,
        vas: &Vas,
        mut source: Source,
        mut branches: Vec<Box<dyn Branch>>,
    ) -> Result<Vec<Account>, InputError> {
        self.gauge.turns(Turns::now());
        loop {
            match self.play(vas, &mut source, &mut branches) {
                Err(error) if !self.input.is_live() && !error.is_stop() => return Err(error),
                Ok(()) if !self.input.is_live() || vas.playback.once => break,
                _ => {}
            }
            match self.reopen(vas) {
                Some(reopened) => source = reopened,
                None => break,
            }
        }
        self.gauge.spent(Turns::now());
        Ok(branches.into_iter().map(Branch::finish).collect())
    }

    /// Decodes one session of the input: up to the end of a stream, and of a file all its passes.
    #[rustfmt::skip] // Each line of frame export stays one line.
    fn play(&self, vas: &Vas, source: &mut Source, branches: &mut [Box<dyn Branch>]) -> Result<(), InputError> {
        #[cfg(feature = "export")] let mut tap = vas_tap::Tap::new(vas.export.camera(&self.name)).with_time_base(source.time_base()); // frame export
        for branch in &mut *branches {
            branch.begin(source);
        }
        let mut frame = Video::empty();
        let mut passes = 0;
        while !vas.stop.is_set() {
            let packet = |packet: &Packet| branches.iter_mut().for_each(|branch| branch.packet(packet));
            if source.next(&mut frame, packet)? == Next::End {
                passes += 1;
                // What is of the start alone, of the camera's and of others', is not of the passes after the first.
                if passes == 1 {
                    self.gauge.turns(Turns::now());
                }
                if self.input.is_live() || vas.playback.passes.is_some_and(|wanted| passes >= wanted) {
                    break;
                }
                source.rewind()?;
                continue;
            }
            let handed = Moment::now();
            for branch in &mut *branches {
                branch.take(&frame);
            }
            let taken = Instant::now();
            #[cfg(feature = "export")] tap.offer(&frame); // frame export
            self.gauge.frame(&frame, source, handed, taken.elapsed());
        }
        Ok(())
    }

    /// Opens a lost stream again, as often as it takes. None when the host ends.
    fn reopen(&self, vas: &Vas) -> Option<Source> {
        while !vas.stop.wait(RECONNECT) {
            if let Ok(source) = self.open(vas) {
                return Some(source);
            }
        }
        None
    }
}
