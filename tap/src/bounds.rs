//! Where a frame's planes are, and whether they stay within the buffers that the frame refers to.

use core::ffi::c_void;

use crate::binding::{Binding, Fields};
use crate::plan::Plan;

/// More `extended_buf` than any frame has: they are for audio of many channels, and none for pictures.
const MOST_EXTENDED: i32 = 64;

/// Addresses, the last one excluded.
#[derive(Clone, Copy, Debug, Default)]
struct Range {
    start: usize,
    end: usize,
}

impl Range {
    fn holds(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    fn overlaps(self, other: Self) -> bool {
        other.start < self.end && other.end > self.start
    }

    /// Whether a plane that is said to be at `address` is this buffer's: also right behind its last byte, where a plane is
    /// of which the buffer has nothing left, and at the start of a buffer of no bytes.
    fn claims(self, address: usize) -> bool {
        (self.start..=self.end).contains(&address)
    }
}

/// The addresses of the frame's planes; none when one of them is missing, wraps around the address space, or is not
/// where its pixels may be read.
///
/// FFmpeg promises that each plane is in one of the frame's buffers, but not everybody keeps to it: frames without
/// buffers are the host's own, and some decoders' and mappings' buffers refer to a picture rather than hold it. Hence
/// the rule: either every plane lies wholly in one buffer, or none of them starts in a buffer or has a byte of one. A
/// frame in between could not be read safely.
///
/// # Safety
///
/// The fields are those of an `AVFrame` whose `buf` and `extended_buf` are null or valid. The others may hold anything.
#[inline]
pub(crate) unsafe fn planes<B: Binding>(fields: &Fields, plan: &Plan) -> Option<[*const u8; 4]> {
    let [data @ .., _, _, _, _] = fields.data;
    let mut ranges = [Range::default(); 4];
    let used = plan.copies().count();
    for ((range, (_, source)), data) in ranges.iter_mut().zip(plan.copies()).zip(data) {
        if data.is_null() {
            return None;
        }
        range.start = data.addr().checked_add_signed(source.low)?;
        range.end = data.addr().checked_add_signed(source.high)?;
    }

    let (mut related, mut held) = (false, [false; 4]);
    let mut look = |buffer: *const c_void| {
        if buffer.is_null() {
            return;
        }
        // SAFETY: valid by the caller's word.
        let (start, size) = unsafe { B::buffer(buffer) };
        let buffer = Range { start: start.addr(), end: start.addr().saturating_add(size) };
        for ((range, held), data) in ranges.iter().zip(&mut held).zip(data).take(used) {
            related |= buffer.overlaps(*range) || buffer.claims(data.addr());
            *held |= buffer.holds(*range);
        }
    };
    for buffer in fields.buf {
        look(buffer);
    }
    if fields.nb_extended_buf > 0 && !fields.extended_buf.is_null() {
        if fields.nb_extended_buf > MOST_EXTENDED {
            return None;
        }
        for n in 0..fields.nb_extended_buf as usize {
            // SAFETY: an array of that many pointers by the caller's word.
            look(unsafe { fields.extended_buf.add(n).read() });
        }
    }
    (!related || held.iter().take(used).all(|&held| held)).then_some(data)
}
