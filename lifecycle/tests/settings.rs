//! What the environment may say, and what is said when it is wrong.

#![cfg(not(loom))]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use vas_lifecycle::{CopyMode, FrameExport, HugePages, Problem, Settings};

/// Settings when nothing is wrong, else all that is.
fn of<const N: usize>(vars: [(&str, &str); N]) -> Result<Option<Settings>, Vec<String>> {
    let vars = vars.map(|(name, value)| (format!("AI_FRAME_EXPORT_{name}"), value));
    let (settings, problems) = Settings::from_vars(vars);
    if problems.is_empty() { Ok(settings) } else { Err(problems.iter().map(ToString::to_string).collect()) }
}

#[test]
fn off_unless_it_says_true() {
    assert_eq!(of([]), Ok(None));
    assert_eq!(of([("ENABLED", "")]), Ok(None));
    assert_eq!(of([("ENABLED", "false")]), Ok(None));
    assert_eq!(of([("DEPTH", "7")]), Ok(None));
    assert_eq!(of([("ENABLED", "true")]), Ok(Some(Settings::default())));
    assert_eq!(Settings::from_vars([("PATH", "true"), ("AI_FRAME_EXPOR", "x")]), (None, vec![]));
}

#[test]
fn everything_set() {
    let settings = of([
        ("ENABLED", "true"),
        ("DEPTH", "32"),
        ("MAX_READERS", "31"),
        ("READER_LEASES", "32"),
        ("MEMORY_BUDGET", "3GiB"),
        ("MEMORY_RESERVE", "0"),
        ("HUGE_PAGES", "off"),
        ("COPY", "streaming"),
    ]);
    let expected = Settings {
        depth: 32,
        max_readers: 31,
        reader_leases: 32,
        memory_budget: 3 << 30,
        memory_reserve: 0,
        huge_pages: HugePages::Off,
        copy: CopyMode::Streaming,
    };
    assert_eq!(settings, Ok(Some(expected)));
}

#[test]
fn empty_is_the_default() {
    let names = ["DEPTH", "MAX_READERS", "READER_LEASES", "MEMORY_BUDGET", "MEMORY_RESERVE", "HUGE_PAGES", "COPY"];
    let vars = names.map(|name| (name, ""));
    assert_eq!(of(vars), Ok(None));
}

#[test]
fn budgets() {
    let budget = |value| of([("ENABLED", "true"), ("MEMORY_BUDGET", value)]).map(|s| s.unwrap().memory_budget);
    assert_eq!(budget("1000000000"), Ok(1_000_000_000));
    assert_eq!(budget("512KiB"), Ok(512 << 10));
    assert_eq!(budget("64MiB"), Ok(64 << 20));
    let too_much = format!("{}GiB", u64::MAX);
    for refused in ["0", "-1", "+1", "1.5GiB", "1 GiB", "1GB", "1gib", "GiB", "0x10", "99999999999999999999", &too_much]
    {
        assert_eq!(
            budget(refused),
            Err(vec![format!(
                "AI_FRAME_EXPORT_MEMORY_BUDGET is {refused:?}, accepted is a number of bytes, such as 1000000000, or one \
                 with a unit, such as 512KiB, 512MiB or 2GiB: frame export is off"
            )])
        );
    }
}

/// A bare number that holds no frame is most likely a number of mebibytes.
#[test]
fn a_budget_without_its_unit() {
    for (value, meant) in [("1", "1MiB"), ("512", "512MiB"), ("100000", "512MiB")] {
        let (settings, problems) =
            Settings::from_vars([("AI_FRAME_EXPORT_ENABLED", "true"), ("AI_FRAME_EXPORT_MEMORY_BUDGET", value)]);
        assert_eq!(settings.expect("on").memory_budget.to_string(), value);
        let [problem @ Problem::BudgetTooSmall { budget, needed }] = &problems[..] else { panic!("{problems:?}") };
        assert_eq!((budget.to_string().as_str(), problem.turns_export_off()), (value, false));
        assert_eq!(*needed, Settings::default().ring_bytes(38_016).unwrap());
        let text = problem.to_string();
        assert!(text.starts_with(&format!("AI_FRAME_EXPORT_MEMORY_BUDGET is {value} bytes, and")), "{text}");
        assert!(text.ends_with(&format!("write the unit too, such as {meant}")), "{text}");
    }
}

/// Each message has the variable, its value, and what is accepted; there is one for each, at once, also while off.
#[test]
fn all_errors_at_once() {
    let errors = of([
        ("ENABLED", "yes"),
        ("DEPTH", "33"),
        ("MAX_READERS", "0"),
        ("READER_LEASES", "one"),
        ("MEMORY_BUDGET", "lots"),
        ("MEMORY_RESERVE", "-1"),
        ("HUGE_PAGES", "on"),
        ("COPY", "Auto"),
        ("DETPH", "4"),
    ])
    .unwrap_err();
    let expected = [
        r#"AI_FRAME_EXPORT_ENABLED is "yes", accepted is "true" or "false": frame export is off"#,
        r#"AI_FRAME_EXPORT_DEPTH is "33", accepted is a whole number from 1 to 32: frame export is off"#,
        r#"AI_FRAME_EXPORT_MAX_READERS is "0", accepted is a whole number from 1 to 31: frame export is off"#,
        r#"AI_FRAME_EXPORT_READER_LEASES is "one", accepted is a whole number from 1 to 32: frame export is off"#,
        r#"AI_FRAME_EXPORT_MEMORY_BUDGET is "lots", accepted is a number of bytes, such as 1000000000, or one with a unit, such as 512KiB, 512MiB or 2GiB: frame export is off"#,
        r#"AI_FRAME_EXPORT_MEMORY_RESERVE is "-1", accepted is a number of bytes, such as 1000000000, or one with a unit, such as 512KiB, 512MiB or 2GiB: frame export is off"#,
        r#"AI_FRAME_EXPORT_HUGE_PAGES is "on", accepted is "auto" or "off": frame export is off"#,
        r#"AI_FRAME_EXPORT_COPY is "Auto", accepted is "auto" or "cached" or "streaming": frame export is off"#,
        r#"AI_FRAME_EXPORT_DETPH is no setting of frame export and changed nothing: after AI_FRAME_EXPORT_ there are ENABLED, DEPTH, MAX_READERS, READER_LEASES, MEMORY_BUDGET, MEMORY_RESERVE, HUGE_PAGES, COPY"#,
    ];
    assert_eq!(errors, expected);
}

/// Names match exactly: neither a sibling in another case nor what an orchestrator injects for a service called
/// `ai-frame-export` sets anything, or turns anything on or off.
#[test]
fn foreign_names_change_nothing() {
    let foreign = [
        "enabled",
        "Enabled",
        "ENABLED ",
        " ENABLED",
        "ENABLED_",
        "_ENABLED",
        "",
        "depth",
        "SERVICE_HOST",
        "SERVICE_PORT",
        "PORT",
        "PORT_80_TCP_ADDR",
        "MEMORY_BUDGET_",
        "memory_budget",
        "\u{0130}",
    ];
    for enabled in [None, Some(""), Some("false"), Some("true")] {
        let ours = enabled.map(|value| ("AI_FRAME_EXPORT_ENABLED".to_owned(), value));
        for value in ["true", "false", "", "tcp://10.0.0.1:80", "8", "lots"] {
            for (n, name) in foreign.into_iter().enumerate() {
                let theirs = (format!("AI_FRAME_EXPORT_{name}"), value);
                // Before and after ours.
                for vars in [vec![theirs.clone()], vec![]].map(|mut vars| {
                    let first = vars.is_empty();
                    vars.extend(ours.clone());
                    vars.extend(first.then(|| theirs.clone()));
                    vars
                }) {
                    let (settings, problems) = Settings::from_vars(vars);
                    assert_eq!(settings, (enabled == Some("true")).then(Settings::default), "{n}: {name:?}={value:?}");
                    assert_eq!(problems, [Problem::Unknown { variables: vec![theirs.0.clone()] }]);
                    assert!(!problems[0].turns_export_off());
                }
            }
        }
    }
    // All of them in one message, whatever their order.
    let vars = ["PORT", "B", "A"].map(|name| (format!("AI_FRAME_EXPORT_{name}"), "x"));
    let (_, problems) = Settings::from_vars(vars);
    let [problem] = &problems[..] else { panic!("{problems:?}") };
    assert!(problem.to_string().starts_with(
        "AI_FRAME_EXPORT_A, AI_FRAME_EXPORT_B, AI_FRAME_EXPORT_PORT are no settings of frame export and changed nothing"
    ));
}

/// Every setting with every kind of wrong value, beside export turned on and off: never on, always told, and nothing else
/// is touched by it.
#[test]
fn wrong_values_turn_export_off() {
    const NAMES: [&str; 8] =
        ["ENABLED", "DEPTH", "MAX_READERS", "READER_LEASES", "MEMORY_BUDGET", "MEMORY_RESERVE", "HUGE_PAGES", "COPY"];
    let broken = OsString::from_vec(vec![b't', 0xff, b'e']);
    let mut wrong: Vec<OsString> = [
        "TRUE", "True", "true ", " true", "\ttrue", "true\n", "yes", "on", "-1", "+4", "4.0", "4 ", "1e3", "\u{664}",
        "none",
    ]
    .map(OsString::from)
    .into();
    wrong.extend([broken.clone(), "9".repeat(1 << 16).into()]);
    for name in NAMES {
        for value in &wrong {
            for enabled in ["true", "false", ""] {
                let mut vars: Vec<(OsString, OsString)> =
                    vec![(format!("AI_FRAME_EXPORT_{name}").into(), value.clone())];
                if name != "ENABLED" {
                    vars.push(("AI_FRAME_EXPORT_ENABLED".into(), enabled.into()));
                }
                let (settings, problems) = Settings::from_vars(vars);
                assert_eq!(settings, None, "{name}={value:?}");
                let [Problem::NotAccepted { variable, value: told, accepted }] = &problems[..] else {
                    panic!("{name}={value:?}: {problems:?}")
                };
                assert_eq!(variable, &format!("AI_FRAME_EXPORT_{name}"));
                assert_eq!(told, &value.to_string_lossy());
                assert!(!accepted.is_empty() && problems[0].turns_export_off());
            }
        }
    }
    // A name that is not Unicode is none of ours.
    let name = OsString::from_vec([b"AI_FRAME_EXPORT_".as_slice(), &[0xff]].concat());
    let (settings, problems) = Settings::from_vars([(name, broken)]);
    assert_eq!(settings, None);
    assert_eq!(problems, [Problem::Unknown { variables: vec!["AI_FRAME_EXPORT_\u{fffd}".into()] }]);
}

/// Of two variables of one name the first counts, as for `getenv`.
#[test]
fn the_first_of_a_name_counts() {
    for (first, second, depth) in [("5", "6", Some(5)), ("5", "x", Some(5)), ("x", "5", None)] {
        let vars = [("ENABLED", "true"), ("DEPTH", first), ("DEPTH", second), ("ENABLED", "false")];
        assert_eq!(of(vars).ok().flatten().map(|settings| settings.depth), depth);
    }
}

/// Numbers that are each accepted and no ring is possible with; given in code, one out of range.
#[test]
fn settings_that_no_ring_is_possible_with() {
    let export = FrameExport::new(Settings { depth: 0, ..Settings::default() });
    assert!(!export.is_enabled());
    let [problem] = export.problems() else { panic!("{:?}", export.problems()) };
    assert_eq!(problem.to_string(), "no ring can be made: ring depth is 0, accepted is 1 to 32: frame export is off");
    assert!(FrameExport::new(Settings::default()).problems().is_empty());
}

/// The table of settings in the documentation names each. (A test of the benches looks at that of the README.)
#[test]
fn all_settings_are_documented() {
    let unknown = of([("x", "")]).unwrap_err().remove(0);
    let (_, names) = unknown.split_once("there are ").unwrap();
    let source = include_str!("../src/settings.rs");
    for name in names.split(", ") {
        assert!(source.contains(&format!("/// | `{name}` | ")), "{name} is not in the table of `Settings`");
    }
    assert!(names.split(", ").count() >= 8, "{names}");
}

/// The sizes that the documentation of `Settings` gives.
#[test]
fn sizes_as_documented() {
    let settings = Settings::default();
    for (width, height, frame, ring, cameras) in
        [(1280, 720, 1_382_400, "9.23", 55), (1920, 1080, 3_110_400, "20.77", 24), (3840, 2160, 12_441_600, "83.06", 6)]
    {
        assert_eq!(width * height * 3 / 2, frame);
        let bytes = settings.ring_bytes(frame).unwrap();
        let mib = format!("{:.2}", bytes as f64 / f64::from(1 << 20));
        assert_eq!((mib.as_str(), settings.memory_budget / bytes), (ring, cameras), "{width}x{height}");
    }
}
