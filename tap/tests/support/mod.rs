//! What the tests of the tap have in common.
#![allow(dead_code, reason = "each test uses some of it")]

pub(crate) mod guarded;

use std::ffi::CStr;
use std::ptr;

use ffmpeg_next::ffi::{
    AV_PIX_FMT_FLAG_BITSTREAM, AVFrame, AVPixFmtDescriptor, AVPixelFormat, av_frame_alloc, av_frame_free,
    av_image_get_linesize, av_pix_fmt_desc_get_id, av_pix_fmt_desc_next,
};
use vas_ring::{HeapMemory, Identity, Lease, Ring, RingSpec, Writer};
use vas_tap::Tap;

/// A ring for one reader, and a tap into it.
pub(crate) fn tap(frame_bytes: usize) -> (Ring, Tap<Writer>) {
    let spec = RingSpec::new(1, 1, 1, frame_bytes).unwrap();
    let (ring, writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec)).unwrap();
    (ring, Tap::new(writer))
}

/// Numbers that look random, and are the same each time.
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// xorshift64*
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }

    pub(crate) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    pub(crate) fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n.div_ceil(8)).flat_map(|_| self.next().to_ne_bytes()).take(n).collect()
    }
}

/// A pixel format, as FFmpeg's list of them has it.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    pub(crate) id: AVPixelFormat,
    pub(crate) descriptor: &'static AVPixFmtDescriptor,
}

impl Known {
    /// All that this FFmpeg has.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        let mut at = ptr::null();
        // SAFETY: the list is the library's, constant, and ends in null.
        while let Some(descriptor) = unsafe { av_pix_fmt_desc_next(at).as_ref() } {
            // SAFETY: as above.
            all.push(Self { id: unsafe { av_pix_fmt_desc_get_id(descriptor) }, descriptor });
            at = descriptor;
        }
        all
    }

    pub(crate) fn name(&self) -> &'static str {
        // SAFETY: a constant string of the library's.
        unsafe { CStr::from_ptr(self.descriptor.name) }.to_str().unwrap()
    }

    pub(crate) fn has(&self, flag: i32) -> bool {
        self.descriptor.flags & flag as u64 != 0
    }

    /// Whether pixels begin within bytes: of the formats that FFmpeg calls bitstreams, all but those, of later versions,
    /// whose pixels are words.
    pub(crate) fn splits_bytes(&self) -> bool {
        self.has(AV_PIX_FMT_FLAG_BITSTREAM) && self.descriptor.comp[0].step != 32
    }

    pub(crate) fn number(&self) -> i32 {
        self.id as i32
    }

    /// Bytes and number of the rows of each plane, as FFmpeg copies them.
    pub(crate) fn planes(&self, width: u32, height: u32) -> Vec<(usize, usize)> {
        let components = &self.descriptor.comp[..usize::from(self.descriptor.nb_components)];
        let planes = components.iter().map(|component| component.plane).max().unwrap() + 1;
        let mut rows: Vec<_> = (0..planes)
            .map(|plane| {
                // SAFETY: takes numbers only.
                let bytes = unsafe { av_image_get_linesize(self.id, width as i32, plane) };
                let shift = if plane == 1 || plane == 2 { self.descriptor.log2_chroma_h } else { 0 };
                (bytes as usize, height.div_ceil(1 << shift) as usize)
            })
            .collect();
        if self.has(ffmpeg_next::ffi::AV_PIX_FMT_FLAG_PAL) {
            rows.push((1024, 1));
        }
        rows
    }
}

/// Whether several pixels of the first plane share chroma samples in it.
pub(crate) fn packs_chroma(format: &Known) -> bool {
    format.planes(2, 1).len() == 1 && format.descriptor.log2_chroma_w > 0
}

/// A frame whose fields a test sets as it likes. It owns nothing but itself.
pub(crate) struct RawFrame(*mut AVFrame);

impl RawFrame {
    pub(crate) fn new(format: i32, width: u32, height: u32) -> Self {
        // SAFETY: a fresh frame.
        unsafe {
            let frame = av_frame_alloc();
            assert!(!frame.is_null());
            (*frame).format = format;
            (*frame).width = width as i32;
            (*frame).height = height as i32;
            Self(frame)
        }
    }

    pub(crate) fn as_ptr(&self) -> *mut AVFrame {
        self.0
    }

    /// All bytes of the struct.
    pub(crate) fn bits(&self) -> Vec<u8> {
        let words = size_of::<AVFrame>() / 8;
        // SAFETY: allocated zeroed, so padding is initialised too; read whole words.
        unsafe { std::slice::from_raw_parts(self.0.cast::<u64>(), words) }
            .iter()
            .flat_map(|word| word.to_ne_bytes())
            .collect()
    }
}

impl Drop for RawFrame {
    fn drop(&mut self) {
        // SAFETY: allocated by `new`. What tests put into it, they take out again if it is not reference-counted.
        unsafe { av_frame_free(&mut self.0) };
    }
}

/// All rows of a borrowed frame, without padding.
pub(crate) fn packed(lease: &Lease) -> Vec<u8> {
    let mut bytes = Vec::new();
    for plane in 0..lease.planes().len() {
        lease.plane(plane).unwrap().rows().for_each(|row| bytes.extend_from_slice(row));
    }
    bytes
}
