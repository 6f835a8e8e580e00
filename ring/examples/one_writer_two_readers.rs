//! One writer and two readers, without FFmpeg: one reader takes whatever is newest, the other every frame that it can get.
//!
//! `cargo run -p vas-ring --example one_writer_two_readers`

use std::error::Error;
use std::thread;
use std::time::Duration;

use vas_ring::{
    Component, FrameEntry, Geometry, HeapMemory, Identity, PixelFormat, Plane, ReadError, Reader, ReaderStats, Ring,
    RingSpec, Writer,
};

const WIDTH: u32 = 640;
const HEIGHT: u32 = 360;
const FRAMES: u32 = 50;

fn main() -> Result<(), Box<dyn Error>> {
    // The 4 newest frames stay readable, for 2 readers that hold 1 frame each at most.
    let spec = RingSpec::new(4, 2, 1, (WIDTH * HEIGHT) as usize)?;
    println!("{} slots, {} bytes in all", spec.slots(), spec.total_bytes());
    let identity = Identity { camera_id: "door".parse()?, ..Identity::default() };
    let (ring, writer) = Ring::new(spec, identity, HeapMemory::for_spec(&spec))?;

    // Subscribed before the first frame, so that what each misses is its own doing.
    let newest = ring.subscribe()?;
    let every = ring.subscribe()?;
    let newest = thread::spawn(move || watch(newest, Reader::latest, Duration::from_millis(100)));
    let every = thread::spawn(move || watch(every, Reader::next, Duration::ZERO));

    write(writer)?;
    // The writer is gone: both readers come to the end.
    for (name, reader) in [("newest", newest), ("every", every)] {
        let (brightness, stats) = reader.join().expect("no reader panics");
        println!("{name}: {} seen, {:?}, brightness {brightness:.1}", stats.seen, stats.missed);
        assert_eq!(stats.seen + stats.missed.total(), FRAMES.into());
    }
    Ok(())
}

/// Publishes a picture that gets brighter, every 20 ms.
fn write(mut writer: Writer) -> Result<(), Box<dyn Error>> {
    let luma = Plane { offset: 0, stride: WIDTH, row_bytes: WIDTH, rows: HEIGHT };
    let geometry = Geometry {
        width: WIDTH,
        height: HEIGHT,
        pixel_format: PixelFormat::new("gray", -1, 1, &[Component::alone(0, 8)], (0, 0), 0),
        planes: [luma, Plane::default(), Plane::default(), Plane::default()],
        ..Geometry::default()
    };
    for n in 0..FRAMES {
        let mut claim = writer.claim()?;
        claim.pixels_mut().fill(n as u8);
        claim.publish(&FrameEntry { geometry, bytes: WIDTH * HEIGHT, raw_pts: n.into(), ..FrameEntry::default() });
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Reads until the writer is gone, and takes so long over each frame. Returns the mean brightness of all that it saw.
fn watch(
    mut reader: Reader,
    read: fn(&mut Reader) -> Result<Option<vas_ring::Lease>, ReadError>,
    pause: Duration,
) -> (f64, ReaderStats) {
    let (mut sum, mut samples) = (0, 0);
    loop {
        match read(&mut reader) {
            Ok(Some(frame)) => {
                let luma = frame.plane(0).expect("a grey picture has one plane");
                for row in luma.rows() {
                    sum += row.iter().map(|&sample| u64::from(sample)).sum::<u64>();
                    samples += row.len();
                }
                thread::sleep(pause);
            }
            Ok(None) | Err(ReadError::Overtaken) => thread::sleep(Duration::from_millis(1)),
            Err(_) => return (sum as f64 / samples.max(1) as f64, reader.stats()),
        }
    }
}
