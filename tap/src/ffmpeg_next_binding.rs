//! The binding of most hosts: the first user of the macro that serves all others.

use vas_ring::Rational;

use crate::TimeBase;

/// FFmpeg as `ffmpeg-next` declares it. A name, and nothing else.
#[derive(Debug)]
pub enum FfmpegNext {}

crate::binding!(@impl FfmpegNext, ffmpeg_next::ffi, ffmpeg_next::frame::Video);

impl TimeBase<FfmpegNext> for ffmpeg_next::Rational {
    fn rational(self) -> Rational {
        Rational { num: self.numerator(), den: self.denominator() }
    }
}
