//! Pictures as PNG, written and read.

use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use png::{BitDepth, ColorType, Decoder, Encoder};

use super::Picture;

impl Picture {
    /// Writes the picture to a file, over what was there.
    ///
    /// # Errors
    ///
    /// When the file cannot be written, and for a picture without pixels.
    pub fn write_png(&self, path: impl AsRef<Path>) -> Result<(), PngError> {
        let path = path.as_ref();
        let write = || -> Result<(), Box<dyn Error + Send + Sync>> {
            let mut file = BufWriter::new(File::create(path)?);
            let mut encoder = Encoder::new(&mut file, u32::try_from(self.width)?, u32::try_from(self.height)?);
            encoder.set_color(ColorType::Rgb);
            encoder.set_depth(BitDepth::Eight);
            let mut writer = encoder.write_header()?;
            writer.write_image_data(&self.rgb)?;
            writer.finish()?;
            Ok(file.flush()?)
        };
        write().map_err(|cause| PngError { doing: "write", path: path.to_owned(), cause })
    }

    /// Reads a picture of 8-bit RGB samples from a file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, and when it holds anything else.
    pub fn read_png(path: impl AsRef<Path>) -> Result<Self, PngError> {
        let path = path.as_ref();
        let read = || -> Result<Self, Box<dyn Error + Send + Sync>> {
            let mut reader = Decoder::new(BufReader::new(File::open(path)?)).read_info()?;
            let size = reader.output_buffer_size().ok_or("the picture is too large")?;
            let mut rgb = vec![0; size];
            let info = reader.next_frame(&mut rgb)?;
            if (info.color_type, info.bit_depth) != (ColorType::Rgb, BitDepth::Eight) {
                let (color, depth) = (info.color_type, info.bit_depth);
                return Err(format!("its samples are {color:?} of depth {depth:?}, needed are RGB of depth 8").into());
            }
            Ok(Self { width: info.width.try_into()?, height: info.height.try_into()?, rgb })
        };
        read().map_err(|cause| PngError { doing: "read", path: path.to_owned(), cause })
    }
}

/// Why a PNG file was not written or read.
#[derive(Debug)]
pub struct PngError {
    doing: &'static str,
    path: PathBuf,
    cause: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for PngError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} the picture {}: {}", self.doing, self.path.display(), self.cause)
    }
}

impl Error for PngError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}
