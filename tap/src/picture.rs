//! What a frame says of itself beside its layout.

use core::ffi::c_int;

use vas_ring::{CameraId, ColorRange, FrameEntry, FrameFlags, Geometry, Orientation, Rational};

use crate::binding::Fields;
use crate::plan::Plan;

/// The frame's entry, except for what the ring fills in and the time.
pub(crate) fn entry(fields: &Fields, plan: &Plan, orientation: Orientation, time_base: Rational) -> FrameEntry {
    let [num, den] = fields.sample_aspect_ratio;
    // FFmpeg's numbers are those of H.273; 2 is "unspecified".
    let h273 = |number: c_int| u8::try_from(number).unwrap_or(2);
    // Every field is named, so that one that is added and forgotten here does not compile.
    FrameEntry {
        // Set by the ring.
        frame_id: 0,
        epoch: 0,
        generation: 0,
        camera_id: CameraId::default(),
        // Set by the tap.
        monotonic_ns: 0,
        raw_pts: if fields.pts == FrameEntry::NO_PTS { fields.best_effort_timestamp } else { fields.pts },
        time_base,
        geometry: Geometry {
            width: plan.width,
            height: plan.height,
            sample_aspect_ratio: if num > 0 && den > 0 { Rational { num, den } } else { Rational::default() },
            pixel_format: plan.pixel_format,
            planes: plan.planes,
        },
        bytes: plan.bytes,
        flags: flags(fields, plan.has_all_flags),
        color_range: match fields.color_range {
            1 => ColorRange::LIMITED,
            2 => ColorRange::FULL,
            _ if plan.full_range => ColorRange::FULL,
            _ => ColorRange::UNSPECIFIED,
        },
        color_matrix: h273(fields.colorspace),
        color_primaries: h273(fields.color_primaries),
        color_transfer: h273(fields.color_trc),
        chroma_location: u8::try_from(fields.chroma_location).unwrap_or(0),
        orientation,
        reserved: 0,
    }
}

/// The flags, from where this version of FFmpeg keeps them.
fn flags(fields: &Fields, has_all_flags: bool) -> FrameFlags {
    const CORRUPT: c_int = 1;
    const KEY: c_int = 1 << 1;
    const INTERLACED: c_int = 1 << 3;
    const TOP_FIELD_FIRST: c_int = 1 << 4;
    let [key, interlaced, top_field_first] = match fields.flag_fields {
        Some(fields) if !has_all_flags => fields.map(|field| field != 0),
        _ => [KEY, INTERLACED, TOP_FIELD_FIRST].map(|flag| fields.flags & flag != 0),
    };
    FrameFlags::default()
        .with(FrameFlags::KEY, key)
        .with(FrameFlags::INTERLACED, interlaced)
        .with(FrameFlags::TOP_FIELD_FIRST, top_field_first)
        .with(FrameFlags::CORRUPT, fields.flags & CORRUPT != 0)
}

#[cfg(test)]
mod tests {
    use core::ptr;

    use super::*;

    fn fields(flags: c_int, flag_fields: Option<[c_int; 3]>) -> Fields {
        Fields {
            format: 0,
            width: 1,
            height: 1,
            linesize: [0; 8],
            data: [ptr::null(); 8],
            crop: [0; 4],
            buf: [ptr::null(); 8],
            extended_buf: ptr::null(),
            nb_extended_buf: 0,
            has_side_data: false,
            has_hw_frames_ctx: false,
            pts: 0,
            best_effort_timestamp: 0,
            sample_aspect_ratio: [0, 1],
            flags,
            color_range: 0,
            color_primaries: 2,
            color_trc: 2,
            colorspace: 2,
            chroma_location: 0,
            flag_fields,
        }
    }

    /// FFmpeg up to 6.0 has fields only, 6.1 to 7 both, and 8 flags only.
    #[test]
    fn flags_of_each_version() {
        let (key, corrupt) = (FrameFlags::KEY, FrameFlags::CORRUPT);
        let fielded = FrameFlags::INTERLACED.with(FrameFlags::TOP_FIELD_FIRST, true);
        assert_eq!(flags(&fields(1, Some([1, 0, 0])), false), key.with(corrupt, true));
        assert_eq!(flags(&fields(0b11010, Some([0, 5, -1])), false), fielded, "flags that nobody has set yet");
        for deprecated in [Some([1, 1, 1]), Some([0, 0, 0]), None] {
            assert_eq!(flags(&fields(0b00011, deprecated), true), key.with(corrupt, true));
            assert_eq!(flags(&fields(0b11100, deprecated), true), fielded, "and one to be discarded");
            assert_eq!(flags(&fields(0, deprecated), true), FrameFlags::default());
        }
    }
}
