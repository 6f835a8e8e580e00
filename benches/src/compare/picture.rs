//! Frames to publish, whose every line tells whose it is.

use std::sync::atomic::{AtomicU64, Ordering};

use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video;
use vas_ring::FrameEntry;

const LINE: usize = 64;

/// How many pictures take turns. More than a decoder's pool has in hand, and prime to the number of buffers that most
/// contenders turn over, so that a buffer gets another picture each time.
pub const PICTURES: usize = 4;

/// A size and format of pictures whose rows fill whole lines, so that they lie in the ring as they do in one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// For tables.
    pub name: &'static str,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// With two planes of chroma, a quarter each, or without.
    pub chroma: bool,
}

/// As many bytes as 176x144 in 4:2:0, in rows that fill lines.
pub const LITTLE: Size = Size { name: "38 KB", width: 128, height: 198, chroma: true };
/// 640x360 in 4:2:0.
pub const SMALL: Size = Size { name: "360p", width: 640, height: 360, chroma: true };
/// 1920x1080 in 4:2:0.
pub const FULL: Size = Size { name: "1080p", width: 1920, height: 1080, chroma: true };
/// 3840x2160 in 4:2:0.
pub const LARGE: Size = Size { name: "4K", width: 3840, height: 2160, chroma: true };
/// One line: what is left when there is nothing to copy.
pub const TINY: Size = Size { name: "64 bytes", width: 64, height: 1, chroma: false };

impl Size {
    /// Bytes of a frame.
    pub const fn bytes(&self) -> usize {
        let luma = self.width as usize * self.height as usize;
        if self.chroma { luma + luma / 2 } else { luma }
    }

    /// Pictures of this size.
    pub fn pictures(&self) -> Vec<Picture> {
        (0..PICTURES).map(|number| Picture::new(*self, number)).collect()
    }
}

/// One picture: as bytes in one piece, and as the frame of a decoder over the same bytes.
pub struct Picture {
    memory: Vec<u8>,
    start: usize,
    bytes: usize,
    entry: FrameEntry,
    video: Video,
}

impl Picture {
    fn new(size: Size, number: usize) -> Self {
        let bytes = size.bytes();
        let mut memory = vec![0; bytes + LINE];
        let start = memory.as_ptr().align_offset(LINE);
        for (n, line) in memory[start..start + bytes].chunks_mut(LINE).enumerate() {
            let mut rest = number as u64 + 1;
            for byte in &mut *line {
                rest = rest.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(n as u64 | 1);
                *byte = (rest >> 56) as u8;
            }
            line[..8].copy_from_slice(&word(number as u64, n).to_le_bytes());
        }
        let entry = FrameEntry { bytes: bytes as u32, ..FrameEntry::default() };
        let video = video_over(&memory[start..], size);
        Self { memory, start, bytes, entry, video }
    }

    /// The pixels.
    #[inline]
    pub fn pixels(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.bytes]
    }

    /// What is known of the picture.
    #[inline]
    pub fn entry(&self) -> &FrameEntry {
        &self.entry
    }

    /// The picture as a decoder's frame.
    #[inline]
    pub fn video(&self) -> &Video {
        &self.video
    }
}

/// The word that a line begins with.
fn word(picture: u64, line: usize) -> u64 {
    picture << 32 | line as u64
}

/// A frame that borrows its planes, as one whose buffers are the host's own does.
fn video_over(pixels: &[u8], size: Size) -> Video {
    let mut video = Video::empty();
    let luma = size.width as usize * size.height as usize;
    let planes = if size.chroma {
        vec![(0, size.width), (luma, size.width / 2), (luma + luma / 4, size.width / 2)]
    } else {
        vec![(0, size.width)]
    };
    let format = if size.chroma { Pixel::YUV420P } else { Pixel::GRAY8 };
    // SAFETY: a frame that was just allocated, whose plain fields are set. It has no buffers to free, and is dropped
    // before the pixels that it points to, which nobody writes.
    unsafe {
        let frame = video.as_mut_ptr();
        (*frame).format = ffmpeg_next::ffi::AVPixelFormat::from(format) as i32;
        ((*frame).width, (*frame).height) = (size.width as i32, size.height as i32);
        for (n, (offset, linesize)) in planes.into_iter().enumerate() {
            (*frame).data[n] = pixels.as_ptr().add(offset).cast_mut();
            (*frame).linesize[n] = linesize as i32;
        }
    }
    video
}

/// Reads the first word of every line, as a reader does that looks at the whole picture. Returns which picture it is,
/// or none when its lines are not all of one.
#[inline]
pub fn recognise(pixels: &[u8]) -> Option<u64> {
    let first = line_word(pixels)? >> 32;
    let mut wrong = 0;
    for (n, line) in pixels.chunks_exact(LINE).enumerate() {
        wrong |= line_word(line)? ^ word(first, n);
    }
    (wrong == 0).then_some(first)
}

#[inline]
fn line_word(line: &[u8]) -> Option<u64> {
    line.first_chunk().map(|word| u64::from_le_bytes(*word))
}

/// Frames that were not the ones that their ids said, or were made of several.
#[derive(Debug, Default)]
pub struct Torn(AtomicU64);

impl Torn {
    /// Looks at a frame.
    #[inline]
    pub fn inspect(&self, frame_id: u64, pixels: &[u8]) {
        if recognise(pixels) != Some(frame_id % PICTURES as u64) {
            // Ordering: Relaxed, a count.
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_two_pictures_is_torn() {
        let pictures = SMALL.pictures();
        assert_eq!(recognise(pictures[2].pixels()), Some(2));
        let torn = Torn::default();
        torn.inspect(6, pictures[2].pixels());
        assert_eq!(torn.count(), 0);
        let mut mixed = pictures[2].pixels().to_vec();
        let last = mixed.len() - LINE;
        mixed[last..].copy_from_slice(&pictures[1].pixels()[last..]);
        torn.inspect(6, &mixed);
        torn.inspect(5, pictures[2].pixels());
        assert_eq!(torn.count(), 2, "made of two, and another's");
    }
}
