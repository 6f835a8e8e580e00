//! What a branch did with a camera.

use std::path::PathBuf;

/// What a branch did.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Account {
    /// The branch.
    pub name: &'static str,
    /// Frames that it was handed.
    pub frames: u64,
    /// CRC-32 of what it made of them, in hexadecimal digits.
    pub crc32: String,
    /// Encoded pictures that it passed on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pictures: Option<u64>,
    /// Files that it wrote.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// What went wrong, the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}
