use vas_ring::{ColorRange, Component, FrameEntry, Geometry, HeapMemory, Identity, Plane, Ring, RingSpec};

use super::*;

const RGB: u16 = PixelFormat::RGB;
const PLANAR: u16 = PixelFormat::PLANAR;
const XYZ: Component = Component { plane: 0, offset: 0, step: 6, shift: 4, depth: 12 };

/// A frame in a ring: rows of each plane given as bytes, `pad` bytes of another value after each row.
fn frame(format: PixelFormat, width: u32, height: u32, planes: &[&[&[u8]]], pad: usize, entry: FrameEntry) -> Lease {
    let mut slot = Vec::new();
    let mut geometry = Geometry { width, height, pixel_format: format, ..Geometry::default() };
    for (plane, rows) in geometry.planes.iter_mut().zip(planes) {
        let row_bytes = rows.first().map_or(0, |row| row.len());
        *plane = Plane {
            offset: slot.len() as u32,
            stride: (row_bytes + pad) as u32,
            row_bytes: row_bytes as u32,
            rows: rows.len() as u32,
        };
        for row in *rows {
            slot.extend_from_slice(row);
            slot.resize(slot.len() + pad, 0xee);
        }
        slot.resize(slot.len().next_multiple_of(64), 0xee);
    }
    let spec = RingSpec::new(1, 1, 1, slot.len()).expect("small");
    let (ring, mut writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec)).expect("enough memory");
    let mut reader = ring.subscribe().expect("a place");
    let mut claim = writer.claim().expect("a slot");
    claim.pixels_mut()[..slot.len()].copy_from_slice(&slot);
    claim.publish(&FrameEntry { bytes: slot.len() as u32, geometry, ..entry });
    reader.latest().expect("open").expect("published")
}

fn yuv(name: &str, bits: u8, shift: (u8, u8)) -> PixelFormat {
    PixelFormat::new(name, 0, 3, &[0, 1, 2].map(|plane| Component::alone(plane, bits)), shift, PLANAR)
}

fn limited(color_matrix: u8) -> FrameEntry {
    FrameEntry { color_range: ColorRange::LIMITED, color_matrix, ..FrameEntry::default() }
}

/// The one pixel of a frame of three 1x1 planes.
fn pixel(format: PixelFormat, [y, cb, cr]: [u8; 3], entry: FrameEntry) -> [u8; 3] {
    let lease = frame(format, 1, 1, &[&[&[y]], &[&[cb]], &[&[cr]]], 0, entry);
    let picture = Picture::of(&lease).expect("a known format");
    picture.rgb().try_into().expect("one pixel")
}

#[test]
fn primaries_come_back_by_matrix_and_range() {
    // The codes of red, green and blue, from the definitions in BT.601 and BT.709.
    let codes = [
        (5, ColorRange::LIMITED, [[81, 90, 240], [145, 54, 34], [41, 240, 110]]),
        (1, ColorRange::LIMITED, [[63, 102, 240], [173, 42, 26], [32, 240, 118]]),
        (5, ColorRange::FULL, [[76, 85, 255], [150, 44, 21], [29, 255, 107]]),
    ];
    let primaries = [[255, 0, 0], [0, 255, 0], [0, 0, 255]];
    for (color_matrix, color_range, codes) in codes {
        for (code, wanted) in codes.into_iter().zip(primaries) {
            let entry = FrameEntry { color_matrix, color_range, ..FrameEntry::default() };
            let got = pixel(yuv("yuv444p", 8, (0, 0)), code, entry);
            let close = got.iter().zip(wanted).all(|(&got, wanted)| got.abs_diff(wanted) <= 3);
            assert!(close, "{code:?} in matrix {color_matrix}: {got:?} instead of {wanted:?}");
        }
    }
}

#[test]
fn black_and_white_are_exact_in_each_range() {
    let format = yuv("yuv444p", 8, (0, 0));
    assert_eq!(pixel(format, [16, 128, 128], limited(1)), [0; 3]);
    assert_eq!(pixel(format, [235, 128, 128], limited(1)), [255; 3]);
    let full = FrameEntry { color_range: ColorRange::FULL, ..limited(1) };
    assert_eq!(pixel(format, [0, 128, 128], full), [0; 3]);
    assert_eq!(pixel(format, [16, 128, 128], full), [16; 3]);
    assert_eq!(pixel(format, [255, 128, 128], full), [255; 3]);
    // The range that nobody stated is in the format's name, or limited.
    assert_eq!(pixel(yuv("yuvj444p", 8, (0, 0)), [16, 128, 128], FrameEntry::default()), [16; 3]);
    assert_eq!(pixel(format, [16, 128, 128], FrameEntry::default()), [0; 3]);
}

#[test]
fn a_matrix_that_nobody_stated_goes_by_size() {
    let red = |width: u32, height: u32, matrix| {
        let (luma, chroma) = (vec![90_u8; width as usize], vec![200_u8; width as usize]);
        let (luma, chroma) = (vec![&luma[..]; height as usize], vec![&chroma[..]; height as usize]);
        let lease = frame(yuv("yuv444p", 8, (0, 0)), width, height, &[&luma, &chroma, &chroma], 0, limited(matrix));
        Picture::of(&lease).expect("a known format").rgb()[..3].to_vec()
    };
    assert_eq!(red(2, 576, 2), red(2, 576, 5));
    assert_eq!(red(2, 720, 2), red(2, 720, 1));
    assert_eq!(red(1280, 2, 2), red(1280, 2, 1));
    assert_ne!(red(2, 720, 1), red(2, 720, 5));
}

#[test]
fn chroma_is_repeated_over_odd_sizes_and_rows_keep_their_order() {
    // 3x3: chroma of 2x2, its last column and row standing for one pixel.
    const GRAY: u8 = 128;
    const RED: u8 = 240;
    let chroma: [&[u8]; 2] = [&[GRAY, RED], &[GRAY, GRAY]];
    let flat: [&[u8]; 2] = [&[GRAY, GRAY], &[GRAY, GRAY]];
    let luma: [&[u8]; 3] = [&[235; 3], &[125; 3], &[16; 3]];
    for pad in [0, 5] {
        let lease = frame(yuv("yuv420p", 8, (1, 1)), 3, 3, &[&luma, &flat, &chroma], pad, limited(5));
        let picture = Picture::of(&lease).expect("a known format");
        let at = |x: usize, y: usize| &picture.rgb()[3 * (3 * y + x)..][..3];
        assert_eq!((at(0, 0), at(1, 0)), (&[255; 3][..], &[255; 3][..]));
        assert!(at(2, 0)[1] < 200 && at(2, 1)[1] < at(2, 1)[0], "red at the right of the first two rows");
        assert_eq!((at(0, 2), at(2, 2)), (&[0; 3][..], &[0; 3][..]));
    }
}

#[test]
fn formats_that_hold_the_same_picture_give_the_same() {
    let (y, cb, cr) = ([[50_u8, 180], [90, 220]], 100_u8, 160_u8);
    let luma: [&[u8]; 2] = [&y[0], &y[1]];
    let planar = frame(yuv("yuv420p", 8, (1, 1)), 2, 2, &[&luma, &[&[cb]], &[&[cr]]], 3, limited(1));
    let wanted = Picture::of(&planar).expect("yuv420p");
    let (cb_row, cr_row) = ([cb; 2], [cr; 2]);
    let half = [[&cb_row[..1]; 2], [&cr_row[..1]; 2]];
    let full = [[&cb_row[..]; 2], [&cr_row[..]; 2]];
    let pairs = |name, offsets: [u8; 2]| {
        let [cb, cr] = offsets.map(|offset| Component { offset, step: 2, ..Component::alone(1, 8) });
        PixelFormat::new(name, 0, 2, &[Component::alone(0, 8), cb, cr], (1, 1), 0)
    };
    let four_times = |samples: &[u8]| -> Vec<u8> {
        samples.iter().flat_map(|&sample| (u16::from(sample) << 2).to_le_bytes()).collect()
    };
    let (y10, cb10, cr10) = ([four_times(&y[0]), four_times(&y[1])], four_times(&[cb]), four_times(&[cr]));
    let luma10: [&[u8]; 2] = [&y10[0], &y10[1]];
    let same = [
        frame(yuv("yuv422p", 8, (1, 0)), 2, 2, &[&luma, &half[0], &half[1]], 0, limited(1)),
        frame(yuv("yuv444p", 8, (0, 0)), 2, 2, &[&luma, &full[0], &full[1]], 0, limited(1)),
        frame(pairs("nv12", [0, 1]), 2, 2, &[&luma, &[&[cb, cr]]], 1, limited(1)),
        frame(pairs("nv21", [1, 0]), 2, 2, &[&luma, &[&[cr, cb]]], 1, limited(1)),
        frame(yuv("yuv420p10le", 10, (1, 1)), 2, 2, &[&luma10, &[&cb10], &[&cr10]], 2, limited(1)),
    ];
    for lease in same {
        let name = lease.geometry.pixel_format;
        assert_eq!(Picture::of(&lease).expect("known").rgb(), wanted.rgb(), "{name}");
    }
}

#[test]
fn packed_colours_are_put_in_order() {
    for (name, bytes) in [
        ("rgb24", &[1_u8, 2, 3, 4, 5, 6][..]),
        ("bgr24", &[3, 2, 1, 6, 5, 4]),
        ("rgba", &[1, 2, 3, 99, 4, 5, 6, 99]),
        ("bgra", &[3, 2, 1, 99, 6, 5, 4, 99]),
    ] {
        let (step, offsets) = (bytes.len() as u8 / 2, if name.starts_with('b') { [2, 1, 0] } else { [0, 1, 2] });
        let components = offsets.map(|offset| Component { offset, step, ..Component::alone(0, 8) });
        let format = PixelFormat::new(name, 0, 1, &components, (0, 0), RGB);
        let lease = frame(format, 2, 1, &[&[bytes]], 0, FrameEntry::default());
        assert_eq!(Picture::of(&lease).expect("known").rgb(), [1, 2, 3, 4, 5, 6], "{name}");
    }
}

#[test]
fn gray_is_full_range_unless_it_says_otherwise() {
    let format = PixelFormat::new("gray", 0, 1, &[Component::alone(0, 8)], (0, 0), 0);
    let rgb = |entry| Picture::of(&frame(format, 2, 1, &[&[&[16, 235]]], 0, entry)).expect("known").rgb().to_vec();
    assert_eq!(rgb(FrameEntry::default()), [16, 16, 16, 235, 235, 235]);
    assert_eq!(rgb(limited(2)), [0, 0, 0, 255, 255, 255]);
}

#[test]
fn what_is_not_understood_is_an_error() {
    let refused = |format, planes: &[&[&[u8]]], entry| Picture::of(&frame(format, 1, 1, planes, 0, entry)).unwrap_err();
    let xyz = PixelFormat::new("xyz12le", 0, 1, &[0, 2, 4].map(|offset| Component { offset, ..XYZ }), (0, 0), 0);
    let error = refused(xyz, &[&[&[0; 6]]], FrameEntry::default());
    assert_eq!(error, SnapshotError::Format(xyz));
    assert!(error.to_string().contains("'xyz12le'"));
    let format = yuv("yuv444p", 8, (0, 0));
    assert_eq!(refused(format, &[&[&[0][..]][..]; 3], limited(8)), SnapshotError::Matrix(8));
    let error = refused(format, &[&[&[0]], &[&[0]], &[&[]]], limited(1));
    assert_eq!(error, SnapshotError::Samples(SampleError::Irregular));
    let error = refused(format, &[&[&[0]], &[&[0]], &[]], limited(1));
    assert_eq!(error, SnapshotError::Incomplete { component: 2, rows: 1 });
}

#[test]
fn shrinking_takes_the_mean() {
    let mut picture = Picture::plain(4, 2, [10, 20, 30]);
    picture.put(&Picture::plain(2, 2, [20, 40, 60]), 1, 0);
    let small = picture.shrunk_to(2, 1);
    assert_eq!((small.width(), small.height()), (2, 1));
    assert_eq!(small.rgb(), [15, 30, 45, 15, 30, 45]);
    assert_eq!(picture.shrunk_to(9, 9), picture);
}

#[test]
fn what_is_put_over_the_edge_is_cut_off() {
    let mut picture = Picture::plain(2, 2, [0; 3]);
    picture.put(&Picture::plain(5, 5, [9; 3]), 1, 1);
    picture.put(&Picture::plain(5, 5, [7; 3]), 2, 2);
    assert_eq!(picture.rgb(), [0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9]);
}

#[test]
fn png_files_hold_what_was_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("picture.png");
    let mut picture = Picture::plain(7, 5, [1, 2, 3]);
    picture.put(&Picture::plain(3, 2, [200, 100, 50]), 2, 1);
    picture.write_png(&path).expect("written");
    let read = Picture::read_png(&path).expect("read");
    assert_eq!(read, picture);
    assert_eq!(read.difference(&picture), Some(0.0));
    assert!(read.difference(&Picture::plain(7, 5, [0; 3])).is_some_and(|mean| mean > 2.0));
    let error = picture.write_png(folder.path().join("no/such/folder.png")).unwrap_err();
    assert!(error.to_string().contains("folder.png"), "{error}");
}

/// Off the right edge, the bottom edge and the corner.
#[test]
fn what_lies_outside_is_cut_off() {
    let white = Picture { width: 2, height: 2, rgb: vec![255; 12] };
    for (x, y, put) in [(0, 0, 12), (3, 0, 6), (0, 3, 6), (3, 3, 3), (4, 3, 0), (9, 3, 0), (0, 9, 0), (9, 9, 0)] {
        let mut canvas = Picture { width: 4, height: 4, rgb: vec![0; 48] };
        canvas.put(&white, x, y);
        assert_eq!(canvas.rgb.iter().filter(|&&sample| sample == 255).count(), put, "at {x}, {y}");
    }
}
