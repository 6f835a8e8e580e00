//! What the tap takes from FFmpeg, and the macro by which any binding gives it.
//!
//! The tap's own code knows no binding. It works on [`Fields`] and [`Descriptor`], plain numbers and addresses, which
//! the code that [`binding!`](crate::binding!) makes reads from the structs of the binding that the macro was told.
//! Every field is read under the name and at the place that the binding gives it, and as the integer that it is in C:
//! as a Rust enum, a number that is not in the binding could not even be looked at.

use core::ffi::{CStr, c_int, c_uint, c_void};

/// What the tap reads of an `AVFrame`.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "they are called as in FFmpeg")]
pub struct Fields {
    /// `format`, `width` and `height`.
    pub format: c_int,
    pub width: c_int,
    pub height: c_int,
    pub linesize: [c_int; 8],
    pub data: [*const u8; 8],
    /// `crop_top`, `crop_bottom`, `crop_left` and `crop_right`.
    pub crop: [usize; 4],
    pub buf: [*const c_void; 8],
    pub extended_buf: *const *const c_void,
    pub nb_extended_buf: c_int,
    /// Whether there is any.
    pub has_side_data: bool,
    pub has_hw_frames_ctx: bool,
    pub pts: i64,
    pub best_effort_timestamp: i64,
    /// `sample_aspect_ratio`: numerator and denominator.
    pub sample_aspect_ratio: [c_int; 2],
    pub flags: c_int,
    pub color_range: c_int,
    pub color_primaries: c_int,
    pub color_trc: c_int,
    pub colorspace: c_int,
    pub chroma_location: c_int,
    /// `key_frame`, `interlaced_frame` and `top_field_first` of versions that have them.
    pub flag_fields: Option<[c_int; 3]>,
}

/// `avutil_version()` from which `flags` say what had fields of their own before: 58.7.0, of FFmpeg 6.1.
pub(crate) const ALL_FLAGS_SINCE: c_uint = 58 << 16 | 7 << 8;

/// What the tap reads of an `AVPixFmtDescriptor`.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "they are called as in FFmpeg")]
pub struct Descriptor {
    pub name: Option<&'static CStr>,
    pub nb_components: u8,
    pub log2_chroma_w: u8,
    pub log2_chroma_h: u8,
    pub flags: u64,
    /// `plane`, `step`, `offset`, `shift` and `depth` of each component.
    pub comp: [[c_int; 5]; 4],
}

/// The FFmpeg that a host links, as one binding declares it. [`binding!`](crate::binding!) implements it.
///
/// # Safety
///
/// Implementations read the fields that they are asked for, as FFmpeg's headers declare them, and write nothing.
#[doc(hidden)]
pub unsafe trait Binding: 'static {
    /// The binding's `AVFrame`.
    type Frame;

    /// What the tap reads of a frame.
    ///
    /// # Safety
    ///
    /// `frame` points to an `AVFrame`. Its fields may hold anything.
    unsafe fn fields(frame: *const Self::Frame) -> Fields;

    /// `data` and `size` of an `AVBufferRef`.
    ///
    /// # Safety
    ///
    /// `buffer` points to one.
    unsafe fn buffer(buffer: *const c_void) -> (*const u8, usize);

    /// The frame's side data of the type with this number: address and size.
    ///
    /// # Safety
    ///
    /// `frame` points to an `AVFrame` whose `side_data` are as FFmpeg made them.
    unsafe fn side_data(frame: *const Self::Frame, kind: c_int) -> Option<(*const u8, usize)>;

    /// The description of the pixel format with this number, which may be any.
    fn descriptor(number: c_int) -> Option<Descriptor>;

    /// `avutil_version()`.
    fn version() -> c_uint;
}

/// An `AVFrame` as the binding `B` declares it. [`binding!`](crate::binding!) implements it.
#[doc(hidden)]
pub trait RawFrame<B: Binding<Frame = Self>>: Sized {}

/// A frame that a tap takes by reference: a binding's wrapper around an `AVFrame`. [`binding!`](crate::binding!)
/// implements it for the types that are named after the binding's module.
///
/// # Safety
///
/// `as_av_frame` gives null or a frame that is as FFmpeg made it, for as long as the wrapper is borrowed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a frame that the tap knows",
    note = "if it wraps an AVFrame, name it once in the host: `vas_tap::binding!(path::to::ffi, unsafe path::to::Frame);`",
    note = "or offer the AVFrame's pointer: `unsafe {{ tap.offer_ptr(frame.as_ptr()) }}`",
    note = "if its pixels are the host's own, write them through the sink: `demand`, `claim`, `publish`"
)]
pub unsafe trait Frame<B: Binding> {
    /// The wrapped frame.
    #[doc(hidden)]
    fn as_av_frame(&self) -> *const B::Frame;
}

/// A pointer to a `T`, so that a wrapper of anything else is found when it is compiled.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the wrapper's `as_ptr` gives no pointer to the `AVFrame` of the binding's module"
)]
pub trait PointerTo<T> {
    /// The pointer.
    fn pointer(self) -> *const T;
}

impl<T> PointerTo<T> for *const T {
    fn pointer(self) -> *const T {
        self
    }
}

impl<T> PointerTo<T> for *mut T {
    fn pointer(self) -> *const T {
        self
    }
}

/// A fraction of seconds, such as FFmpeg's `AVRational`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a time base that the tap knows",
    note = "give it as `(numerator, denominator)`"
)]
pub trait TimeBase<B> {
    /// The fraction.
    fn rational(self) -> vas_ring::Rational;
}

impl TimeBase<()> for vas_ring::Rational {
    fn rational(self) -> vas_ring::Rational {
        self
    }
}

impl TimeBase<()> for (i32, i32) {
    fn rational(self) -> vas_ring::Rational {
        vas_ring::Rational { num: self.0, den: self.1 }
    }
}

/// Where the fields are that FFmpeg 8 no longer has, or none: between which of the others they were is the same in all
/// versions before, so that the binding need not be asked for them by name.
///
/// `key_frame` was the integer between `format` and `pict_type`; `interlaced_frame` and `top_field_first` were the two
/// after `repeat_pict`, and `palette_has_changed` followed them.
#[doc(hidden)]
pub const fn flag_fields(
    format: usize,
    pict_type: usize,
    repeat_pict: usize,
    sample_rate: usize,
) -> Option<[usize; 3]> {
    const INT: usize = size_of::<c_int>();
    let key_frame = pict_type == format + 2 * INT;
    let fields = sample_rate >= repeat_pict + 4 * INT;
    assert!(key_frame == fields, "this AVFrame is of no FFmpeg from 4.3 to 9");
    assert!(key_frame || pict_type == format + INT, "this AVFrame is of no FFmpeg from 4.3 to 9");
    if key_frame { Some([format + INT, repeat_pict + INT, repeat_pict + 2 * INT]) } else { None }
}

/// Bytes of the field that `_get` gives.
#[doc(hidden)]
pub const fn field_bytes<T, F>(_get: fn(&T) -> &F) -> usize {
    size_of::<F>()
}

/// Lets a tap read the frames of one binding to FFmpeg: any that bindgen made, of FFmpeg 4.3 to 9. One line, once in a
/// host, at the level of a module.
///
/// The first argument is the module that has the binding's `AVFrame`; further ones are the types of its wrappers whose
/// references [`Tap::offer`](crate::Tap::offer) is to take. `unsafe` stands before each, as it is the host's word that
/// is taken for it: the type's method `as_ptr` gives null or a pointer to a frame as FFmpeg makes it, and the module
/// is bindgen's, of the FFmpeg that is linked.
///
/// `ffmpeg-next` needs no such line: with the feature `ffmpeg-next`, which is on by default, this crate has it. For
/// any other binding, switch the feature off.
///
/// ```text
/// vas_tap::binding!(rsmpeg::ffi, unsafe rsmpeg::avutil::AVFrame);                    tap.offer(&frame)
/// vas_tap::binding!(ffmpeg_the_third::ffi, unsafe ffmpeg_the_third::frame::Video);   tap.offer(&frame)
/// vas_tap::binding!(my_bindings);                                           unsafe { tap.offer_ptr(frame) }
/// ```
///
/// The last takes a `*const my_bindings::AVFrame`. A program is at the top of this crate's documentation. Without that
/// word for a wrapper the line does not compile:
///
/// ```compile_fail
/// vas_tap::binding!(ffmpeg_next::ffi, ffmpeg_next::frame::Video);
/// # fn main() {}
/// ```
///
/// and with it it does:
///
/// ```
/// vas_tap::binding!(ffmpeg_next::ffi, unsafe ffmpeg_next::frame::Video);
/// # fn main() {}
/// ```
///
/// What is expanded reads each field by the binding's own struct, and does not compile when one that is needed has
/// another size than in FFmpeg.
#[macro_export]
macro_rules! binding {
    ($ffi:path $(, unsafe $frame:ty)* $(,)?) => {
        const _: () = {
            /// Nothing but a name for the implementations below, so that they are this crate's own.
            #[allow(dead_code, unreachable_pub)]
            pub enum ThisBinding {}
            $crate::binding!(@impl ThisBinding, $ffi $(, $frame)*);
        };
    };
    (@impl $binding:ident, $ffi:path $(, $frame:ty)*) => {
        const _: () = {
            use $ffi as ffi;
            use $crate::__private::{self as private, Binding, CStr, Descriptor, Fields, c_int, c_uint, c_void};

            /// Where a field is, once its size is what is read of it.
            macro_rules! offset {
                ($field:ident: $ty:ty) => {{
                    const OFFSET: usize = ::core::mem::offset_of!(ffi::AVFrame, $field);
                    const _: () = assert!(
                        private::field_bytes(|frame: &ffi::AVFrame| &frame.$field) == ::core::mem::size_of::<$ty>(),
                        concat!("AVFrame::", stringify!($field), " has another size than in FFmpeg 4.3 to 9")
                    );
                    OFFSET
                }};
            }

            const FLAG_FIELDS: Option<[usize; 3]> = private::flag_fields(
                offset!(format: c_int),
                offset!(pict_type: c_int),
                offset!(repeat_pict: c_int),
                offset!(sample_rate: c_int),
            );

            unsafe extern "C" {
                // With the number as the integer that it is in C.
                fn av_pix_fmt_desc_get(number: c_int) -> *const ffi::AVPixFmtDescriptor;
                fn av_frame_get_side_data(frame: *const ffi::AVFrame, kind: c_int) -> *const ffi::AVFrameSideData;
                fn avutil_version() -> c_uint;
            }

            // SAFETY: reads what it is asked for, in the binding's own structs, and writes nothing.
            unsafe impl Binding for $binding {
                type Frame = ffi::AVFrame;

                #[inline]
                unsafe fn fields(frame: *const ffi::AVFrame) -> Fields {
                    macro_rules! read {
                        ($field:ident: $ty:ty) => {
                            frame.cast::<u8>().add(offset!($field: $ty)).cast::<$ty>().read()
                        };
                    }
                    // SAFETY: each is an integer, a pointer or an array of them in a frame that is there by the caller's
                    // word; the offset is that of such a field, whose size has been compared.
                    unsafe {
                        Fields {
                            format: read!(format: c_int),
                            width: read!(width: c_int),
                            height: read!(height: c_int),
                            linesize: read!(linesize: [c_int; 8]),
                            data: read!(data: [*const u8; 8]),
                            crop: [
                                read!(crop_top: usize),
                                read!(crop_bottom: usize),
                                read!(crop_left: usize),
                                read!(crop_right: usize),
                            ],
                            buf: read!(buf: [*const c_void; 8]),
                            extended_buf: read!(extended_buf: *const *const c_void),
                            nb_extended_buf: read!(nb_extended_buf: c_int),
                            has_side_data: read!(nb_side_data: c_int) > 0
                                && !read!(side_data: *const c_void).is_null(),
                            has_hw_frames_ctx: !read!(hw_frames_ctx: *const c_void).is_null(),
                            pts: read!(pts: i64),
                            best_effort_timestamp: read!(best_effort_timestamp: i64),
                            sample_aspect_ratio: read!(sample_aspect_ratio: [c_int; 2]),
                            flags: read!(flags: c_int),
                            color_range: read!(color_range: c_int),
                            color_primaries: read!(color_primaries: c_int),
                            color_trc: read!(color_trc: c_int),
                            colorspace: read!(colorspace: c_int),
                            chroma_location: read!(chroma_location: c_int),
                            flag_fields: match FLAG_FIELDS {
                                Some(offsets) => {
                                    Some(offsets.map(|offset| frame.cast::<u8>().add(offset).cast::<c_int>().read()))
                                }
                                None => None,
                            },
                        }
                    }
                }

                #[inline]
                unsafe fn buffer(buffer: *const c_void) -> (*const u8, usize) {
                    let buffer = buffer.cast::<ffi::AVBufferRef>();
                    // SAFETY: such a struct by the caller's word. Before FFmpeg 5 the size is a C int.
                    unsafe { ((*buffer).data, usize::try_from((*buffer).size).unwrap_or(0)) }
                }

                unsafe fn side_data(frame: *const ffi::AVFrame, kind: c_int) -> Option<(*const u8, usize)> {
                    // SAFETY: a frame with such side data by the caller's word; what is returned is null or among them.
                    unsafe {
                        let data = av_frame_get_side_data(frame, kind);
                        if data.is_null() {
                            return None;
                        }
                        Some(((*data).data.cast_const(), usize::try_from((*data).size).unwrap_or(0)))
                    }
                }

                fn descriptor(number: c_int) -> Option<Descriptor> {
                    // SAFETY: takes any number; the result is null, or a description that lives as long as the library,
                    // as does its name.
                    unsafe {
                        let it = av_pix_fmt_desc_get(number);
                        if it.is_null() {
                            return None;
                        }
                        Some(Descriptor {
                            name: if (*it).name.is_null() { None } else { Some(CStr::from_ptr((*it).name)) },
                            nb_components: (*it).nb_components,
                            log2_chroma_w: (*it).log2_chroma_w,
                            log2_chroma_h: (*it).log2_chroma_h,
                            flags: (*it).flags,
                            comp: (&(*it).comp).each_ref().map(|it| [it.plane, it.step, it.offset, it.shift, it.depth]),
                        })
                    }
                }

                fn version() -> c_uint {
                    // SAFETY: takes nothing, and gives a number.
                    unsafe { avutil_version() }
                }
            }

            impl private::RawFrame<$binding> for ffi::AVFrame {}

            impl private::TimeBase<$binding> for ffi::AVRational {
                fn rational(self) -> private::Rational {
                    private::Rational { num: self.num, den: self.den }
                }
            }

            $(
                // SAFETY: the wrapper gives null or its frame, by the word of who named it.
                unsafe impl private::Frame<$binding> for $frame {
                    #[inline]
                    fn as_av_frame(&self) -> *const ffi::AVFrame {
                        #[allow(unused_unsafe)]
                        // SAFETY: reads the pointer. Some bindings have that unsafe.
                        let frame = unsafe { self.as_ptr() };
                        private::PointerTo::<ffi::AVFrame>::pointer(frame)
                    }
                }
            )*
        };
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As FFmpeg's headers have them, of 64-bit machines: `format`, `pict_type`, `repeat_pict` and `sample_rate`.
    #[test]
    fn fields_that_came_and_went() {
        assert_eq!(flag_fields(116, 124, 176, 200), Some([120, 180, 184]), "until 6: reordered_opaque lies between");
        assert_eq!(flag_fields(116, 124, 168, 184), Some([120, 172, 176]), "7");
        assert_eq!(flag_fields(116, 120, 160, 164), None, "8 on");
    }

    #[test]
    #[should_panic(expected = "no FFmpeg")]
    fn a_struct_with_one_of_both() {
        flag_fields(116, 120, 168, 184);
    }

    #[test]
    #[should_panic(expected = "no FFmpeg")]
    fn a_struct_with_something_else_between() {
        flag_fields(116, 136, 160, 164);
    }
}
