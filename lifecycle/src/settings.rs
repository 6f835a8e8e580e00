//! Settings, and how they are read from the environment.

use std::ffi::{OsStr, OsString};
use std::sync::OnceLock;

use vas_ring::{CopyMode, MAX_DEPTH, MAX_LEASES, MAX_READERS};

use crate::available;
use crate::problem::Problem;

/// What every variable's name starts with.
pub const PREFIX: &str = "AI_FRAME_EXPORT_";

/// The flag, which is no field of [`Settings`]: without it there are none.
const ENABLED: &str = "ENABLED";

/// Declares [`Settings`]: for each field its variable after [`PREFIX`], its default, and the function that reads its
/// value. A field that is not here does not exist, and one that is here is read.
macro_rules! settings {
    ($($(#[$doc:meta])* $name:literal $field:ident: $type:ty = $default:expr, $read:expr;)*) => {
        /// What frame export may use once it is on.
        ///
        /// | variable, after `AI_FRAME_EXPORT_` | default | accepted | meaning |
        /// |---|---|---|---|
        /// | `ENABLED` | `false` | `true`, `false` | whether frames are exported at all |
        /// | `DEPTH` | `4` | 1 to 32 | newest frames of a camera that stay readable |
        /// | `MAX_READERS` | `2` | 1 to 31 | readers that a camera may have at once |
        /// | `READER_LEASES` | `1` | 1 to 32 | frames that one reader may hold at once |
        /// | `MEMORY_BUDGET` | `512MiB`, or a quarter of what there is | bytes, or a number with `KiB`, `MiB` or `GiB` | memory for all cameras together |
        /// | `MEMORY_RESERVE` | `64MiB` | as above, and `0` | memory that export leaves to the host |
        /// | `HUGE_PAGES` | `auto` | `auto`, `off` | whether to ask the kernel for huge pages |
        /// | `COPY` | `auto` | `auto`, `cached`, `streaming` | how pixels are copied into the ring |
        ///
        /// Names and values match exactly. A variable that is empty counts as one that is not set. They are read once, by
        /// [`FrameExport::from_env`](crate::FrameExport::from_env). A value that is not accepted turns export off; a
        /// name with the prefix that is none of these changes nothing. Both are told: see [`Problem`].
        ///
        /// A camera takes `DEPTH + MAX_READERS * READER_LEASES + 1` slots of one frame each; [`ring_bytes`] is the exact
        /// sum. With the defaults that is 7 slots, and for 8-bit 4:2:0 video:
        ///
        /// | camera | bytes of a frame | MiB of its ring | cameras in 512 MiB |
        /// |---|---|---|---|
        /// | 1280x720 | 1,382,400 | 9.23 | 55 |
        /// | 1920x1080 | 3,110,400 | 20.77 | 24 |
        /// | 3840x2160 | 12,441,600 | 83.06 | 6 |
        ///
        /// [`ring_bytes`]: Self::ring_bytes
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Settings {
            $($(#[$doc])* pub $field: $type,)*
        }

        /// Every variable's name, after [`PREFIX`].
        pub(crate) const NAMES: &[&str] = &[ENABLED, $($name),*];

        impl Default for Settings {
            /// What there is when only `ENABLED` is set. The budget is a quarter of the memory that there was for this
            /// process when it was first asked for, at most 512 MiB; see [`memory_budget`](Self::memory_budget).
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl Settings {
            fn read(given: &mut Given) -> Self {
                Self { $($field: given.read($name, || $default, $read),)* }
            }
        }
    };
}

settings! {
    /// Newest frames of a camera that stay readable.
    "DEPTH" depth: usize = 4, number(MAX_DEPTH);
    /// Readers that a camera may have at once.
    "MAX_READERS" max_readers: usize = 2, number(MAX_READERS);
    /// Frames that one reader may hold at once.
    "READER_LEASES" reader_leases: usize = 1, number(MAX_LEASES);
    /// Bytes that the rings of all cameras may take together, those included that are no longer written but still read.
    ///
    /// By default a quarter of the memory that there is: what the system, its memory cgroups and the limits of the process
    /// leave when the default is first asked for, and at most 512 MiB.
    "MEMORY_BUDGET" memory_budget: usize = default_budget(), bytes(1);
    /// Bytes that export leaves free when it takes memory, whatever the budget says: in the system, in each memory cgroup,
    /// and below each limit of the process. A camera whose ring would leave less runs without export until there is more.
    "MEMORY_RESERVE" memory_reserve: usize = 64 << 20, bytes(0);
    /// Whether to ask the kernel for huge pages.
    "HUGE_PAGES" huge_pages: HugePages = HugePages::Auto, one_of(&[("auto", HugePages::Auto), ("off", HugePages::Off)]);
    /// How pixels are copied into the ring.
    "COPY" copy: CopyMode = CopyMode::Auto, one_of(&CopyMode::ALL.map(|mode| (mode.name(), mode)));
}

/// Looked for once: a process has one default.
fn default_budget() -> usize {
    const MOST: usize = 512 << 20;
    static BUDGET: OnceLock<usize> = OnceLock::new();
    *BUDGET.get_or_init(|| {
        available::now().map_or(MOST, |least| usize::try_from(least.bytes / 4).map_or(MOST, |n| n.min(MOST)))
    })
}

/// Bytes of a frame of 176x144 pixels in 4:2:0, the smallest that cameras send.
const SMALLEST_FRAME: usize = 176 * 144 * 3 / 2;

impl Settings {
    /// Reads the settings out of variables, given with their full names; those without [`PREFIX`] are passed over.
    /// None when export is off, which is so unless `ENABLED` is `true` and no value is wrong. With them comes everything
    /// that is wrong, also while export is off, so that it does not wait for the day when it is turned on.
    ///
    /// Of several variables of one name the first counts, as for `getenv`.
    ///
    /// ```
    /// # use vas_lifecycle::Settings;
    /// let on = [("AI_FRAME_EXPORT_ENABLED", "true"), ("AI_FRAME_EXPORT_DEPTH", "8"), ("LANG", "C")];
    /// let (settings, problems) = Settings::from_vars(on);
    /// assert_eq!(settings.expect("export is on").depth, 8);
    /// assert!(problems.is_empty());
    /// ```
    pub fn from_vars<K, V>(vars: impl IntoIterator<Item = (K, V)>) -> (Option<Self>, Vec<Problem>)
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let mut given = Given::default();
        for (name, value) in vars {
            given.take(name.into(), value.into());
        }
        given.settings()
    }

    /// What is wrong with these settings beyond what each value may be.
    pub(crate) fn problem(&self) -> Option<Problem> {
        match self.ring_bytes(SMALLEST_FRAME) {
            Ok(needed) if needed > self.memory_budget => {
                Some(Problem::BudgetTooSmall { budget: self.memory_budget, needed })
            }
            Ok(_) => None,
            Err(error) => Some(Problem::Spec(error)),
        }
    }
}

/// Whether to ask the kernel for huge pages, which make copies into rings of large frames up to twice as fast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HugePages {
    /// Where the kernel has them.
    #[default]
    Auto,
    /// Never.
    Off,
}

/// The variables with the prefix, and what was found wrong with them. Empty, it takes no memory: the ordinary case.
#[derive(Default)]
struct Given {
    /// By the name in [`NAMES`].
    values: Vec<(&'static str, OsString)>,
    unknown: Vec<String>,
    problems: Vec<Problem>,
}

impl Given {
    fn take(&mut self, name: OsString, value: OsString) {
        let Some(rest) = name.as_encoded_bytes().strip_prefix(PREFIX.as_bytes()) else { return };
        match NAMES.iter().find(|ours| ours.as_bytes() == rest) {
            Some(_) if value.is_empty() => {}
            Some(ours) if self.values.iter().any(|(known, _)| known == ours) => {}
            Some(ours) => self.values.push((ours, value)),
            None => self.unknown.push(lossy(&name)),
        }
    }

    /// `parse` gives what is accepted when it does not accept the value.
    fn read<T>(&mut self, name: &str, default: impl FnOnce() -> T, parse: impl FnOnce(&str) -> Result<T, String>) -> T {
        let Some((_, value)) = self.values.iter().find(|(known, _)| *known == name) else { return default() };
        // No setting accepts the replacement character, so what is not Unicode is refused by what it is read as.
        let value = lossy(value);
        parse(&value).unwrap_or_else(|accepted| {
            self.problems.push(Problem::NotAccepted { variable: format!("{PREFIX}{name}"), value, accepted });
            default()
        })
    }

    fn settings(mut self) -> (Option<Settings>, Vec<Problem>) {
        let enabled = self.read(ENABLED, || false, one_of(&[("true", true), ("false", false)]));
        let mut settings = None;
        // Nothing is set in the ordinary case of export being off, and nothing is looked for.
        if !self.values.is_empty() {
            let read = Settings::read(&mut self);
            self.problems.extend(read.problem().filter(|_| self.problems.is_empty()));
            settings = (enabled && !self.problems.iter().any(Problem::turns_export_off)).then_some(read);
        }
        if !self.unknown.is_empty() {
            self.unknown.sort();
            self.problems.push(Problem::Unknown { variables: self.unknown });
        }
        (settings, self.problems)
    }
}

fn lossy(text: &OsStr) -> String {
    text.to_string_lossy().into_owned()
}

fn one_of<T: Copy>(choices: &[(&str, T)]) -> impl FnOnce(&str) -> Result<T, String> {
    move |value| match choices.iter().find(|(name, _)| *name == value) {
        Some((_, choice)) => Ok(*choice),
        None => {
            let names: Vec<_> = choices.iter().map(|(name, _)| format!("{name:?}")).collect();
            Err(names.join(" or "))
        }
    }
}

fn number(max: usize) -> impl FnOnce(&str) -> Result<usize, String> {
    move |value| match digits(value) {
        Some(n) if (1..=max).contains(&n) => Ok(n),
        _ => Err(format!("a whole number from 1 to {max}")),
    }
}

fn bytes(least: usize) -> impl FnOnce(&str) -> Result<usize, String> {
    move |value| {
        let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
        let (number, unit) = units
            .into_iter()
            .find_map(|(suffix, unit)| value.strip_suffix(suffix).map(|number| (number, unit)))
            .unwrap_or((value, 1));
        digits(number)
            .and_then(|n: usize| n.checked_mul(unit))
            .filter(|&n| (least..=isize::MAX as usize).contains(&n))
            .ok_or_else(|| {
                "a number of bytes, such as 1000000000, or one with a unit, such as 512KiB, 512MiB or 2GiB".into()
            })
    }
}

/// Digits only: `parse` alone takes a sign too.
fn digits(value: &str) -> Option<usize> {
    value.bytes().all(|b| b.is_ascii_digit()).then(|| value.parse().ok()).flatten()
}
