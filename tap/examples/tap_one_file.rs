//! The smallest host: decodes a file, taps it, and reads what it taps.
//!
//!     cargo run -p vas-tap --example tap_one_file -- reader-testkit/clips/bigbuckbunny.mp4

use std::error::Error;

use ffmpeg_next::frame::Video;
use ffmpeg_next::{codec, format, media};
use vas_ring::{HeapMemory, Identity, Reader, Ring, RingSpec};
use vas_tap::{Offer, Tap};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("which file? give its path")?;
    ffmpeg_next::init()?;
    let mut input = format::input(&path)?;
    let stream = input.streams().best(media::Type::Video).ok_or("the file has no video")?;
    let (index, time_base) = (stream.index(), stream.time_base());
    let mut decoder = codec::Context::from_parameters(stream.parameters())?.decoder().video()?;

    // Two frames stay readable, one reader borrows one at a time.
    let spec = RingSpec::new(2, 1, 1, vas_tap::stream_spec_of(&decoder)?.frame_bytes)?;
    let (ring, writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec))?;
    let mut reader = ring.subscribe()?;
    let mut tap = Tap::new(writer).with_time_base(time_base);

    let mut frame = Video::empty();
    for (stream, packet) in input.packets() {
        if stream.index() != index {
            continue;
        }
        decoder.send_packet(&packet)?;
        while decoder.receive_frame(&mut frame).is_ok() {
            report(tap.offer(&frame), &mut reader)?;
        }
    }
    decoder.send_eof()?;
    while decoder.receive_frame(&mut frame).is_ok() {
        report(tap.offer(&frame), &mut reader)?;
    }
    Ok(())
}

/// What any thread could do while the decoder goes on; here it is the same one, to keep the output in order.
fn report(offer: Offer, reader: &mut Reader) -> Result<(), Box<dyn Error>> {
    match offer {
        Offer::Published(_) => {}
        Offer::Dropped(cause) => println!("a frame was dropped: {cause}"),
        Offer::Off => println!("export is off"),
    }
    if let Some(frame) = reader.latest()? {
        let seconds = frame
            .pts()
            .map_or(f64::NAN, |pts| pts as f64 * f64::from(frame.time_base.num) / f64::from(frame.time_base.den));
        println!(
            "frame {} at {seconds:.3} s: {}x{} {}, {} bytes",
            frame.frame_id, frame.geometry.width, frame.geometry.height, frame.geometry.pixel_format, frame.bytes
        );
    }
    Ok(())
}
