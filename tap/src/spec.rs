//! What a camera's frames are going to be like, from what its decoder says: to size a ring by hand, or to have one before
//! the first frame.

use std::error::Error;
use std::fmt;

use core::ffi::c_int;

use ffmpeg_next::ffi::AVPixelFormat;
use vas_ring::{DropCause, StreamSpec};

use crate::binding::Binding;
use crate::ffmpeg_next_binding::FfmpegNext;
use crate::format::Format;

/// What frames of `width` by `height` pixels in FFmpeg's pixel format number `format` take. The number is that of
/// `AVPixelFormat`, which a [`Pixel`](ffmpeg_next::format::Pixel) converts to and is not itself.
///
/// Many decoders know their format only once they have decoded a frame. For `AV_PIX_FMT_NONE`, -1, this assumes
/// `yuv420p`, which takes as much as the NV12 and full-range formats of its size, or slightly more. A stream that
/// turns out to need more is a change of size like any other, which costs the frames until there is a larger ring.
///
/// # Errors
///
/// When a size is zero or too large for a ring, or when frames of this format are not ones that a tap can copy.
///
/// ```
/// use vas_tap::{StreamSpecError, stream_spec};
///
/// let stream = stream_spec(1920, 1080, -1)?;
/// assert_eq!(stream.frame_bytes, 1920 * 1080 * 3 / 2);
/// assert_eq!(stream_spec(0, 1080, -1), Err(StreamSpecError::Size { width: 0, height: 1080 }));
/// # Ok::<(), StreamSpecError>(())
/// ```
pub fn stream_spec(width: u32, height: u32, format: i32) -> Result<StreamSpec, StreamSpecError> {
    let number = match format {
        -1 => AVPixelFormat::AV_PIX_FMT_YUV420P as c_int,
        known => known,
    };
    if width == 0 || height == 0 {
        return Err(StreamSpecError::Size { width, height });
    }
    let planned = Format::new(number, FfmpegNext::descriptor(number)).and_then(|format| format.layout(width, height));
    match planned {
        Ok((_, bytes)) => Ok(StreamSpec { width, height, frame_bytes: bytes as usize }),
        Err(DropCause::Hardware) => Err(StreamSpecError::Hardware { format }),
        Err(DropCause::TooLarge) => Err(StreamSpecError::Size { width, height }),
        Err(_) => Err(StreamSpecError::Unsupported { format }),
    }
}

/// What the frames of an opened decoder take; see [`stream_spec`].
///
/// # Errors
///
/// As [`stream_spec`]. A decoder that does not know its size yet has none; its first frame tells.
pub fn stream_spec_of(decoder: &ffmpeg_next::decoder::Video) -> Result<StreamSpec, StreamSpecError> {
    // SAFETY: the decoder's context lives as long as the decoder. The format is read as the integer that it is in C.
    let (width, height, format) = unsafe {
        let context = decoder.as_ptr();
        let format = &raw const (*context).pix_fmt;
        ((*context).width, (*context).height, format.cast::<c_int>().read())
    };
    stream_spec(u32::try_from(width).unwrap_or(0), u32::try_from(height).unwrap_or(0), format)
}

/// Why there is no [`StreamSpec`] for a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamSpecError {
    /// A size is zero, or the picture too large.
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// Frames of this format stay in a device's memory.
    Hardware {
        /// FFmpeg's number of the format.
        format: i32,
    },
    /// The format has no byte-addressed planes, or FFmpeg does not know it.
    Unsupported {
        /// FFmpeg's number of the format.
        format: i32,
    },
}

impl fmt::Display for StreamSpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size { width, height } => write!(
                f,
                "frames of {width}x{height} pixels: sizes are to be at least 1, and a frame at most {} bytes; \
                 a decoder that does not know its size yet has its first frame say it",
                vas_ring::MAX_FRAME_BYTES
            ),
            Self::Hardware { format } => write!(
                f,
                "pixel format {format} is in a device's memory: download the frames, and give the format that they \
                 have then"
            ),
            Self::Unsupported { format } => write!(
                f,
                "pixel format {format} has no byte-addressed planes or is unknown to this FFmpeg: convert the frames, \
                 and give the format that they have then"
            ),
        }
    }
}

impl Error for StreamSpecError {}
