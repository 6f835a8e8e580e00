//! A borrowed frame as a view of `ndarray` and as a picture of `image`, without a copy; and a copy with tight rows.
//!
//! `cargo run --example ndarray_image`

mod stand_in;

use std::error::Error;
use std::time::Duration;

use image::flat::{FlatSamples, SampleLayout};
use image::{ColorType, GenericImageView, Luma};
use ndarray::{ArrayView2, ShapeBuilder, s};
use vas_lifecycle::{Frame, FrameExport, PlaneView, Settings};

fn main() -> Result<(), Box<dyn Error>> {
    let export = FrameExport::new(Settings::default());
    let mut reader = export.subscribe("gate");
    let _host = stand_in::Cameras::start(&export, &[("gate", 25)]);
    let frame: Frame = reader.wait(Duration::from_secs(5)).ok_or("no frame in time")?;
    let luma = frame.plane(0).ok_or("no planes")?;

    // In place: rows are `stride` bytes apart.
    let view = array(&luma)?;
    let centre = view.slice(s![100..200, 200..400]);
    println!("ndarray: {:?}, mean of the centre {:.1}", view.dim(), centre.mapv(f64::from).mean().unwrap_or(0.0));

    // In place as well.
    let flat = picture(&luma)?;
    let picture = flat.as_view::<Luma<u8>>()?;
    println!("image: {:?}, first pixel {:?}", picture.dimensions(), picture.get_pixel(0, 0));

    // A copy with tight rows, into a buffer of one's own that is used again and again, as inference wants it.
    let mut tight = vec![0; luma.packed_bytes()];
    luma.copy_into(&mut tight)?;
    assert_eq!(tight[luma.row_bytes()..][..10], luma.row_u8(1)?[..10]);
    println!("tight: {} bytes", tight.len());
    Ok(())
}

/// A plane of 8-bit samples.
fn array<'a>(plane: &PlaneView<'a>) -> Result<ArrayView2<'a, u8>, Box<dyn Error>> {
    // Fails for samples that are not bytes, which would be `row_u16`'s.
    plane.row_u8(0)?;
    Ok(ArrayView2::from_shape((plane.height(), plane.row_bytes()).strides((plane.stride(), 1)), plane.bytes())?)
}

/// The same for `image`, which takes 8-bit formats of one, two, three or four channels.
fn picture<'a>(plane: &PlaneView<'a>) -> Result<FlatSamples<&'a [u8]>, Box<dyn Error>> {
    plane.row_u8(0)?;
    let layout = SampleLayout {
        channels: 1,
        channel_stride: 1,
        width: plane.row_bytes().try_into()?,
        width_stride: 1,
        height: plane.height().try_into()?,
        height_stride: plane.stride(),
    };
    Ok(FlatSamples { samples: plane.bytes(), layout, color_hint: Some(ColorType::L8) })
}
