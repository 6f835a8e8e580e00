//! Pixel formats: where each sample of a picture is, and which of its bits are the value.

use core::fmt;
use core::str;

use static_assertions::const_assert_eq;

use crate::pod::plain_old_data;

/// How the samples of a picture are laid out, told so that a reader needs no FFmpeg to understand it.
///
/// Each component - luma and two of chroma, or red, green and blue, then alpha - says in which plane its samples are
/// and which bits of which bytes. That is all that [`ComponentView`](crate::ComponentView) goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct PixelFormat {
    name: [u8; 16],
    /// FFmpeg's `AVPixelFormat` number, which differs between major versions of FFmpeg: the name does not.
    pub ffmpeg: i32,
    components: [Component; 4],
    /// Planes of the picture, a palette included: 1 to 4.
    pub planes: u8,
    /// `log2` of the chroma subsampling: across in the low four bits, down in the high four.
    chroma_shift: u8,
    /// See the constants.
    pub traits: u16,
}

const_assert_eq!(size_of::<PixelFormat>(), 44);

impl PixelFormat {
    /// Words of more than 8 bits have their most significant byte first.
    pub const BIG_ENDIAN: u16 = 1;
    /// Components are red, green and blue (or a Bayer mosaic of them), not luma and chroma.
    pub const RGB: u16 = 1 << 1;
    /// There is an alpha component, the last one; of a palette's format, in the palette.
    pub const ALPHA: u16 = 1 << 2;
    /// Samples index the palette, which is the last plane: 256 entries of four bytes in native-endian ARGB.
    pub const PALETTE: u16 = 1 << 3;
    /// Samples are floating-point numbers of IEEE 754, of 16 or 32 bits.
    pub const FLOAT: u16 = 1 << 4;
    /// Samples are a Bayer mosaic: one component, whose samples are of the colour that [`mosaic`](Self::mosaic) says.
    pub const BAYER: u16 = 1 << 5;
    /// Each component has a plane of its own.
    pub const PLANAR: u16 = 1 << 6;

    /// A format called `name` in FFmpeg's words, cut after 16 bytes, with up to four components.
    ///
    /// `chroma_shift` is the `log2` of the chroma subsampling across and down, each at most 15.
    pub fn new(
        name: &str,
        ffmpeg: i32,
        planes: u8,
        components: &[Component],
        chroma_shift: (u8, u8),
        traits: u16,
    ) -> Self {
        let mut bytes = [0; 16];
        for (byte, from) in bytes.iter_mut().zip(name.bytes()) {
            *byte = from;
        }
        let mut four = [Component::default(); 4];
        for (component, from) in four.iter_mut().zip(components) {
            *component = *from;
        }
        let chroma_shift = chroma_shift.0 & 15 | chroma_shift.1 << 4;
        Self { name: bytes, ffmpeg, components: four, planes, chroma_shift, traits }
    }

    /// FFmpeg's name, for instance `yuv420p`. Empty when none was given.
    pub fn name(&self) -> &str {
        let n = self.name.iter().position(|&b| b == 0).unwrap_or(self.name.len());
        str::from_utf8(&self.name[..n]).unwrap_or_default()
    }

    /// Whether all of `traits` hold.
    pub fn has(&self, traits: u16) -> bool {
        self.traits & traits == traits
    }

    /// The components, in FFmpeg's order: luma, Cb, Cr or red, green, blue, then alpha. One for grey, for a palette's
    /// indices and for a mosaic.
    pub fn components(&self) -> &[Component] {
        let n = self.components.iter().position(|component| component.depth == 0).unwrap_or(self.components.len());
        &self.components[..n]
    }

    /// Significant bits of a sample of the first component; 0 when there is none.
    pub fn depth(&self) -> u8 {
        self.components[0].depth
    }

    /// `log2` of the chroma subsampling, across and down.
    pub fn chroma_shift(&self) -> (u8, u8) {
        (self.chroma_shift & 15, self.chroma_shift >> 4)
    }

    /// `log2` of the pixels of a row that share a sample of a component: chroma's for the second and third component.
    pub(crate) fn shift_across(&self, component: usize) -> u8 {
        if component == 1 || component == 2 { self.chroma_shift().0 } else { 0 }
    }

    /// Of a Bayer mosaic, the colours of its square of two by two samples, the upper row first: `rggb` for one that
    /// begins with red. It begins so at the first sample of each frame, cropped or not.
    pub fn mosaic(&self) -> Option<&str> {
        let name = self.name().strip_prefix("bayer_").filter(|_| self.has(Self::BAYER))?;
        name.get(..4)
    }
}

impl fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where the samples of one component are, as in FFmpeg's `AVComponentDescriptor`, except that bytes and bits are
/// counted alike for all formats.
///
/// Sample `x` of a row is a word of [`word_bytes`](Self::word_bytes) bytes, `offset + x * step` bytes from the start of
/// the row, in the format's byte order. Its value is `depth` bits of that word, the lowest of which is bit `shift`. So
/// `p010le` has a depth of 10 and a shift of 6, and the green of `rgb565le` a depth of 6 and a shift of 5, in a word
/// that other components share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Component {
    /// The plane.
    pub plane: u8,
    /// Bytes from the start of a row to the first sample's word.
    pub offset: u8,
    /// Bytes from one sample's word to the next one's; 0 when these distances differ, as for the luma of `uyyvyy411`.
    pub step: u8,
    /// Bits of the word below the sample.
    pub shift: u8,
    /// Bits of the sample; 0 when there is no such component.
    pub depth: u8,
}

const_assert_eq!(size_of::<Component>(), 5);

impl Component {
    /// A component that has `plane` for itself, each sample of `depth` bits in the low end of a word.
    pub const fn alone(plane: u8, depth: u8) -> Self {
        let component = Self { plane, offset: 0, step: 0, shift: 0, depth };
        Self { step: component.word_bytes() as u8, ..component }
    }

    /// Bytes of the word that holds a sample: 1, 2, 4 or 8, the fewest that do.
    pub const fn word_bytes(&self) -> usize {
        match self.shift as u32 + self.depth as u32 {
            0..=8 => 1,
            9..=16 => 2,
            17..=32 => 4,
            _ => 8,
        }
    }

    /// Whether the words of `self` and `other`, of one plane, have a byte in common.
    pub(crate) fn shares_words_with(&self, other: &Self) -> bool {
        let (a, b) = (usize::from(self.offset), usize::from(other.offset));
        a < b + other.word_bytes() && b < a + self.word_bytes()
    }
}

plain_old_data! {
    PixelFormat {
        name: [u8; 16], ffmpeg: i32, components: [Component; 4], planes: u8, chroma_shift: u8, traits: u16
    }
    Component { plane: u8, offset: u8, step: u8, shift: u8, depth: u8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let word = |shift, depth| Component { shift, depth, ..Component::default() }.word_bytes();
        assert_eq!([word(0, 8), word(3, 5), word(0, 10), word(6, 10), word(0, 16)], [1, 1, 2, 2, 2]);
        assert_eq!([word(10, 10), word(0, 32), word(1, 32), word(255, 255)], [4, 4, 8, 8]);
        assert_eq!(Component::alone(2, 12), Component { plane: 2, offset: 0, step: 2, shift: 0, depth: 12 });
    }

    #[test]
    fn components_end_where_depths_do() {
        let format = PixelFormat::new("gray", -1, 1, &[Component::alone(0, 8)], (0, 0), 0);
        assert_eq!((format.components().len(), format.depth()), (1, 8));
        assert_eq!(PixelFormat::default().components(), []);
        let five = PixelFormat::new(&"n".repeat(20), -1, 1, &[Component::alone(0, 8); 5], (0, 0), 0);
        assert_eq!((five.components().len(), five.name().len()), (4, 16));
    }

    #[test]
    fn mosaics() {
        let format = |name, traits| PixelFormat::new(name, -1, 1, &[Component::alone(0, 16)], (0, 0), traits);
        assert_eq!(format("bayer_rggb16le", PixelFormat::BAYER).mosaic(), Some("rggb"));
        assert_eq!(format("bayer_rggb16le", 0).mosaic(), None);
        assert_eq!(format("bayer_", PixelFormat::BAYER).mosaic(), None);
        assert_eq!(format("gray16le", 0).mosaic(), None);
    }
}
