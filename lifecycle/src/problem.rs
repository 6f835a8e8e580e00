//! What was wrong when export was set up: kept for whoever asks, and told once.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::settings::{NAMES, PREFIX};

/// Something that was wrong when frame export was set up. None of it is an error of the host's: VAS goes on, with or
/// without export, as [`turns_export_off`](Self::turns_export_off) says.
///
/// [`FrameExport`](crate::FrameExport) keeps them, in [`problems`](crate::FrameExport::problems), and tells each once:
/// as an event of `tracing` when that feature is on and somebody listens, else in a line on standard error.
///
/// ```
/// use vas_lifecycle::Settings;
///
/// let vars = [("AI_FRAME_EXPORT_ENABLED", "true"), ("AI_FRAME_EXPORT_DEPTH", "lots")];
/// let (settings, problems) = Settings::from_vars(vars);
/// assert_eq!(settings, None, "a wrong value turns export off");
/// assert_eq!(
///     problems[0].to_string(),
///     r#"AI_FRAME_EXPORT_DEPTH is "lots", accepted is a whole number from 1 to 32: frame export is off"#
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// A setting has a value that is not accepted. Export is off, whatever the others say.
    NotAccepted {
        /// The variable.
        variable: String,
        /// Its value; what is not Unicode is replaced.
        value: String,
        /// What is accepted.
        accepted: String,
    },
    /// Variables that have the prefix and are no settings: misspelt, or somebody else's. They change nothing.
    Unknown {
        /// Their names, sorted; what is not Unicode is replaced.
        variables: Vec<String>,
    },
    /// The memory budget holds no ring of even the smallest frames that cameras send. Export is on, and no camera gets
    /// memory.
    BudgetTooSmall {
        /// The budget, in bytes.
        budget: usize,
        /// Bytes of a ring of 176x144 pixels with these settings.
        needed: usize,
    },
    /// Depth, readers and leases are such that no ring can be made. Export is off.
    Spec(vas_ring::SpecError),
    /// The system does not give the control thread. Export is off.
    Thread {
        /// What it said.
        kind: io::ErrorKind,
    },
}

impl Problem {
    /// Whether export is off because of it.
    pub fn turns_export_off(&self) -> bool {
        match self {
            Self::NotAccepted { .. } | Self::Spec(_) | Self::Thread { .. } => true,
            Self::Unknown { .. } | Self::BudgetTooSmall { .. } => false,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAccepted { variable, value, accepted } => {
                write!(f, "{variable} is {value:?}, accepted is {accepted}: frame export is off")
            }
            Self::Unknown { variables } => {
                let (is, setting) = if variables.len() == 1 { ("is", "no setting") } else { ("are", "no settings") };
                let (ours, rest) = (variables.join(", "), NAMES.join(", "));
                write!(f, "{ours} {is} {setting} of frame export and changed nothing: after {PREFIX} there are {rest}")
            }
            Self::BudgetTooSmall { budget, needed } => write!(
                f,
                "{PREFIX}MEMORY_BUDGET is {budget} bytes, and the smallest camera, of 176x144 pixels, takes {needed}: no \
                 camera is exported; write the unit too, such as {}",
                suggestion(*budget)
            ),
            Self::Spec(error) => write!(f, "no ring can be made: {error}: frame export is off"),
            Self::Thread { kind } => write!(
                f,
                "the system does not give a thread: {kind}; raise the limit of threads of the process: frame export is off"
            ),
        }
    }
}

/// What was most likely meant by a bare number: as many mebibytes, if that is a number that somebody may have meant.
fn suggestion(budget: usize) -> String {
    if budget < 1 << 16 { format!("{budget}MiB") } else { "512MiB".into() }
}

/// No allocation when there is none.
pub(crate) fn kept(problems: Vec<Problem>) -> Option<Arc<[Problem]>> {
    (!problems.is_empty()).then(|| problems.into())
}
