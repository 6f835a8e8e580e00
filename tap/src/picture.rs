//! What a frame says of itself beside its layout.

use std::mem::ManuallyDrop;

use ffmpeg_next::ffi::{AV_NOPTS_VALUE, AVFrame};
use ffmpeg_next::frame::Video;
use libc::c_int;
use vas_ring::{ColorRange, FrameEntry, FrameFlags, Geometry, Rational};

use crate::plan::Plan;

const _: () = assert!(FrameEntry::NO_PTS == AV_NOPTS_VALUE);

/// The frame's entry, except for what the ring fills in and the time.
///
/// # Safety
///
/// `frame` points to an `AVFrame`. Its fields may hold anything.
pub(crate) unsafe fn entry(frame: *const AVFrame, plan: &Plan, time_base: Rational) -> FrameEntry {
    // SAFETY: the pointer is good by the caller's word; fields that are Rust enums are read as the integers that they
    // are in C.
    let (pts, guess, aspect, range, matrix) = unsafe {
        (
            (*frame).pts,
            (*frame).best_effort_timestamp,
            (*frame).sample_aspect_ratio,
            (&raw const (*frame).color_range).cast::<c_int>().read(),
            (&raw const (*frame).colorspace).cast::<c_int>().read(),
        )
    };
    let known = aspect.num > 0 && aspect.den > 0;
    FrameEntry {
        raw_pts: if pts == AV_NOPTS_VALUE { guess } else { pts },
        time_base,
        geometry: Geometry {
            width: plan.width,
            height: plan.height,
            sample_aspect_ratio: if known {
                Rational { num: aspect.num, den: aspect.den }
            } else {
                Rational::default()
            },
            pixel_format: plan.pixel_format,
            planes: plan.planes,
        },
        bytes: plan.bytes,
        // SAFETY: by the caller's word.
        flags: unsafe { flags(frame) },
        color_range: match range {
            1 => ColorRange::LIMITED,
            2 => ColorRange::FULL,
            _ if plan.full_range => ColorRange::FULL,
            _ => ColorRange::UNSPECIFIED,
        },
        // FFmpeg's numbers are those of H.273; 2 is "unspecified".
        color_matrix: u8::try_from(matrix).unwrap_or(2),
        ..FrameEntry::default()
    }
}

/// The flags, through the accessors of `ffmpeg-next`, which know where each version of FFmpeg keeps them.
///
/// # Safety
///
/// `frame` points to an `AVFrame`.
unsafe fn flags(frame: *const AVFrame) -> FrameFlags {
    // SAFETY: a `Video` is a pointer. Dropping it would free the frame, and it is not dropped; nor is it written to.
    let frame = ManuallyDrop::new(unsafe { Video::wrap(frame.cast_mut()) });
    FrameFlags::default()
        .with(FrameFlags::KEY, frame.is_key())
        .with(FrameFlags::INTERLACED, frame.is_interlaced())
        .with(FrameFlags::TOP_FIELD_FIRST, frame.is_top_first())
        .with(FrameFlags::CORRUPT, frame.is_corrupt())
}
