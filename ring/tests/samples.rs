//! What a reader gets of a frame's samples: values where the pixel format says which bits they are, and errors where the
//! accessor cannot give them. The tests of `vas-tap` hold all of FFmpeg's formats against FFmpeg; these need none.
#![cfg(not(loom))]

use bytemuck::Zeroable;
use vas_ring::{
    Component, FrameEntry, Geometry, HeapMemory, Identity, Lease, PixelFormat, Plane, Ring, RingSpec, SampleError,
};

/// A frame of which one slot has `pixels`.
fn lease(geometry: Geometry, pixels: &[u8]) -> Lease {
    let spec = RingSpec::new(1, 1, 1, pixels.len().max(1)).unwrap();
    let (ring, mut writer) = Ring::new(spec, Identity::default(), HeapMemory::for_spec(&spec)).unwrap();
    let mut reader = ring.subscribe().unwrap();
    let mut claim = writer.claim().unwrap();
    claim.pixels_mut()[..pixels.len()].copy_from_slice(pixels);
    claim.publish(&FrameEntry { bytes: pixels.len() as u32, geometry, ..FrameEntry::default() });
    reader.latest().unwrap().unwrap()
}

fn component(plane: u8, offset: u8, step: u8, shift: u8, depth: u8) -> Component {
    Component { plane, offset, step, shift, depth }
}

/// A picture of one plane, two rows of `pixels`, the second one's bytes all set.
fn rows(components: &[Component], traits: u16, width: u32, pixels: &[u8]) -> Lease {
    let mut geometry = Geometry { width, height: 2, ..Geometry::default() };
    geometry.pixel_format = PixelFormat::new("", -1, 1, components, (0, 0), traits);
    let row_bytes = pixels.len() as u32;
    geometry.planes[0] = Plane { offset: 0, stride: row_bytes.next_multiple_of(64), row_bytes, rows: 2 };
    let mut slot = pixels.to_vec();
    slot.resize(slot.len().next_multiple_of(64), 0x77);
    slot.extend(vec![0xff; pixels.len()]);
    lease(geometry, &slot)
}

fn values(lease: &Lease, index: usize, y: usize) -> Result<Vec<u32>, SampleError> {
    lease.component(index).unwrap().row(y).map(Iterator::collect)
}

#[test]
fn bits_of_words_in_either_order() {
    // Ten bits in the high end of sixteen, as in `p010`.
    let samples = [940_u16, 64, 1023].map(|sample| sample << 6);
    let little: Vec<u8> = samples.iter().flat_map(|word| word.to_le_bytes()).collect();
    let big: Vec<u8> = samples.iter().flat_map(|word| word.to_be_bytes()).collect();
    for (traits, bytes) in [(0, little), (PixelFormat::BIG_ENDIAN, big)] {
        let lease = rows(&[component(0, 0, 2, 6, 10)], traits, 3, &bytes);
        assert_eq!(values(&lease, 0, 0), Ok(vec![940, 64, 1023]));
        assert_eq!(values(&lease, 0, 1), Ok(vec![1023; 3]));
        assert_eq!(values(&lease, 0, 2), Err(SampleError::NoSuchRow { row: 2, rows: 2 }));
        let view = lease.component(0).unwrap();
        assert_eq!((view.width(), view.height(), view.depth(), view.row(0).unwrap().len()), (3, 2, 10, 3));
        assert!(lease.component(1).is_none());
        let plane = lease.plane(0).unwrap();
        assert_eq!(plane.row_u16(0), Err(SampleError::Shifted { depth: 10, shift: 6 }));
    }
    // The same bits of words of four bytes, beside others, as in `xv30be`.
    let word = (1_u32 << 30 | 700 << 20 | 300 << 10 | 5).to_be_bytes();
    let components = [component(0, 0, 4, 10, 10), component(0, 2, 4, 0, 10), component(0, 0, 4, 20, 10)];
    let lease = rows(&components, PixelFormat::BIG_ENDIAN, 2, &[word, word].concat());
    assert_eq!([0, 1, 2].map(|n| values(&lease, n, 0).unwrap()), [[300; 2], [5; 2], [700; 2]]);
    assert_eq!(lease.plane(0).unwrap().row_u32(0), Err(SampleError::Packed));
    // A byte of three samples, and words of four bytes in little-endian order.
    let components = [component(0, 0, 1, 5, 3), component(0, 0, 1, 2, 3), component(0, 0, 1, 0, 2)];
    let lease = rows(&components, PixelFormat::RGB, 1, &[0b101 << 5 | 0b011 << 2 | 0b10]);
    assert_eq!([0, 1, 2].map(|n| values(&lease, n, 0).unwrap()), [[0b101], [0b011], [0b10]]);
    assert_eq!(lease.plane(0).unwrap().row_u8(0), Err(SampleError::Packed));
    let lease = rows(&[component(0, 0, 4, 0, 32)], 0, 1, &u32::MAX.to_le_bytes());
    assert_eq!(values(&lease, 0, 0), Ok(vec![u32::MAX]));
}

#[test]
fn words_that_are_samples() {
    let bytes = [1_u8, 2, 3, 4, 5, 6, 7, 8];
    let eight = rows(&[Component::alone(0, 8)], 0, 8, &bytes);
    let plane = eight.plane(0).unwrap();
    assert_eq!(plane.row_u8(0), Ok(&bytes[..]));
    assert_eq!(plane.row_u8(2), Err(SampleError::NoSuchRow { row: 2, rows: 2 }));
    assert_eq!(plane.row_u16(0), Err(SampleError::Size { depth: 8, needed: 1 }));
    assert_eq!(plane.row_f32(0), Err(SampleError::NotFloat));

    let (native, foreign) =
        if cfg!(target_endian = "big") { (PixelFormat::BIG_ENDIAN, 0) } else { (0, PixelFormat::BIG_ENDIAN) };
    let words = [258_u16, 772, 1286, 1800].map(u16::to_ne_bytes).concat();
    // Pairs of two components, as of chroma.
    let pairs = [component(0, 0, 4, 0, 16), component(0, 2, 4, 0, 16)];
    let sixteen = rows(&pairs, native, 2, &words);
    assert_eq!(sixteen.plane(0).unwrap().row_u16(0), Ok(&[258, 772, 1286, 1800][..]));
    assert_eq!((values(&sixteen, 0, 0).unwrap(), values(&sixteen, 1, 0).unwrap()), (vec![258, 1286], vec![772, 1800]));
    assert_eq!(sixteen.plane(0).unwrap().row_u32(0), Err(SampleError::Size { depth: 16, needed: 2 }));
    assert_eq!(rows(&pairs, foreign, 2, &words).plane(0).unwrap().row_u16(0), Err(SampleError::ByteOrder));
    // Components in the other order than they lie.
    let turned = rows(&[pairs[1], pairs[0]], native, 2, &words);
    assert_eq!(turned.plane(0).unwrap().row_u16(0).map(<[u16]>::len), Ok(4));
    assert_eq!(values(&turned, 0, 0), Ok(vec![772, 1800]));
    // Byte order is nothing to samples of a byte.
    assert_eq!(rows(&[Component::alone(0, 8)], foreign, 8, &bytes).plane(0).unwrap().row_u8(0), Ok(&bytes[..]));

    let numbers = [0.5_f32, -2.0].map(f32::to_ne_bytes).concat();
    let float = rows(&[Component::alone(0, 32)], native | PixelFormat::FLOAT, 2, &numbers);
    assert_eq!(float.plane(0).unwrap().row_f32(0), Ok(&[0.5, -2.0][..]));
    assert_eq!(float.plane(0).unwrap().row_u32(0), Err(SampleError::Float));
    assert_eq!(values(&float, 0, 0), Err(SampleError::Float));
    let integers = rows(&[Component::alone(0, 32)], native, 2, &numbers);
    assert_eq!(integers.plane(0).unwrap().row_u32(0).map(<[u32]>::len), Ok(2));
}

#[test]
fn words_that_are_not() {
    let bytes = [9_u8; 12];
    let refused = |components: &[Component]| rows(components, 0, 2, &bytes).plane(0).unwrap().row_u8(0).unwrap_err();
    assert_eq!(refused(&[]), SampleError::NotSamples);
    assert_eq!(refused(&[Component::alone(1, 8)]), SampleError::NotSamples, "all samples are in another plane");
    let (first, second) = (component(0, 0, 4, 0, 16), component(0, 2, 4, 0, 8));
    assert_eq!(refused(&[first, second]), SampleError::Packed, "two sizes");
    assert_eq!(refused(&[first, component(0, 2, 4, 0, 12)]), SampleError::Packed, "two depths");
    assert_eq!(refused(&[component(0, 1, 4, 0, 16)]), SampleError::Packed, "between two words");
    assert_eq!(refused(&[component(0, 0, 3, 0, 16)]), SampleError::Packed, "from one word to the middle of another");
    assert_eq!(refused(&[first, component(0, 1, 4, 0, 16)]), SampleError::Packed, "a byte of both");
    assert_eq!(refused(&[component(0, 0, 1, 1, 7)]), SampleError::Shifted { depth: 7, shift: 1 });
    // A row that is no whole number of words, and one that starts beside them.
    let odd = rows(
        &[Component::alone(0, 16)],
        PixelFormat::BIG_ENDIAN * u16::from(cfg!(target_endian = "big")),
        2,
        &bytes[..7],
    );
    assert_eq!(odd.plane(0).unwrap().row_u16(0), Err(SampleError::Irregular));
    let mut geometry = odd.geometry;
    geometry.planes[0] = Plane { offset: 1, stride: 4, row_bytes: 4, rows: 1 };
    assert_eq!(lease(geometry, &bytes).plane(0).unwrap().row_u16(0), Err(SampleError::Alignment));
}

#[test]
fn rows_without_all_their_samples() {
    let row = |component, width| values(&rows(&[component], 0, width, &[5; 12]), 0, 0);
    assert_eq!(row(Component::alone(0, 8), 12), Ok(vec![5; 12]));
    assert_eq!(row(Component::alone(0, 8), 13), Err(SampleError::Irregular));
    assert_eq!(row(component(0, 1, 4, 0, 8), 3), Ok(vec![5; 3]));
    assert_eq!(row(component(0, 3, 4, 0, 8), 3), Ok(vec![5; 3]), "the last byte");
    assert_eq!(row(component(0, 3, 4, 0, 16), 3), Err(SampleError::Irregular));
    assert_eq!(row(component(0, 0, 0, 0, 8), 3), Err(SampleError::Irregular), "at no distance");
    assert_eq!(row(component(0, 0, 8, 0, 40), 1), Err(SampleError::Irregular), "more than a value holds");
    assert_eq!(row(Component::alone(0, 8), 0), Ok(vec![]));
    assert_eq!(row(Component::alone(0, 8), u32::MAX), Err(SampleError::Irregular));
}

/// Chroma is the second and third component, of as many samples as the subsampling says.
#[test]
fn chroma_is_narrower() {
    let planes = [0, 1, 2, 3].map(|plane| Component::alone(plane, 8));
    let mut geometry = Geometry { width: 5, height: 3, ..Geometry::default() };
    geometry.pixel_format = PixelFormat::new("yuva420p", -1, 4, &planes, (1, 1), PixelFormat::ALPHA);
    for (n, (row_bytes, rows)) in [(5, 3), (3, 2), (3, 2), (5, 3)].into_iter().enumerate() {
        geometry.planes[n] = Plane { offset: n as u32 * 64, stride: 8, row_bytes, rows };
    }
    let lease = lease(geometry, &[1; 256]);
    let sizes = [0, 1, 2, 3].map(|n| lease.component(n).map(|view| (view.width(), view.height())).unwrap());
    assert_eq!(sizes, [(5, 3), (3, 2), (3, 2), (5, 3)]);
    assert!(lease.component(4).is_none());
}

/// Every message says what to do, or what is there.
#[test]
fn errors_in_words() {
    for (error, words) in [
        (SampleError::Size { depth: 10, needed: 2 }, "10 bits take 2 bytes"),
        (SampleError::Packed, "by component"),
        (SampleError::Shifted { depth: 10, shift: 6 }, "10 bits above 6"),
        (SampleError::Float, "row_f32"),
        (SampleError::NotFloat, "integers"),
        (SampleError::ByteOrder, "by component"),
        (SampleError::NotSamples, "palette"),
        (SampleError::Irregular, "row's bytes"),
        (SampleError::Alignment, "aligned"),
        (SampleError::NoSuchRow { row: 7, rows: 5 }, "row 7 of a plane of 5 rows"),
    ] {
        assert!(error.to_string().contains(words), "{error}");
    }
}

/// Whatever bytes an entry is made of: what there is of planes and components can be read without a panic, and lies in
/// the slot.
#[test]
fn geometry_of_chance() {
    let mut state = 0x1d1_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let pixels: Vec<u8> = (0..512).map(|_| random() as u8).collect();
    let (mut planes, mut samples) = (0_u32, 0_u32);
    for _ in 0..20_000 {
        let mut geometry = Geometry::zeroed();
        bytemuck::bytes_of_mut(&mut geometry)
            .iter_mut()
            .for_each(|byte| *byte = random() as u8 >> (random() % 9).min(7));
        if random() % 8 > 0 {
            geometry.width = random() as u32 % 40;
            for plane in &mut geometry.planes {
                let row_bytes = random() as u32 % 64;
                let stride = row_bytes + random() as u32 % 8;
                *plane = Plane { offset: random() as u32 % 300, stride, row_bytes, rows: random() as u32 % 5 };
            }
        }
        let lease = lease(geometry, &pixels);
        for n in 0..6 {
            if let Some(plane) = lease.plane(n) {
                planes += 1;
                let last = plane.height().saturating_sub(1);
                assert!(
                    pixels
                        .as_slice()
                        .windows(plane.bytes().len().max(1))
                        .any(|bytes| plane.bytes().is_empty() || bytes == plane.bytes())
                );
                for y in [0, last, plane.height(), usize::MAX] {
                    _ = (plane.row(y), plane.row_u8(y), plane.row_u16(y), plane.row_u32(y), plane.row_f32(y));
                }
            }
            let Some(component) = lease.component(n) else { continue };
            for y in [0, component.height(), usize::MAX] {
                let Ok(row) = component.row(y) else { continue };
                let (told, depth) = (row.len(), u32::from(component.depth()));
                let mut seen = 0;
                for value in row {
                    seen += 1;
                    assert!(depth >= 32 || value < 1 << depth);
                }
                assert_eq!((told, seen), (component.width(), component.width()));
                samples += seen as u32;
            }
        }
    }
    assert!(planes > 1000 && samples > 1000, "{planes} planes and {samples} samples");
}
