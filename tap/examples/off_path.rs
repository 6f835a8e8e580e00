//! A decode loop's two halves for `tests/off.rs`, which counts their instructions: with the tap's line, export being
//! off, and without it.

use std::hint::black_box;

use ffmpeg_next::frame::Video;
use vas_ring::{Claim, DropCause, FrameSink, Writer};
use vas_tap::Tap;

/// Off or not, as is known at run time only.
struct Switch(Option<Writer>);

impl FrameSink for Switch {
    fn is_off(&self) -> bool {
        self.0.is_none()
    }

    fn demand(&mut self, now: impl FnMut() -> u64) -> Result<(), DropCause> {
        self.0.as_mut().map_or(Err(DropCause::Suspended), |writer| writer.demand(now))
    }

    fn skip(&mut self, cause: DropCause) {
        if let Some(writer) = &mut self.0 {
            writer.skip(cause);
        }
    }

    fn claim(&mut self, frame_bytes: usize) -> Result<Claim<'_>, DropCause> {
        match &mut self.0 {
            Some(writer) => FrameSink::claim(writer, frame_bytes),
            None => Err(DropCause::Suspended),
        }
    }
}

const FRAMES: usize = 10_000;

#[unsafe(no_mangle)]
#[inline(never)]
fn decode_loop_without(tap: &mut Tap<Switch>, frame: &Video) {
    for _ in 0..FRAMES {
        black_box((&mut *tap, frame));
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
fn decode_loop_with(tap: &mut Tap<Switch>, frame: &Video) {
    for _ in 0..FRAMES {
        black_box((&mut *tap, frame));
        tap.offer(frame);
    }
}

fn main() {
    let (mut tap, frame) = (Tap::new(Switch(None)), Video::empty());
    decode_loop_without(&mut tap, &frame);
    decode_loop_with(&mut tap, &frame);
    println!("{FRAMES} frames");
}
