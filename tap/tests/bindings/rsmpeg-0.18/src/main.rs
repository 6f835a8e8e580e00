//! A host with rsmpeg.

use std::error::Error;
use std::ffi::CString;
use std::os::unix::ffi::OsStringExt as _;

use rsmpeg::avcodec::AVCodecContext;
use rsmpeg::avformat::AVFormatContextInput;
use rsmpeg::error::RsmpegError;
use rsmpeg::ffi;
use vas_bindings_check::{CLIPS, Check, picture};
use vas_tap::Tap;

vas_tap::binding!(rsmpeg::ffi, unsafe rsmpeg::avutil::AVFrame);

fn main() -> Result<(), Box<dyn Error>> {
    for clip in &CLIPS {
        let path = CString::new(clip.path().into_os_string().into_vec())?;
        let mut input = AVFormatContextInput::open(&path)?;
        let (index, codec) = input.find_best_stream(ffi::AVMEDIA_TYPE_VIDEO)?.ok_or("no video")?;
        let mut decoder = AVCodecContext::new(&codec);
        decoder.apply_codecpar(&input.streams()[index].codecpar())?;
        decoder.open(None)?;

        let time_base = input.streams()[index].time_base;
        let (mut check, writer) = Check::new(clip, (time_base.num, time_base.den));
        let mut tap = Tap::new(writer).with_time_base(time_base);
        loop {
            let packet = input.read_packet()?;
            if packet.as_ref().is_some_and(|packet| packet.stream_index as usize != index) {
                continue;
            }
            decoder.send_packet(packet.as_ref())?;
            loop {
                let frame = match decoder.receive_frame() {
                    Ok(frame) => frame,
                    Err(RsmpegError::DecoderDrainError | RsmpegError::DecoderFlushedError) => break,
                    Err(error) => return Err(error.into()),
                };
                let offer = tap.offer(&frame);
                // SAFETY: that of the decoded frame.
                unsafe { check.frame(offer, &picture!(frame.as_ptr())) };
            }
            if packet.is_none() {
                break;
            }
        }
        check.end();
    }
    Ok(())
}
