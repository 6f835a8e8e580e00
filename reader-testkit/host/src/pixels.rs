//! A decoded frame as plain bytes.

use ffmpeg_next::ffi::{av_image_copy_to_buffer, av_image_get_buffer_size};
use ffmpeg_next::frame::Video;

/// Copies the visible samples of `frame` into `bytes`, plane by plane and row by row, without padding: what FFmpeg's
/// `rawvideo` is. Leaves none for a frame that has no such bytes.
pub fn pack(frame: &Video, bytes: &mut Vec<u8>) {
    bytes.clear();
    let format = frame.format().into();
    // SAFETY: the frame is the decoder's, so its fields are consistent; the size is that of `bytes`.
    unsafe {
        let raw = frame.as_ptr();
        let (width, height) = ((*raw).width, (*raw).height);
        let size = av_image_get_buffer_size(format, width, height, 1);
        bytes.resize(usize::try_from(size).unwrap_or(0), 0);
        let (data, linesize) = (&raw const (*raw).data, &raw const (*raw).linesize);
        let to = bytes.as_mut_ptr();
        let copied = av_image_copy_to_buffer(to, size, data.cast(), linesize.cast(), format, width, height, 1);
        bytes.truncate(usize::try_from(copied).unwrap_or(0));
    }
}
