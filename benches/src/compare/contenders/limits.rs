//! What nothing that copies a frame can be faster than.

use std::hint::black_box;

use vas_ring::{FrameEntry, HeapMemory, PixelMemory, RingSpec};

use crate::compare::contender::{Contender, Kind, Nobody, Shape};
use crate::compare::picture::Picture;

/// As many buffers as a ring without readers turns over, as far apart as its.
struct Buffers {
    memory: HeapMemory,
    stride: usize,
    count: usize,
    frame_bytes: usize,
    next: usize,
}

impl Buffers {
    fn new(shape: &Shape) -> Result<Self, String> {
        if shape.readers > 0 {
            return Err("nothing tells a reader what it may read".into());
        }
        let spec = RingSpec::new(shape.depth, 1, 1, shape.frame_bytes).map_err(|error| error.to_string())?;
        let memory = HeapMemory::for_spec(&spec);
        let frame_bytes = shape.frame_bytes;
        Ok(Self { memory, stride: spec.slot_stride(), count: shape.depth + 1, frame_bytes, next: 0 })
    }

    #[inline]
    fn next(&mut self) -> &mut [u8] {
        let place = self.next;
        self.next = if place + 1 == self.count { 0 } else { place + 1 };
        // SAFETY: the memory holds more slots than these, is initialised, and is reached through `self` alone.
        unsafe {
            std::slice::from_raw_parts_mut(self.memory.base().as_ptr().add(place * self.stride), self.frame_bytes)
        }
    }
}

/// An ordinary copy and nothing else.
pub struct Memcpy(Buffers);

impl Contender for Memcpy {
    type Reader = Nobody;
    const NAME: &'static str = "memcpy";
    const KIND: Kind = Kind::Limit;

    fn new(shape: &Shape) -> Result<(Self, Vec<Nobody>), String> {
        Ok((Self(Buffers::new(shape)?), Vec::new()))
    }

    #[inline]
    fn publish(&mut self, picture: &Picture, _: u64) -> bool {
        let buffer = self.0.next();
        buffer.copy_from_slice(picture.pixels());
        black_box(buffer.as_ptr());
        true
    }
}

/// A copy past the cache, and nothing else.
pub struct StreamingCopy(Buffers);

impl Contender for StreamingCopy {
    type Reader = Nobody;
    const NAME: &'static str = "streaming copy";
    const KIND: Kind = Kind::Limit;

    fn new(shape: &Shape) -> Result<(Self, Vec<Nobody>), String> {
        if !streaming::is_there() {
            return Err("this processor has no streaming stores of 32 bytes".into());
        }
        Ok((Self(Buffers::new(shape)?), Vec::new()))
    }

    #[inline]
    fn publish(&mut self, picture: &Picture, _: u64) -> bool {
        let buffer = self.0.next();
        streaming::copy(picture.pixels(), buffer);
        black_box(buffer.as_ptr());
        true
    }
}

/// A ring without any synchronisation: the copy, the entry, and a plain count of where the newest is.
pub struct Unsynchronised {
    buffers: Buffers,
    entries: Vec<FrameEntry>,
    newest: usize,
}

impl Contender for Unsynchronised {
    type Reader = Nobody;
    const NAME: &'static str = "unsynchronised ring";
    const KIND: Kind = Kind::Limit;

    fn new(shape: &Shape) -> Result<(Self, Vec<Nobody>), String> {
        let buffers = Buffers::new(shape)?;
        let entries = vec![FrameEntry::default(); buffers.count];
        Ok((Self { buffers, entries, newest: 0 }, Vec::new()))
    }

    #[inline]
    fn publish(&mut self, picture: &Picture, id: u64) -> bool {
        let place = self.buffers.next;
        let buffer = self.buffers.next();
        buffer.copy_from_slice(picture.pixels());
        black_box(buffer.as_ptr());
        self.entries[place] = *picture.entry();
        self.entries[place].frame_id = id;
        self.newest = place;
        black_box((&self.entries[place], &self.newest));
        true
    }
}

#[cfg(target_arch = "x86_64")]
mod streaming {
    use std::arch::x86_64::{_mm_sfence, _mm256_loadu_si256, _mm256_stream_si256};

    pub(super) fn is_there() -> bool {
        std::arch::is_x86_feature_detected!("avx")
    }

    /// Copies whole lines.
    #[inline]
    pub(super) fn copy(from: &[u8], to: &mut [u8]) {
        assert!(from.len() == to.len() && from.len().is_multiple_of(64) && to.as_ptr().addr().is_multiple_of(64));
        // SAFETY: as many lines on either side, the destination's aligned; `StreamingCopy::new` has looked for AVX.
        unsafe { lines(from.as_ptr(), to.as_mut_ptr(), from.len() / 64) };
    }

    /// # Safety
    ///
    /// There are so many lines on either side, those of `to` aligned, and the processor has AVX.
    #[target_feature(enable = "avx")]
    #[allow(unused_unsafe, reason = "the fence is safe from Rust 1.87 on")]
    unsafe fn lines(from: *const u8, to: *mut u8, lines: usize) {
        for at in (0..lines * 64).step_by(64) {
            // SAFETY: within the lines, by the caller's word.
            unsafe {
                let (low, high) =
                    (_mm256_loadu_si256(from.add(at).cast()), _mm256_loadu_si256(from.add(at + 32).cast()));
                _mm256_stream_si256(to.add(at).cast(), low);
                _mm256_stream_si256(to.add(at + 32).cast(), high);
            }
        }
        // SAFETY: every x86-64 processor has it.
        unsafe { _mm_sfence() };
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod streaming {
    pub(super) fn is_there() -> bool {
        false
    }

    pub(super) fn copy(_: &[u8], _: &mut [u8]) {
        unreachable!("`StreamingCopy::new` has refused");
    }
}
