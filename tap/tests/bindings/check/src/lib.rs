//! What the programs of this folder have in common: clips, a ring, and the comparison of each frame that a reader borrows
//! with the planes of the decoder's own frame.

use std::path::{Path, PathBuf};

pub use vas_ring::Writer;
use vas_ring::{HeapMemory, Identity, Reader, Ring, RingSpec};
use vas_tap::Offer;

/// A clip of `yuv420p` pictures.
pub struct Clip {
    name: &'static str,
    frames: u64,
    width: i32,
    height: i32,
}

/// The clips, each to be decoded to its end.
pub const CLIPS: [Clip; 2] = [
    Clip { name: "bigbuckbunny.mp4", frames: 132, width: 1280, height: 720 },
    Clip { name: "sintel-captions.ts", frames: 240, width: 400, height: 170 },
];

impl Clip {
    /// Where it is.
    pub fn path(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../clips").join(self.name)
    }
}

/// What a decoder's frame says of itself, as one binding sees it: see [`picture!`].
pub struct Picture {
    /// `data`.
    pub data: [*mut u8; 8],
    /// `linesize`.
    pub linesize: [i32; 8],
    /// `width`.
    pub width: i32,
    /// `height`.
    pub height: i32,
    /// `pts`.
    pub pts: i64,
}

/// The [`Picture`] of an `AVFrame`, by the fields of the binding's own struct. Takes the frame's pointer.
#[macro_export]
macro_rules! picture {
    ($frame:expr) => {{
        let frame = $frame;
        // SAFETY: plain fields of a decoded frame.
        unsafe {
            $crate::Picture {
                data: (*frame).data,
                linesize: (*frame).linesize,
                width: (*frame).width,
                height: (*frame).height,
                pts: (*frame).pts,
            }
        }
    }};
}

/// The comparison of one clip.
pub struct Check {
    clip: &'static Clip,
    time_base: (i32, i32),
    reader: Reader,
    compared: u64,
}

impl Check {
    /// The comparison, and the end of the ring that the frames are to be written to. The time base is the stream's.
    pub fn new(clip: &'static Clip, time_base: (i32, i32)) -> (Self, Writer) {
        let spec = RingSpec::new(1, 1, 1, 2 << 20).expect("a small ring");
        let (ring, writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec)).expect("a small ring");
        let reader = ring.subscribe().expect("the only reader");
        (Self { clip, time_base, reader, compared: 0 }, writer)
    }

    /// Compares the frame that has just been offered.
    ///
    /// # Safety
    ///
    /// The picture is that of a decoded frame, which is still there.
    pub unsafe fn frame(&mut self, offer: Offer, picture: &Picture) {
        let (name, n) = (self.clip.name, self.compared);
        assert_eq!(offer, Offer::Published(n), "{name}");
        let lease = self.reader.latest().expect("a frame").expect("a new frame");
        assert_eq!((lease.frame_id, lease.raw_pts), (n, picture.pts), "{name}");
        assert_eq!((lease.time_base.num, lease.time_base.den), self.time_base, "{name}");

        assert_eq!((picture.width, picture.height), (self.clip.width, self.clip.height), "{name}");
        assert_eq!((lease.geometry.width as i32, lease.geometry.height as i32), (picture.width, picture.height));
        assert_eq!(lease.geometry.pixel_format.name(), "yuv420p", "{name}");
        assert_eq!(lease.planes().len(), 3, "{name}");
        for plane in 0..3 {
            let halved = |size: i32| if plane == 0 { size as usize } else { (size as usize).div_ceil(2) };
            let rows = lease.plane(plane).expect("a plane").rows();
            assert_eq!(rows.len(), halved(picture.height), "{name}: rows of plane {plane}");
            for (y, row) in rows.enumerate() {
                // SAFETY: a row of a decoded frame, by the caller's word.
                let expected = unsafe {
                    let start = picture.data[plane].offset(y as isize * picture.linesize[plane] as isize);
                    std::slice::from_raw_parts(start, halved(picture.width))
                };
                assert!(row == expected, "{name}: frame {n}, plane {plane}, row {y} is another");
            }
        }
        self.compared += 1;
    }

    /// The clip is at its end.
    pub fn end(&self) {
        assert_eq!(self.compared, self.clip.frames, "{}: frames", self.clip.name);
        println!("{}: {} frames are those of the decoder", self.clip.name, self.compared);
    }
}
