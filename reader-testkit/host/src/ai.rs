//! The AI side: what reads the cameras' frames. VAS knows nothing of it, and without frame export there is nobody.

/// What lifecycle calls its thread.
const EXPORT_THREAD: &str = "frame-export";

#[cfg(feature = "export")]
mod audience;
mod kind;
#[cfg(feature = "export")]
mod reader;
#[cfg(feature = "export")]
mod sheet;

pub use kind::Kind;

#[cfg(not(feature = "export"))]
pub use absent::{Audience, turn_on_unless_told};
#[cfg(feature = "export")]
pub use audience::{Audience, turn_on_unless_told};

#[cfg(not(feature = "export"))]
mod absent {
    use std::error::Error;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::time::Duration;

    use super::Kind;
    use crate::camera::Camera;
    use crate::figures::{ExportFigures, Exported};
    use crate::process;
    use crate::vas::Vas;

    /// There is nothing to turn on.
    pub fn turn_on_unless_told() -> bool {
        false
    }

    /// Nobody.
    pub struct Audience;

    impl Audience {
        pub fn join(_: &Arc<Vas>, _: &[Arc<Camera>], _: &[Vec<Kind>], _: Option<Duration>) -> Self {
            Self
        }

        pub fn export(&self) -> ExportFigures {
            ExportFigures { threads: process::threads_named(super::EXPORT_THREAD), ..ExportFigures::default() }
        }

        pub fn exported(&self, _: &Camera) -> Option<Exported> {
            None
        }

        pub fn leave(&mut self) -> Vec<String> {
            Vec::new()
        }

        pub fn undrawn(&self) -> Vec<String> {
            Vec::new()
        }

        pub fn contact_sheet(&self, _: &Path) -> Result<Option<PathBuf>, Box<dyn Error>> {
            Ok(None)
        }
    }
}
