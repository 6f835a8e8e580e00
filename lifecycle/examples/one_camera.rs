//! One camera, every frame.
//!
//! `cargo run --example one_camera`

mod stand_in;

use std::time::Duration;

use vas_lifecycle::{FrameExport, Settings};

fn main() {
    let export = FrameExport::new(Settings::default());
    let mut reader = export.subscribe("gate");
    let _cameras = stand_in::Cameras::start(&export, &[("gate", 25)]);

    for _ in 0..50 {
        // None when there was no frame for so long. The camera may be gone; when it comes back, so do its frames.
        let Some(frame) = reader.wait(Duration::from_secs(1)) else { continue };
        let mean = frame.plane(0).map_or(0.0, |luma| {
            let sum: u64 = luma.rows().flatten().map(|&sample| u64::from(sample)).sum();
            sum as f64 / (luma.row_bytes() * luma.height()) as f64
        });
        println!("frame {}, {:?} old, mean {mean:.1}", frame.frame_id, frame.age());
    }
    let counts = reader.counts();
    println!("{} seen, {} lost: {:?}", counts.seen, counts.missed.lost(), counts.missed);
}
