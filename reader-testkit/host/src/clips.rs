//! The films of this repository.

use std::path::{Path, PathBuf};

/// Their names.
pub const CLIPS: [&str; 2] = ["bigbuckbunny.mp4", "sintel-captions.ts"];

/// Where one of them is.
pub fn clip(name: &str) -> PathBuf {
    repository().join("reader-testkit/clips").join(name)
}

/// The root of the repository.
pub fn repository() -> &'static Path {
    let host = Path::new(env!("CARGO_MANIFEST_DIR"));
    host.ancestors().nth(2).unwrap_or(host)
}
