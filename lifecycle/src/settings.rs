//! Settings, and how they are read from the environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use vas_ring::{CopyMode, MAX_BUDGET, MAX_DEPTH, MAX_READERS};

/// What every variable's name starts with.
pub const PREFIX: &str = "AI_FRAME_EXPORT_";

const ENABLED: &str = "ENABLED";
const DEPTH: &str = "DEPTH";
const READERS: &str = "MAX_READERS";
const LEASES: &str = "READER_LEASES";
const BUDGET: &str = "MEMORY_BUDGET";
const HUGE_PAGES: &str = "HUGE_PAGES";
const COPY: &str = "COPY";
const NAMES: [&str; 7] = [ENABLED, DEPTH, READERS, LEASES, BUDGET, HUGE_PAGES, COPY];

/// What frame export may use once it is on.
///
/// | variable, after `AI_FRAME_EXPORT_` | default | accepted | meaning |
/// |---|---|---|---|
/// | `ENABLED` | `false` | `true`, `false` | whether frames are exported at all |
/// | `DEPTH` | `4` | 1 to 32 | newest frames of a camera that stay readable |
/// | `MAX_READERS` | `2` | 1 to 31 | readers that a camera may have at once |
/// | `READER_LEASES` | `1` | 1 to 32 | frames that one reader may hold at once |
/// | `MEMORY_BUDGET` | `512MiB` | bytes, or a number with `KiB`, `MiB` or `GiB` | memory for all cameras together |
/// | `HUGE_PAGES` | `auto` | `auto`, `off` | whether to ask the kernel for huge pages |
/// | `COPY` | `auto` | `auto`, `cached`, `streaming` | how pixels are copied into the ring |
///
/// A variable that is empty counts as one that is not set. They are read once, by
/// [`FrameExport::from_env`](crate::FrameExport::from_env).
///
/// A camera takes `DEPTH + MAX_READERS * READER_LEASES + 1` slots of one frame each; [`ring_bytes`] is the exact sum.
/// With the defaults that is 7 slots, and for 8-bit 4:2:0 video:
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
    /// Newest frames of a camera that stay readable.
    pub depth: usize,
    /// Readers that a camera may have at once.
    pub max_readers: usize,
    /// Frames that one reader may hold at once.
    pub reader_leases: usize,
    /// Bytes that the rings of all cameras may take together, those included that are no longer written but still read.
    pub memory_budget: usize,
    /// Whether to ask the kernel for huge pages.
    pub huge_pages: HugePages,
    /// How pixels are copied into the ring.
    pub copy: CopyMode,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            depth: 4,
            max_readers: 2,
            reader_leases: 1,
            memory_budget: 512 << 20,
            huge_pages: HugePages::Auto,
            copy: CopyMode::Auto,
        }
    }
}

impl Settings {
    /// Reads the settings out of variables, given with their full names; those without [`PREFIX`] are passed over.
    /// None when export is off.
    ///
    /// ```
    /// # use vas_lifecycle::Settings;
    /// let on = [("AI_FRAME_EXPORT_ENABLED", "true"), ("AI_FRAME_EXPORT_DEPTH", "8"), ("LANG", "C")];
    /// let settings = Settings::from_vars(on)?.expect("export is on");
    /// assert_eq!(settings.depth, 8);
    ///
    /// let error = Settings::from_vars([("AI_FRAME_EXPORT_DEPTH", "lots")]).unwrap_err();
    /// assert_eq!(error.to_string(), r#"AI_FRAME_EXPORT_DEPTH is "lots", accepted is a whole number from 1 to 32"#);
    /// # Ok::<(), vas_lifecycle::SettingsError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// All that is wrong at once, also while export is off, so that it does not wait for the day when it is turned on.
    /// An unknown name that starts with the prefix is wrong too: it is most likely a misspelt one.
    pub fn from_vars<K, V>(vars: impl IntoIterator<Item = (K, V)>) -> Result<Option<Self>, SettingsError>
    where
        K: Into<String>,
        V: Into<String>,
    {
        let vars = vars.into_iter().map(|(name, value)| (name.into(), value.into()));
        let given: Given = match envy::prefixed(PREFIX).from_iter(vars) {
            Ok(given) => given,
            // `Given` takes any text, so only a change of envy gets here.
            Err(error) => return Err(SettingsError { problems: vec![Problem::of_envy(&error)] }),
        };
        given.settings()
    }

    /// As [`from_vars`](Self::from_vars), from variables as the system gives them. What is not Unicode is not accepted.
    pub(crate) fn from_os_vars(
        vars: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Option<Self>, SettingsError> {
        let ours = vars.into_iter().filter(|(name, _)| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()));
        // No setting accepts the replacement character, so what is lost here is refused there.
        let text = |os: OsString| os.to_string_lossy().into_owned();
        Self::from_vars(ours.map(|(name, value)| (text(name), text(value))))
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

/// The variables as they are given, by their lower-case names without prefix. Nothing is judged here, since envy stops
/// at the first error and says neither the variable's name nor what is accepted.
struct Given(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Given;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("variables")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Given, A::Error> {
                let mut given = BTreeMap::new();
                while let Some((name, value)) = map.next_entry()? {
                    given.insert(name, value);
                }
                Ok(Given(given))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

impl Given {
    fn settings(mut self) -> Result<Option<Settings>, SettingsError> {
        let mut problems = Vec::new();
        let default = Settings::default();
        let flags = &[("true", true), ("false", false)];
        let pages = &[("auto", HugePages::Auto), ("off", HugePages::Off)];
        let copies = &CopyMode::ALL.map(|mode| (mode.name(), mode));

        let enabled = self.read(ENABLED, false, one_of(flags), &mut problems);
        let settings = Settings {
            depth: self.read(DEPTH, default.depth, number(MAX_DEPTH), &mut problems),
            max_readers: self.read(READERS, default.max_readers, number(MAX_READERS), &mut problems),
            reader_leases: self.read(LEASES, default.reader_leases, number(MAX_BUDGET), &mut problems),
            memory_budget: self.read(BUDGET, default.memory_budget, bytes, &mut problems),
            huge_pages: self.read(HUGE_PAGES, default.huge_pages, one_of(pages), &mut problems),
            copy: self.read(COPY, default.copy, one_of(copies), &mut problems),
        };
        problems.extend(self.0.into_iter().map(|(name, value)| Problem::of_unknown(&name, value)));
        match (problems.is_empty(), enabled) {
            (false, _) => Err(SettingsError { problems }),
            (true, false) => Ok(None),
            (true, true) => Ok(Some(settings)),
        }
    }

    /// Takes a variable out. `parse` gives what is accepted when it does not accept the value.
    fn read<T>(
        &mut self,
        name: &str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
        problems: &mut Vec<Problem>,
    ) -> T {
        // An empty map is the ordinary case of export being off, and costs no allocation.
        if self.0.is_empty() {
            return default;
        }
        match self.0.remove(&name.to_lowercase()) {
            Some(value) if !value.is_empty() => parse(&value).unwrap_or_else(|accepted| {
                problems.push(Problem { variable: format!("{PREFIX}{name}"), value, accepted: Some(accepted) });
                default
            }),
            _ => default,
        }
    }
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

fn bytes(value: &str) -> Result<usize, String> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    let (number, unit) = units
        .into_iter()
        .find_map(|(suffix, unit)| value.strip_suffix(suffix).map(|number| (number, unit)))
        .unwrap_or((value, 1));
    digits(number)
        .and_then(|n: usize| n.checked_mul(unit))
        .filter(|&n| (1..=isize::MAX as usize).contains(&n))
        .ok_or_else(|| {
            "a number of bytes, such as 1000000000, or one with a unit, such as 512KiB, 512MiB or 2GiB".into()
        })
}

/// Digits only: `parse` alone takes a sign too.
fn digits(value: &str) -> Option<usize> {
    value.bytes().all(|b| b.is_ascii_digit()).then(|| value.parse().ok()).flatten()
}

/// What is wrong with the settings: everything at once. Export is off then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    problems: Vec<Problem>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    variable: String,
    value: String,
    /// None when there is no such variable.
    accepted: Option<String>,
}

impl Problem {
    fn of_unknown(name: &str, value: String) -> Self {
        Self { variable: format!("{PREFIX}{}", name.to_uppercase()), value, accepted: None }
    }

    fn of_envy(error: &envy::Error) -> Self {
        Self { variable: format!("{PREFIX}*"), value: error.to_string(), accepted: Some("text".into()) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {:?}, ", self.variable, self.value)?;
        match &self.accepted {
            Some(accepted) => write!(f, "accepted is {accepted}"),
            None => write!(f, "but there is no such setting: there are {}", NAMES.join(", ")),
        }
    }
}

impl SettingsError {
    /// One message for each variable.
    pub fn messages(&self) -> impl Iterator<Item = String> + '_ {
        self.problems.iter().map(ToString::to_string)
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{problem}", if n == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingsError {}
