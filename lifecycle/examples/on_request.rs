//! A frame when one is asked for, and no copy in between.
//!
//! `cargo run --example on_request`

mod stand_in;

use std::thread;
use std::time::Duration;

use vas_lifecycle::{FrameExport, Rate, Settings, Watch};

fn main() {
    let export = FrameExport::new(Settings::default());
    let _host = stand_in::Cameras::start(&export, &[("door", 25)]);
    let mut door = export.subscribe(Watch::camera("door").rate(Rate::OnRequest).name("doorbell"));

    for ring in 1..=5 {
        // Somebody rings the bell.
        thread::sleep(Duration::from_millis(400));
        door.request();
        match door.wait(Duration::from_secs(1)) {
            Some(frame) => println!("ring {ring}: frame {}, {:?} old", frame.frame_id, frame.age()),
            None => println!("ring {ring}: {}", door.news().map_or_else(String::new, |news| news.to_string())),
        }
    }
    let camera = export.stats().cameras.remove(0);
    println!("{} offered, {} copied", camera.offered, camera.published);
}
