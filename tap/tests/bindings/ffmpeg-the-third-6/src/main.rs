//! A host with ffmpeg-the-third.

use ffmpeg_the_third::frame::Video;
use ffmpeg_the_third::{Error, codec, decoder, format, media};
use vas_bindings_check::{CLIPS, Check, picture};
use vas_tap::Tap;

vas_tap::binding!(ffmpeg_the_third::ffi, unsafe ffmpeg_the_third::frame::Video);

fn main() -> Result<(), Error> {
    ffmpeg_the_third::init()?;
    for clip in &CLIPS {
        let mut input = format::input(clip.path())?;
        let stream = input.streams().best(media::Type::Video).ok_or(Error::StreamNotFound)?;
        let (index, time_base) = (stream.index(), stream.time_base());
        let mut decoder = codec::Context::from_parameters(stream.parameters())?.decoder().video()?;

        let time_base = (time_base.numerator(), time_base.denominator());
        let (mut check, writer) = Check::new(clip, time_base);
        let mut tap = Tap::new(writer).with_time_base(time_base);
        let mut frame = Video::empty();
        let mut receive = |decoder: &mut decoder::Video| {
            while decoder.receive_frame(&mut frame).is_ok() {
                let offer = tap.offer(&frame);
                // SAFETY: that of the decoded frame.
                unsafe { check.frame(offer, &picture!(frame.as_ptr())) };
            }
        };
        for packet in input.packets() {
            let (stream, packet) = packet?;
            if stream.index() == index {
                decoder.send_packet(&packet)?;
                receive(&mut decoder);
            }
        }
        decoder.send_eof()?;
        receive(&mut decoder);
        check.end();
    }
    Ok(())
}
