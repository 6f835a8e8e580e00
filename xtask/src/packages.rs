//! The system packages that this workspace needs, and what for.

use clap::ValueEnum;

use crate::setup::probe::Probe;

/// What a set of packages is for; a task asks for the groups that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// To build the workspace, its tests and the demo.
    Build,
    /// To make test streams, and to look at a running program from outside.
    Tools,
    /// The cameras of `cargo xtask accept`: GStreamer's RTSP server.
    Cameras,
    /// To build MediaSoup, for the full `cargo xtask accept`.
    Mediasoup,
    /// To make bare systems, for `cargo xtask matrix`.
    Matrix,
    /// To build for 64-bit ARM and run that, for `cargo xtask arm`.
    Arm,
}

/// One Debian package.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) debian: &'static str,
    pub(crate) group: Group,
    pub(crate) needed_for: &'static str,
    /// How to tell that what it brings is there, when dpkg does not know of it.
    pub(crate) probe: Probe,
}

/// Kept minimal: apt adds what these depend on (libswresample-dev, for one).
pub(crate) const PACKAGES: &[Package] = &[
    Package {
        debian: "pkg-config",
        group: Group::Build,
        needed_for: "finding FFmpeg's libraries",
        probe: Probe::Program("pkg-config"),
    },
    Package {
        debian: "libclang-dev",
        group: Group::Build,
        needed_for: "generating the FFmpeg bindings",
        probe: Probe::LibClang,
    },
    Package {
        debian: "libavutil-dev",
        group: Group::Build,
        needed_for: "vas-tap: frames and pixel formats",
        probe: Probe::Library("libavutil"),
    },
    Package {
        debian: "libavcodec-dev",
        group: Group::Build,
        needed_for: "the test host: decoding",
        probe: Probe::Library("libavcodec"),
    },
    Package {
        debian: "libavformat-dev",
        group: Group::Build,
        needed_for: "the test host: files and RTSP",
        probe: Probe::Library("libavformat"),
    },
    Package {
        debian: "libswscale-dev",
        group: Group::Build,
        needed_for: "the test host: the contact sheet",
        probe: Probe::Library("libswscale"),
    },
    Package {
        debian: "ffmpeg",
        group: Group::Tools,
        needed_for: "making test streams",
        probe: Probe::Program("ffmpeg"),
    },
    Package { debian: "valgrind", group: Group::Tools, needed_for: "memory checks", probe: Probe::Program("valgrind") },
    Package {
        debian: "strace",
        group: Group::Tools,
        needed_for: "counting system calls",
        probe: Probe::Program("strace"),
    },
    Package {
        debian: "python3-gi",
        group: Group::Cameras,
        needed_for: "cameras: Python's bindings of GStreamer",
        probe: Probe::UnderLib("python3/dist-packages/gi/__init__.py"),
    },
    Package {
        debian: "gir1.2-gst-rtsp-server-1.0",
        group: Group::Cameras,
        needed_for: "cameras: the RTSP server",
        probe: Probe::UnderLib("girepository-1.0/GstRtspServer-1.0.typelib"),
    },
    Package {
        debian: "gstreamer1.0-plugins-base",
        group: Group::Cameras,
        needed_for: "cameras: streams",
        probe: Probe::UnderLib("gstreamer-1.0/libgstapp.so"),
    },
    Package {
        debian: "gstreamer1.0-plugins-good",
        group: Group::Cameras,
        needed_for: "cameras: MP4 and RTP",
        probe: Probe::UnderLib("gstreamer-1.0/libgstrtp.so"),
    },
    Package {
        debian: "gstreamer1.0-plugins-bad",
        group: Group::Cameras,
        needed_for: "cameras: H.264 and MPEG-TS",
        probe: Probe::UnderLib("gstreamer-1.0/libgstvideoparsersbad.so"),
    },
    Package {
        debian: "make",
        group: Group::Mediasoup,
        needed_for: "building MediaSoup",
        probe: Probe::Program("make"),
    },
    Package { debian: "g++", group: Group::Mediasoup, needed_for: "building MediaSoup", probe: Probe::Program("g++") },
    Package {
        debian: "python3",
        group: Group::Mediasoup,
        needed_for: "building MediaSoup",
        probe: Probe::Program("python3"),
    },
    Package {
        debian: "debootstrap",
        group: Group::Matrix,
        needed_for: "making bare systems",
        probe: Probe::Program("debootstrap"),
    },
    Package {
        debian: "gcc-aarch64-linux-gnu",
        group: Group::Arm,
        needed_for: "linking for 64-bit ARM",
        probe: Probe::Program("aarch64-linux-gnu-gcc"),
    },
    Package {
        debian: "qemu-user-static",
        group: Group::Arm,
        needed_for: "running that",
        probe: Probe::Program("qemu-aarch64-static"),
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::process::root;

    /// What a minimal Debian with a compiler and rustup has, and each of our tasks may run: its essential packages,
    /// binutils as the compiler's linker, git where the sources came from. `kill` and `ps`, of procps, are not among
    /// them.
    const THERE: [&str; 10] = ["dpkg-query", "env", "false", "git", "id", "nm", "rustc", "rustup", "setpriv", "strip"];
    /// Run where it is there, to ask for what takes root.
    const IF_PRESENT: [&str; 1] = ["sudo"];
    /// What brings a program along whose package is named after something else.
    const BROUGHT: [(&str, &str); 2] = [("ffprobe", "ffmpeg"), ("/usr/bin/python3", "python3-gi")];

    /// The programs that sources name where they make a command.
    fn named(folder: &Path, programs: &mut BTreeSet<String>) {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                named(&path, programs);
            } else if name.ends_with(".rs") && !path.ends_with(Path::new(file!()).file_name().unwrap()) {
                let text = fs::read_to_string(&path).unwrap();
                for call in [r#"Command::new(""#, r#"command(""#, r#" run(""#, r#".run(""#] {
                    let rests = text.split(call).skip(1);
                    programs.extend(rests.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
                }
            }
        }
    }

    #[test]
    fn each_program_that_is_run_is_installed() {
        let mut programs = BTreeSet::new();
        named(&root(), &mut programs);
        for known in ["ffmpeg", "strace", "valgrind", "git"] {
            assert!(programs.contains(known), "{known} was not found among {programs:?}");
        }
        let installed = |name: &str| PACKAGES.iter().any(|package| package.debian == name);
        for name in &programs {
            let package = BROUGHT.iter().find(|(program, _)| program == name).map_or(&**name, |(_, package)| package);
            let there = THERE.contains(&&**name) || IF_PRESENT.contains(&&**name) || name.contains("cargo");
            assert!(there || installed(package), "nothing in PACKAGES brings `{name}`, which a test or a task runs");
        }
    }
}
