//! The AI side: what reads the cameras' frames. VAS knows nothing of it, and without frame export there is nobody.

/// What lifecycle calls its thread.
const EXPORT_THREAD: &str = "frame-export";

#[path = "ai/kind.rs"]
mod kind;

pub(crate) use kind::Kind;

#[cfg(feature = "export")]
#[path = "ai"]
mod present {
    pub(crate) mod audience;
    mod reader;
    pub(crate) mod sheet;
}

#[cfg(feature = "export")]
pub(crate) use present::audience::{Audience, turn_on_unless_told};

#[cfg(not(feature = "export"))]
pub(crate) use absent::{Audience, turn_on_unless_told};

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
    pub(crate) fn turn_on_unless_told() -> bool {
        false
    }

    /// Nobody.
    pub(crate) struct Audience;

    impl Audience {
        pub(crate) fn join(_: &Arc<Vas>, _: &[Arc<Camera>], _: &[Kind], _: Option<Duration>) -> Self {
            Self
        }

        pub(crate) fn export(&self) -> ExportFigures {
            ExportFigures { threads: process::threads_named(super::EXPORT_THREAD), ..ExportFigures::default() }
        }

        pub(crate) fn exported(&self, _: &Camera) -> Option<Exported> {
            None
        }

        pub(crate) fn leave(&mut self) -> Vec<String> {
            Vec::new()
        }

        pub(crate) fn undrawn(&self) -> Vec<String> {
            Vec::new()
        }

        pub(crate) fn contact_sheet(&self, _: &Path) -> Result<Option<PathBuf>, Box<dyn Error>> {
            Ok(None)
        }
    }
}
