//! The programs of `tap/tests/bindings`: a host for each of the bindings to FFmpeg.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::table::Cell;
use crate::process::root;

/// Where they are.
pub(super) const FOLDER: &str = "tap/tests/bindings";

/// A version of FFmpeg: major and minor number.
pub(super) type Version = (u32, u32);

/// One program, a workspace of its own.
pub(super) struct Program {
    /// Its folder.
    pub(super) folder: &'static str,
    /// The package of its bindings.
    bindings: &'static str,
    /// The features that it takes with this FFmpeg; none where its bindings are not made for that.
    pub(super) features: fn(Version) -> Option<&'static str>,
}

/// What bindings are made for is what they were found to be built with: ffmpeg-next 9 is for every FFmpeg, for one.
pub(super) const PROGRAMS: &[Program] = &[
    Program { folder: "ffmpeg-next-7", bindings: "ffmpeg-next", features: |ffmpeg| (ffmpeg < (8, 0)).then_some("") },
    Program { folder: "ffmpeg-next-8", bindings: "ffmpeg-next", features: |ffmpeg| (ffmpeg < (9, 0)).then_some("") },
    Program { folder: "ffmpeg-next-9", bindings: "ffmpeg-next", features: |_| Some("") },
    Program {
        folder: "ffmpeg-the-third-3",
        bindings: "ffmpeg-the-third",
        features: |ffmpeg| (ffmpeg < (8, 0)).then_some(""),
    },
    Program {
        folder: "ffmpeg-the-third-6",
        bindings: "ffmpeg-the-third",
        features: |ffmpeg| (ffmpeg >= (5, 1)).then_some(""),
    },
    Program {
        folder: "ez-ffmpeg-0.19",
        bindings: "ez-ffmpeg",
        features: |ffmpeg| ((7, 0)..(9, 0)).contains(&ffmpeg).then_some(""),
    },
    Program {
        folder: "rsmpeg-0.14",
        bindings: "rsmpeg",
        features: |ffmpeg| match ffmpeg {
            (4, _) => Some(""),
            (5, _) => Some("ffmpeg5"),
            (6, _) => Some("ffmpeg6"),
            _ => None,
        },
    },
    Program {
        folder: "rsmpeg-0.18",
        bindings: "rsmpeg",
        features: |ffmpeg| match ffmpeg {
            (6, _) => Some("ffmpeg6"),
            (7, 1) => Some("ffmpeg7_1"),
            (8, _) => Some("ffmpeg8"),
            _ => None,
        },
    },
];

/// What they need beside what the workspace does: rsmpeg and ez-ffmpeg link all of FFmpeg's libraries.
pub(super) const PACKAGES: [&str; 3] = ["libavdevice-dev", "libavfilter-dev", "libswresample-dev"];

/// Where a system has the `pkg-config` that the programs are built with.
pub(super) const PKG_CONFIG: &str = "usr/local/bin/shared-pkg-config";

impl Program {
    /// Starts from the workspace's versions of what both depend on.
    pub(super) fn lock(&self, sources: &Path) -> Result<()> {
        let lock = sources.join(FOLDER).join(self.folder).join("Cargo.lock");
        fs::copy(root().join("Cargo.lock"), &lock).with_context(|| format!("cannot write {}", lock.display()))?;
        Ok(())
    }

    /// Of the bindings, the version that cargo took, once the program has been built.
    pub(super) fn version(&self, sources: &Path) -> Option<String> {
        let lock = fs::read_to_string(sources.join(FOLDER).join(self.folder).join("Cargo.lock")).ok()?;
        locked(&lock, self.bindings).map(str::to_owned)
    }

    /// Its bindings, of this version.
    pub(super) fn row(&self, version: &str) -> String {
        // What follows a plus says which FFmpeg they were made with, not which they are for.
        let (version, _) = version.split_once('+').unwrap_or((version, ""));
        format!("{} {version}", self.bindings)
    }
}

/// The version of a package in a lock file.
fn locked<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let (_, rest) = lock.split_once(&format!("\nname = \"{package}\"\nversion = \""))?;
    rest.split_once('"').map(|(version, _)| version)
}

/// `7.1.5`
pub(super) fn major_and_minor(version: &str) -> Option<Version> {
    let mut numbers = version.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// What a program that ended well has printed: a line for each clip.
pub(super) fn cell(printed: &str) -> Cell {
    let clips = printed.lines().filter(|line| line.ends_with(" frames are those of the decoder"));
    if clips.count() == 2 { Cell::Same } else { Cell::Failed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_is_there_and_names_its_bindings() {
        for program in PROGRAMS {
            let manifest = root().join(FOLDER).join(program.folder).join("Cargo.toml");
            let text = fs::read_to_string(&manifest).unwrap();
            assert!(text.contains(&format!("\n{} = ", program.bindings)), "{}", manifest.display());
        }
        let folders = fs::read_dir(root().join(FOLDER)).unwrap().count();
        assert_eq!(folders, PROGRAMS.len() + 1, "the programs, and what they share");
    }

    #[test]
    fn versions() {
        assert_eq!(["7.1.5", "9.0", "9", "x.1"].map(major_and_minor), [Some((7, 1)), Some((9, 0)), None, None]);
        let lock =
            "[[package]]\nname = \"a-b\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"a\"\nversion = \"2.0.0+x\"\n";
        assert_eq!((locked(lock, "a"), locked(lock, "b")), (Some("2.0.0+x"), None));
        assert_eq!(PROGRAMS[0].row("7.1.0+ffmpeg.8"), "ffmpeg-next 7.1.0");
    }

    #[test]
    fn silence_is_no_success() {
        let line = "a.mp4: 7 frames are those of the decoder\n";
        assert_eq!([cell(""), cell(line), cell(&line.repeat(2))], [Cell::Failed, Cell::Failed, Cell::Same]);
    }
}
