//! The films that the cameras show.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::children::{Children, command};
use super::testkit;
use crate::process::target_dir;

/// Prepared once, and kept.
pub(crate) struct Clips {
    /// 720p, one key frame, MP4.
    pub(crate) bunny: PathBuf,
    /// 400x170, MPEG-TS.
    pub(crate) sintel: PathBuf,
    /// 640x360, two B pictures in a row, a key frame each second: what viewers can join late.
    pub(crate) groups: PathBuf,
    /// [`bunny`](Self::bunny) again and again, for faults that take their time.
    pub(crate) long: PathBuf,
    /// Sizes that change five times in mid-stream.
    pub(crate) sizes: PathBuf,
}

impl Clips {
    /// The three that recordings are compared for.
    pub(crate) fn three(&self) -> [&Path; 3] {
        [&self.groups, &self.bunny, &self.sintel]
    }
}

pub(crate) fn prepare(children: &Children) -> Result<Clips> {
    let folder = target_dir("accept").join("clips");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let source = testkit().join("clips");
    let (bunny, sintel) = (source.join("bigbuckbunny.mp4"), source.join("sintel-captions.ts"));
    let ffmpeg = |name: &str, arguments: &[&str]| {
        let path = folder.join(name);
        if !path.exists() {
            // Under its name only once it is whole.
            let part = folder.join(format!("part-{name}"));
            let mut ffmpeg = command("ffmpeg", ["-nostdin", "-y", "-v", "error"]);
            ffmpeg.args(arguments).arg(&part).current_dir(&folder);
            children.run("ffmpeg", &ffmpeg, &folder.join(format!("{name}.log")), Duration::from_secs(120))?;
            fs::rename(&part, &path)?;
        }
        anyhow::Ok(path)
    };
    let film = bunny.to_string_lossy();
    let encoder = ["-an", "-c:v", "libx264", "-threads", "1", "-preset", "fast", "-pix_fmt", "yuv420p"];
    let groups = [&["-stream_loop", "1", "-i", &film, "-vf", "scale=640:360", "-g", "25", "-bf", "2"], &encoder[..]];
    let groups = ffmpeg("groups.mp4", &groups.concat())?;
    let long = ffmpeg("long.mp4", &["-stream_loop", "40", "-i", &film, "-an", "-c", "copy"])?;
    for (name, scale) in [("small.ts", "scale=640:360"), ("large.ts", "scale=960:540")] {
        let part = [&["-i", &film, "-t", "2", "-vf", scale, "-g", "25", "-bf", "0"], &encoder[..]];
        ffmpeg(name, &part.concat())?;
    }
    let list: String = (0..6).map(|n| format!("file '{}'\n", ["small.ts", "large.ts"][n % 2])).collect();
    fs::write(folder.join("sizes.txt"), list)?;
    let sizes = ffmpeg("sizes.ts", &["-f", "concat", "-i", "sizes.txt", "-c", "copy"])?;
    Ok(Clips { bunny, sintel, groups, long, sizes })
}
