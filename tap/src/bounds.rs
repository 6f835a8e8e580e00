//! Where a frame's planes are, and whether they stay within the buffers that the frame refers to.

use ffmpeg_next::ffi::{AVBufferRef, AVFrame};

use crate::plan::{Plan, Source};

/// The addresses of the frame's planes; none when one of them is missing, wraps around the address space, or runs out
/// of the buffer that it starts in.
///
/// A plane that starts in none of the frame's buffers is taken as it is: frames without buffers are the host's own,
/// and some decoders' buffers refer to a picture rather than hold it.
///
/// # Safety
///
/// `frame` points to an `AVFrame` whose `buf` are null or valid. The other fields may hold anything.
#[inline]
pub(crate) unsafe fn planes(frame: *const AVFrame, plan: &Plan) -> Option<[*const u8; 4]> {
    // SAFETY: two arrays of pointers, longer than this.
    let (data, buffers) = unsafe {
        let (data, buffers) = (&raw const (*frame).data, &raw const (*frame).buf);
        (data.cast::<[*const u8; 4]>().read(), buffers.cast::<[*const AVBufferRef; 4]>().read())
    };
    #[allow(clippy::unnecessary_cast, reason = "FFmpeg 4 has an int there")]
    let buffers = buffers.map(|buffer| {
        // SAFETY: null or valid by the caller's word.
        unsafe { buffer.as_ref() }.map_or((0, 0), |buffer| (buffer.data.addr(), buffer.size as usize))
    });
    for ((_, source), data) in plan.copies().zip(data) {
        if data.is_null() || !fits(source, data.addr(), &buffers) {
            return None;
        }
    }
    Some(data)
}

fn fits(source: &Source, data: usize, buffers: &[(usize, usize); 4]) -> bool {
    let (Some(low), Some(high)) = (data.checked_add_signed(source.low), data.checked_add_signed(source.high)) else {
        return false;
    };
    buffers.iter().all(|&(start, size)| {
        let inside = data.wrapping_sub(start) < size;
        !inside || (low >= start && high - start <= size)
    })
}
