//! The copy of a frame into its slot: three kernels, and which of them copies it.
//!
//! *Cached* is the ordinary copy. It brings the slot's lines into this core's cache, from wherever they are. *Streaming*
//! stores past the cache: it spares the way, and the reader has to fetch everything from memory. The *fast string* copy
//! is the processor's own: it spares the way and leaves the lines in the cache, for planes in one piece.
//!
//! Slots whose last frame a reader had are in the reader's cache. A store that goes through the cache has each line
//! fetched from there first, which takes as long as the two cores are apart. Large frames do not stay in this core's share of the cache
//! until their slot's turn comes again. So which kernel is the cheapest depends on the machine and on where the readers
//! run, and [`CopyMode::Auto`] finds it out: see [`learner`]. Until it has, it uses the fast string copy where there is
//! one, and streams slots that were leased and large frames where not. Small frames are always copied by the ordinary
//! one, and never timed.
//!
//! On a Zen 5, the writer's copy into leased slots in us, the reader 24 ns away and 180 ns; then rows with gaps:
//!
//! | | cached | fast string | streaming | rows, cached | rows, streaming |
//! |---|---|---|---|---|---|
//! | 360p | 4.5, 7.5 | 4.5, 7.5 | 7.5, 7.9 | 6.2, 38 | 7.5, 7.8 |
//! | 1080p | 69, 190 | 59, 72 | 77, 73 | 115, 157 | 79, 75 |
//! | 4K | 575, 660 | 438, 447 | 428, 429 | 794, 843 | 528, 424 |
//!
//! The reader's first look at 1080p takes 31, 32 and 71 us near, and 74 far, whatever the kernel.
//!
//! What was tried and is no use: ordinary stores of 32 and 64 bytes, with and without the destination prefetched for
//! writing (up to 1.1 times faster for rows of small frames, slower for large ones), and streaming stores of 32 and 64
//! bytes (the same within 4 %).

use vas_ring::{CopyMode, Plane};

use crate::plan::Source;

mod fast_string;
mod kernel;
mod learner;
mod streaming;

use fast_string::FastString;
use kernel::{Kernel, Rows};
use learner::{Choice, Learner};
use streaming::Streaming;

/// Bytes of a frame from which `CopyMode::Auto` chooses: smaller ones are in a reader's cache sooner than they are
/// written to memory.
const CHOSEN: usize = 16 << 10;

/// Bytes of a frame from which streaming is usual into any slot: just below 1920x1080 in 4:2:0 at 8 bits.
///
/// Measured on 32 MiB of third-level cache, shared with others: with 5 slots in turn an ordinary copy of 1.4 MB takes
/// 0.6 to 1.0 of a streaming one's time, of 3.1 MB 1.0 to 1.4, of 8 MB and more 1.2 to 1.6.
const LARGE: usize = 3_000_000;

/// Copies frames, and learns how.
#[derive(Debug)]
pub(crate) struct Copier {
    mode: CopyMode,
    fast_string: Option<FastString>,
    learner: Learner,
}

impl Copier {
    pub(crate) fn new(mode: CopyMode) -> Self {
        Self { mode, fast_string: FastString::find(), learner: Learner::default() }
    }

    /// Copies the planes of a frame, each from its address in the frame, into a slot of which another core may hold the
    /// lines. Reads the clock when this copy is one of the few that are timed.
    ///
    /// # Safety
    ///
    /// The sources' rows, counted from the addresses, may be read, and nobody writes to them or to the slot. The planes
    /// are those of a layout within the slot: offsets and strides are whole lines, and there is a row.
    #[inline]
    pub(crate) unsafe fn copy<'p>(
        &mut self,
        slot: &mut [u8],
        was_leased: bool,
        planes: impl Iterator<Item = ((&'p Plane, &'p Source), &'p *const u8)> + Clone,
        now: impl Fn() -> u64,
    ) {
        let (bytes, slot) = (slot.len(), slot.as_mut_ptr());
        // SAFETY: passed on.
        let rows = planes.map(|((plane, source), &data)| unsafe { Rows::new(data, source, slot, plane) });
        let fixed = self.fixed(slot, bytes, was_leased);
        let choice = match self.mode {
            CopyMode::Auto if bytes >= CHOSEN => self.choose(slot, bytes, was_leased, rows.clone().next(), fixed),
            _ => Choice { kernel: fixed, timed: false },
        };
        let start = if choice.timed { now() } else { 0 };
        let mut streaming = None;
        for rows in rows {
            let kernel = match choice.kernel {
                // The planes of a frame are nearly always alike.
                Kernel::FastString(fast) if !rows.suit(fast) => fixed,
                kernel => kernel,
            };
            if let Kernel::Streaming(kernel) = kernel {
                streaming = Some(kernel);
            }
            // SAFETY: passed on. A streaming kernel is chosen for an aligned slot only, and so are a layout's planes.
            unsafe { kernel.copy(&rows) };
        }
        if let Some(streaming) = streaming {
            streaming.fence();
        }
        if choice.timed {
            self.learner.learn(bytes, was_leased, choice.kernel, now().saturating_sub(start));
        }
    }

    /// The kernel of the mode, which for `Auto` is the one to use where nothing is known.
    #[inline]
    fn fixed(&self, slot: *const u8, bytes: usize, was_leased: bool) -> Kernel {
        let wanted = match self.mode {
            CopyMode::Auto => bytes >= CHOSEN && was_leased || bytes >= LARGE,
            CopyMode::Cached => false,
            CopyMode::Streaming => true,
        };
        streaming_to(slot).filter(|_| wanted).map_or(Kernel::Cached, Kernel::Streaming)
    }

    fn choose(
        &mut self,
        slot: *const u8,
        bytes: usize,
        was_leased: bool,
        first: Option<Rows>,
        fixed: Kernel,
    ) -> Choice {
        let fast = self.fast_string.filter(|&kernel| first.is_some_and(|rows| rows.suit(kernel)));
        let (fast, streaming) = (fast.map(Kernel::FastString), streaming_to(slot).map(Kernel::Streaming));
        // What readers like best comes first: lines that are in a cache, and in no other core's if that can be.
        let candidates: &[Kernel] = match (fast, streaming) {
            (Some(fast), Some(streaming)) => &[fast, Kernel::Cached, streaming],
            (Some(kernel), None) => &[kernel, Kernel::Cached],
            (None, Some(kernel)) => &[Kernel::Cached, kernel],
            (None, None) => &[Kernel::Cached],
        };
        self.learner.choose(bytes, was_leased, candidates, fast.unwrap_or(fixed))
    }
}

/// The streaming kernel for a slot. A ring's slots are aligned; other sinks are not taken at their word.
#[inline]
fn streaming_to(slot: *const u8) -> Option<Streaming> {
    Streaming::AVAILABLE.filter(|_| slot.addr() & (streaming::LINE - 1) == 0)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Frames of one plane of so many lines, copied one after the other.
    struct Frames {
        copier: Copier,
        source: Vec<u8>,
        slot: Vec<u8>,
        start: usize,
        clock: Cell<u64>,
    }

    impl Frames {
        fn new(mode: CopyMode, bytes: usize) -> Self {
            let slot = vec![0; bytes + 4096];
            let start = slot.as_ptr().align_offset(4096);
            let source = (0..bytes + 4096).map(|n| (n % 251) as u8).collect();
            Self { copier: Copier::new(mode), source, slot, start, clock: Cell::new(0) }
        }

        fn copy(&mut self, bytes: usize, was_leased: bool) {
            let stride = streaming::LINE;
            let plane =
                Plane { offset: 0, stride: stride as u32, row_bytes: stride as u32, rows: (bytes / stride) as u32 };
            let source = Source { first: 0, stride: stride as isize, ..Source::default() };
            let slot = &mut self.slot[self.start..][..bytes];
            slot.fill(0);
            let now = || {
                self.clock.set(self.clock.get() + 1);
                self.clock.get()
            };
            let planes = [((&plane, &source), &self.source.as_ptr())];
            // SAFETY: both have more bytes than the rows.
            unsafe { self.copier.copy(slot, was_leased, planes.into_iter(), now) };
            assert!(slot == &self.source[..bytes]);
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_fixed_rule() {
        let aligned = std::ptr::without_provenance::<u8>(4096);
        let streams =
            |mode, slot, bytes, leased| matches!(Copier::new(mode).fixed(slot, bytes, leased), Kernel::Streaming(_));
        assert!(!streams(CopyMode::Auto, aligned, LARGE - 1, false));
        assert!(streams(CopyMode::Auto, aligned, LARGE, false));
        assert!(streams(CopyMode::Auto, aligned, CHOSEN, true));
        assert!(!streams(CopyMode::Auto, aligned, CHOSEN - 1, true), "small frames");
        assert!(!streams(CopyMode::Cached, aligned, LARGE, true));
        assert!(streams(CopyMode::Streaming, aligned, 64, false));
        assert!(!streams(CopyMode::Streaming, std::ptr::without_provenance(4096 + 32), LARGE, true));
    }

    /// Frames come out right whichever kernel the learner takes, and few of them are timed: small ones never, nor those
    /// of a mode that leaves no choice.
    #[test]
    fn few_copies_are_timed() {
        const FRAMES: u64 = 3_000;
        for mode in CopyMode::ALL {
            for (bytes, chosen) in [(64, false), (CHOSEN - 64, false), (CHOSEN, true), (3 * CHOSEN, true)] {
                let mut frames = Frames::new(mode, bytes);
                (0..FRAMES).for_each(|n| frames.copy(bytes, n % 3 == 0));
                let (readings, chosen) = (frames.clock.get(), chosen && mode == CopyMode::Auto);
                let most = if chosen && Streaming::AVAILABLE.is_some() { FRAMES / 6 } else { 0 };
                assert!(readings <= most && (readings > 0) == (most > 0), "{readings} readings, {mode}, {bytes} bytes");
            }
        }
    }
}
