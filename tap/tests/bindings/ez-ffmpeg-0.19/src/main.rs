//! A host with ez-ffmpeg, where a filter behind the decoder gets its frames.

use std::error::Error;
use std::sync::{Arc, Mutex};

use ez_ffmpeg::filter::frame_filter::{FrameFilter, FrameFilterError};
use ez_ffmpeg::filter::frame_filter_context::FrameFilterContext;
use ez_ffmpeg::filter::frame_pipeline_builder::FramePipelineBuilder;
use ez_ffmpeg::{AVMediaType, FfmpegContext, Frame, Input, Output};
use vas_bindings_check::{CLIPS, Check, Writer, picture};
use vas_tap::Tap;

struct Export {
    tap: Tap<Writer>,
    check: Arc<Mutex<Check>>,
}

impl FrameFilter for Export {
    fn media_type(&self) -> AVMediaType {
        AVMediaType::AVMEDIA_TYPE_VIDEO
    }

    fn filter_frame(
        &mut self,
        frame: Frame,
        _: &mut FrameFilterContext<'_>,
    ) -> Result<Option<Frame>, FrameFilterError> {
        // SAFETY: null or a decoded frame; the last one of a stream is empty.
        unsafe {
            let frame = frame.as_ptr();
            if !frame.is_null() && !(*frame).data[0].is_null() {
                let offer = self.tap.offer_ptr(frame);
                self.check.lock().unwrap().frame(offer, &picture!(frame));
            }
        }
        Ok(Some(frame))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    for clip in &CLIPS {
        let time_base = (1, 90_000);
        let (check, writer) = Check::new(clip, time_base);
        let check = Arc::new(Mutex::new(check));
        let export = Export { tap: Tap::new(writer).with_time_base(time_base), check: Arc::clone(&check) };

        let pipeline = FramePipelineBuilder::new(AVMediaType::AVMEDIA_TYPE_VIDEO).filter("export", Box::new(export));
        let path = clip.path().into_os_string().into_string().expect("a path in UTF-8");
        let input = Input::from(path).add_frame_pipeline(pipeline);
        let output = Output::from("nowhere").set_format("null");
        FfmpegContext::builder().input(input).output(output).build()?.start()?.wait()?;
        check.lock().unwrap().end();
    }
    Ok(())
}
