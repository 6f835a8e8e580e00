//! The tap: what happens to a frame that is offered.

use std::panic::{AssertUnwindSafe, catch_unwind};

use vas_ring::{CopyMode, DropCause, FrameSink, Orientation, Rational};

use crate::binding::{Binding, Fields, Frame, RawFrame, TimeBase};
use crate::copy::Copier;
use crate::plan::{Plan, Shape};
use crate::{bounds, clock, orientation, picture};

/// What became of an offered frame.
///
/// ```
/// use vas_ring::DropCause;
/// use vas_tap::Offer;
///
/// fn log(offer: Offer) -> Option<String> {
///     match offer {
///         Offer::Published(_) | Offer::Off => None,
///         Offer::Dropped(DropCause::NoReader | DropCause::Unwanted) => None,
///         Offer::Dropped(cause) => Some(format!("a frame was not exported: {cause}")),
///     }
/// }
/// assert_eq!(log(Offer::Dropped(DropCause::TooLarge)).as_deref(), Some("a frame was not exported: too large"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It is the newest frame of the ring, with this id.
    Published(u64),
    /// It is not, but was counted under this cause.
    Dropped(DropCause),
    /// Export is off. The frame was neither looked at nor counted.
    Off,
}

/// The end of a camera's ring that sits in its decode loop.
///
/// Dropping it drops the sink, which for a ring's writer closes the ring.
///
/// ```
/// use ffmpeg_next::ffi::AVPixelFormat;
/// use ffmpeg_next::format::Pixel;
/// use ffmpeg_next::frame::Video;
/// use vas_ring::{DropCause, HeapMemory, Identity, Ring, RingSpec};
/// use vas_tap::{Offer, Tap};
///
/// let mut frame = Video::new(Pixel::GRAY8, 64, 2);
/// frame.data_mut(0).fill(7);
///
/// let stream = vas_tap::stream_spec(64, 2, AVPixelFormat::from(Pixel::GRAY8) as i32)?;
/// let spec = RingSpec::new(2, 1, 1, stream.frame_bytes)?;
/// let (ring, writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec))?;
/// let mut tap = Tap::new(writer);
///
/// // Nothing is copied for nobody.
/// assert_eq!(tap.offer(&frame), Offer::Dropped(DropCause::NoReader));
///
/// let mut reader = ring.subscribe()?;
/// assert_eq!(tap.offer(&frame), Offer::Published(1));
/// let lease = reader.latest()?.expect("published");
/// assert_eq!(lease.geometry.pixel_format.name(), "gray");
/// assert!(lease.plane(0).expect("one plane").rows().all(|row| row == [7; 64]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Tap<S> {
    sink: S,
    /// How the last frame was copied: as long as frames are alike, they need not be looked into again.
    plan: Option<Plan>,
    time_base: Rational,
    copier: Copier,
    /// The sink panicked. What it is worth since, nobody knows.
    broken: bool,
}

impl<S: FrameSink> Tap<S> {
    /// A tap that writes to `sink`, in the way that the sink asks for.
    pub fn new(sink: S) -> Self {
        let copier = Copier::new(sink.copy_mode());
        Self { sink, plan: None, time_base: Rational::default(), copier, broken: false }
    }

    /// Says what the unit of the frames' presentation times is. Without it, entries carry 0/1: unknown.
    ///
    /// That of the stream that is decoded, for a decoder that passes its packets' times on, as they all do: an
    /// `AVRational` of the host's binding, `ffmpeg_next::Rational`, or `(numerator, denominator)`.
    #[must_use]
    pub fn with_time_base<B>(mut self, time_base: impl TimeBase<B>) -> Self {
        self.time_base = time_base.rational();
        self
    }

    /// Copies in this way, instead of the one that the sink asks for.
    #[must_use]
    pub fn with_copy(mut self, copy: CopyMode) -> Self {
        self.copier = Copier::new(copy);
        self
    }

    /// Where frames go.
    pub fn sink(&self) -> &S {
        &self.sink
    }

    /// Where frames go.
    pub fn sink_mut(&mut self) -> &mut S {
        &mut self.sink
    }

    /// Gives back the sink.
    pub fn into_sink(self) -> S {
        self.sink
    }

    /// Copies a frame into the ring, if export is on, anyone reads, and the frame can be copied. Says what became of
    /// it, which is all that a caller could do about it.
    ///
    /// Takes the frames of `ffmpeg-next`, and those of any other binding that [`binding!`](crate::binding!) was told.
    ///
    /// Reads the clock once, and not at all for a frame that nobody wants. With [`CopyMode::Auto`], one in 16 frames of
    /// 16 KB and more takes two readings more, by which the tap learns how to copy, and one in 256 is copied in another
    /// way, to see what that takes.
    ///
    /// Never fails, blocks, allocates, calls the system or unwinds. Should the sink panic, the tap says
    /// [`Offer::Off`], for good.
    #[inline]
    pub fn offer<B: Binding>(&mut self, frame: &impl Frame<B>) -> Offer {
        if self.sink.is_off() {
            return Offer::Off;
        }
        // SAFETY: null or a frame as FFmpeg made it, while the wrapper is borrowed: the promise of `Frame`.
        unsafe { self.offer_on::<B>(frame.as_av_frame()) }
    }

    /// As [`offer`](Self::offer), for a pointer to a binding's `AVFrame`.
    ///
    /// A null pointer, null planes, and numbers that make no sense are refused, as are planes that do not lie wholly
    /// in one of the frame's buffers, unless none of them has to do with any buffer: such a frame's pixels are not
    /// FFmpeg's, and the caller's word is all that there is.
    ///
    /// # Safety
    ///
    /// `frame` is null or points to an `AVFrame` of the FFmpeg that the binding is linked with. Its `buf`,
    /// `extended_buf` and `side_data` are as FFmpeg makes them; planes that have to do with no buffer have as many
    /// bytes as the frame's format, size and linesizes say. Nobody writes to frame or pixels during the call.
    #[inline]
    pub unsafe fn offer_ptr<F: RawFrame<B>, B: Binding<Frame = F>>(&mut self, frame: *const F) -> Offer {
        if self.sink.is_off() {
            return Offer::Off;
        }
        // SAFETY: passed on.
        unsafe { self.offer_on::<B>(frame) }
    }

    /// # Safety
    ///
    /// As [`offer_ptr`](Self::offer_ptr).
    #[inline(never)]
    unsafe fn offer_on<B: Binding>(&mut self, frame: *const B::Frame) -> Offer {
        if self.broken {
            return Offer::Off;
        }
        // SAFETY: passed on.
        let offered = catch_unwind(AssertUnwindSafe(|| match unsafe { self.try_offer::<B>(frame) } {
            Ok(id) => Offer::Published(id),
            Err(Refusal::Counted(cause)) => Offer::Dropped(cause),
            Err(Refusal::Uncounted(cause)) => {
                self.sink.skip(cause);
                Offer::Dropped(cause)
            }
        }));
        offered.unwrap_or_else(|panic| {
            self.broken = true;
            // Dropping what was thrown might throw again.
            std::mem::forget(panic);
            Offer::Off
        })
    }

    /// The id of the published frame, or why there is none.
    ///
    /// # Safety
    ///
    /// As [`offer_ptr`](Self::offer_ptr).
    unsafe fn try_offer<B: Binding>(&mut self, frame: *const B::Frame) -> Result<u64, Refusal> {
        // Read once at most, and not for a frame that nobody wants.
        let mut time = None;
        let mut now = || *time.get_or_insert_with(clock::monotonic_ns);
        self.sink.demand(&mut now).map_err(Refusal::Uncounted)?;
        let monotonic_ns = now();
        if frame.is_null() {
            return Err(Refusal::Uncounted(DropCause::Malformed));
        }
        // SAFETY: not null, so it points to a frame by the caller's word.
        let fields = unsafe { B::fields(frame) };
        // SAFETY: passed on.
        let (plan, data) = unsafe { plan::<B>(&mut self.plan, &fields) }.map_err(Refusal::Uncounted)?;
        // SAFETY: as above.
        let orientation = unsafe { orientation_of::<B>(frame, &fields) };
        let mut entry = picture::entry(&fields, plan, orientation, self.time_base);
        entry.monotonic_ns = monotonic_ns;

        let bytes = plan.bytes as usize;
        let mut claim = self.sink.claim(bytes).map_err(Refusal::Counted)?;
        let was_leased = claim.was_leased();
        let Some(slot) = claim.pixels_mut().get_mut(..bytes) else {
            // A sink that does not keep its word. Dropping the claim counts the frame.
            return Err(Refusal::Counted(DropCause::Abandoned));
        };
        // SAFETY: `plan` has checked the sources against the frame's buffers as far as these are known, beyond which the
        // caller gives their word. The planes of a layout lie within its bytes, which the slot has; nobody else has the
        // slot, so it is not what is read.
        unsafe { self.copier.copy(slot, was_leased, plan.copies().zip(&data), clock::monotonic_ns) };
        Ok(claim.publish(&entry))
    }
}

/// Why a frame is not published.
enum Refusal {
    /// The sink has counted it.
    Counted(DropCause),
    /// The sink is to count it.
    Uncounted(DropCause),
}

/// The plan for a frame, and where its planes are.
///
/// # Safety
///
/// The fields are those of a frame as [`Tap::offer_ptr`] wants it.
unsafe fn plan<'a, B: Binding>(
    kept: &'a mut Option<Plan>,
    fields: &Fields,
) -> Result<(&'a Plan, [*const u8; 4]), DropCause> {
    if fields.has_hw_frames_ctx {
        return Err(DropCause::Hardware);
    }
    let shape = Shape::of(fields);
    if !kept.as_ref().is_some_and(|plan| plan.shape == shape) {
        *kept = None;
        *kept = Some(Plan::new::<B>(&shape)?);
    }
    let Some(plan) = kept else { return Err(DropCause::Malformed) };
    // SAFETY: passed on.
    let data = unsafe { bounds::planes::<B>(fields, plan) }.ok_or(DropCause::Malformed)?;
    Ok((plan, data))
}

/// How the frame is to be turned for display.
///
/// # Safety
///
/// As [`Tap::offer_ptr`]; the fields are the frame's.
unsafe fn orientation_of<B: Binding>(frame: *const B::Frame, fields: &Fields) -> Orientation {
    if !fields.has_side_data {
        return Orientation::UNSPECIFIED;
    }
    // SAFETY: passed on.
    match unsafe { B::side_data(frame, orientation::DISPLAY_MATRIX) } {
        None => Orientation::UNSPECIFIED,
        Some((data, _)) if data.is_null() => Orientation::OTHER,
        // SAFETY: as many bytes as the side data say, by the caller's word.
        Some((data, size)) => orientation::of_matrix(unsafe { core::slice::from_raw_parts(data, size) }),
    }
}
