//! What nothing that copies a frame can be faster than.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use vas_ring::{FrameEntry, HeapMemory, PixelMemory, RingSpec};

use crate::compare::contender::{Contender, Kind, Nobody, Reader, Shape};
use crate::compare::picture::Picture;

/// As many buffers as a ring turns over whose readers hold nothing, as far apart as its, and the least that tells
/// readers what they may read: writer and readers go in step, so no frame is published before all have read the one
/// before.
struct Buffers {
    memory: HeapMemory,
    stride: usize,
    frame_bytes: usize,
    /// The id of the frame in each buffer.
    ids: Box<[AtomicU64]>,
    /// How many frames there are.
    newest: Number,
    /// How many each reader is done with.
    done: Box<[Number]>,
}

#[repr(align(128))]
#[derive(Default)]
struct Number(AtomicU64);

impl Buffers {
    fn new(shape: &Shape) -> Result<Arc<Self>, String> {
        let spec = RingSpec::new(shape.depth, 1, 1, shape.frame_bytes).map_err(|error| error.to_string())?;
        Ok(Arc::new(Self {
            memory: HeapMemory::for_spec(&spec),
            stride: spec.slot_stride(),
            frame_bytes: shape.frame_bytes,
            ids: (0..=shape.depth).map(|_| AtomicU64::new(0)).collect(),
            newest: Number::default(),
            done: (0..shape.readers).map(|_| Number::default()).collect(),
        }))
    }

    fn at(&self, place: usize) -> *mut u8 {
        debug_assert!(place < self.ids.len());
        // SAFETY: the memory holds more slots than there are ids.
        unsafe { self.memory.base().as_ptr().add(place * self.stride) }
    }

    fn after(&self, place: usize) -> usize {
        if place + 1 == self.ids.len() { 0 } else { place + 1 }
    }
}

/// The writer's end of the buffers.
struct Source {
    buffers: Arc<Buffers>,
    place: usize,
    filled: u64,
}

impl Source {
    /// With its readers.
    fn new(shape: &Shape) -> Result<(Self, Vec<InStep>), String> {
        let buffers = Buffers::new(shape)?;
        let readers = (0..shape.readers).map(|reader| InStep { buffers: buffers.clone(), reader, place: 0, read: 0 });
        let readers = readers.collect();
        Ok((Self { buffers, place: 0, filled: 0 }, readers))
    }

    /// Fills the next buffer, if all readers are done with the last one.
    #[inline]
    fn fill(&mut self, id: u64, fill: impl FnOnce(&mut [u8])) -> bool {
        let buffers = &*self.buffers;
        // Ordering: Acquire pairs with the Release of the reader: it has read before the buffer is overwritten.
        if buffers.done.iter().any(|done| done.0.load(Ordering::Acquire) != self.filled) {
            return false;
        }
        // SAFETY: the memory is initialised. No reader reads before `newest` goes up, and there is no other writer.
        let buffer = unsafe { std::slice::from_raw_parts_mut(buffers.at(self.place), buffers.frame_bytes) };
        fill(buffer);
        black_box(buffer.as_ptr());
        self.filled += 1;
        if !buffers.done.is_empty() {
            // Ordering: Relaxed, published by the store below.
            buffers.ids[self.place].store(id, Ordering::Relaxed);
            // Ordering: Release pairs with the Acquire of the reader.
            buffers.newest.0.store(self.filled, Ordering::Release);
        }
        self.place = buffers.after(self.place);
        true
    }
}

/// A reader that the writer waits for.
pub struct InStep {
    buffers: Arc<Buffers>,
    reader: usize,
    place: usize,
    read: u64,
}

impl Reader for InStep {
    #[inline]
    fn latest<T>(&mut self, with: impl FnOnce(&FrameEntry, &[u8]) -> T) -> Option<T> {
        let buffers = &*self.buffers;
        // Ordering: Acquire pairs with the Release of the writer.
        if buffers.newest.0.load(Ordering::Acquire) == self.read {
            return None;
        }
        // SAFETY: the memory is initialised, and the writer does not go on before this reader is done.
        let pixels = unsafe { std::slice::from_raw_parts(buffers.at(self.place), buffers.frame_bytes) };
        // Ordering: Relaxed, ordered by the load above.
        let frame_id = buffers.ids[self.place].load(Ordering::Relaxed);
        let shown = with(&FrameEntry { frame_id, ..FrameEntry::default() }, pixels);
        self.place = buffers.after(self.place);
        self.read += 1;
        // Ordering: Release pairs with the Acquire of the writer.
        buffers.done[self.reader].0.store(self.read, Ordering::Release);
        Some(shown)
    }
}

/// An ordinary copy and nothing else.
pub struct Memcpy(Source);

impl Contender for Memcpy {
    type Reader = InStep;
    const NAME: &'static str = "memcpy";
    const KIND: Kind = Kind::Limit;
    const SHORT_OF: &'static str = IN_STEP;
    const GATED: bool = true;

    fn new(shape: &Shape) -> Result<(Self, Vec<InStep>), String> {
        let (source, readers) = Source::new(shape)?;
        Ok((Self(source), readers))
    }

    #[inline]
    fn publish(&mut self, picture: &Picture, id: u64) -> bool {
        self.0.fill(id, |buffer| buffer.copy_from_slice(picture.pixels()))
    }
}

const IN_STEP: &str = "goes in step with its readers: no frame before all have read the one before";

/// A copy past the cache, and nothing else.
pub struct StreamingCopy(Source);

impl Contender for StreamingCopy {
    type Reader = InStep;
    const NAME: &'static str = "streaming copy";
    const KIND: Kind = Kind::Limit;
    const SHORT_OF: &'static str = IN_STEP;
    const GATED: bool = true;

    fn new(shape: &Shape) -> Result<(Self, Vec<InStep>), String> {
        if !streaming::is_there() {
            return Err("this processor has no streaming stores of 32 bytes".into());
        }
        let (source, readers) = Source::new(shape)?;
        Ok((Self(source), readers))
    }

    #[inline]
    fn publish(&mut self, picture: &Picture, id: u64) -> bool {
        self.0.fill(id, |buffer| streaming::copy(picture.pixels(), buffer))
    }
}

/// A ring without any synchronisation: the copy, the entry, and a plain count of where the newest is.
pub struct Unsynchronised {
    source: Source,
    entries: Vec<FrameEntry>,
    newest: usize,
}

impl Contender for Unsynchronised {
    type Reader = Nobody;
    const NAME: &'static str = "unsynchronised ring";
    const KIND: Kind = Kind::Limit;

    fn new(shape: &Shape) -> Result<(Self, Vec<Nobody>), String> {
        if shape.readers > 0 {
            return Err("nothing tells a reader what it may read".into());
        }
        let (source, _) = Source::new(shape)?;
        Ok((Self { source, entries: vec![FrameEntry::default(); shape.depth + 1], newest: 0 }, Vec::new()))
    }

    #[inline]
    fn publish(&mut self, picture: &Picture, id: u64) -> bool {
        let place = self.source.place;
        self.source.fill(id, |buffer| buffer.copy_from_slice(picture.pixels()));
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
