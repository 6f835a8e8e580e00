//! What the environment may say, and what is said when it is wrong.

#![cfg(not(loom))]

use vas_lifecycle::{CopyMode, HugePages, Settings};

fn of<const N: usize>(vars: [(&str, &str); N]) -> Result<Option<Settings>, Vec<String>> {
    let vars = vars.map(|(name, value)| (format!("AI_FRAME_EXPORT_{name}"), value));
    Settings::from_vars(vars).map_err(|error| error.messages().collect())
}

#[test]
fn off_unless_it_says_true() {
    assert_eq!(of([]), Ok(None));
    assert_eq!(of([("ENABLED", "")]), Ok(None));
    assert_eq!(of([("ENABLED", "false")]), Ok(None));
    assert_eq!(of([("DEPTH", "7")]), Ok(None));
    assert_eq!(of([("ENABLED", "true")]), Ok(Some(Settings::default())));
    assert_eq!(Settings::from_vars([("PATH", "true"), ("AI_FRAME_EXPOR", "x")]), Ok(None));
}

#[test]
fn everything_set() {
    let settings = of([
        ("ENABLED", "true"),
        ("DEPTH", "32"),
        ("MAX_READERS", "31"),
        ("READER_LEASES", "32"),
        ("MEMORY_BUDGET", "3GiB"),
        ("HUGE_PAGES", "off"),
        ("COPY", "streaming"),
    ]);
    let expected = Settings {
        depth: 32,
        max_readers: 31,
        reader_leases: 32,
        memory_budget: 3 << 30,
        huge_pages: HugePages::Off,
        copy: CopyMode::Streaming,
    };
    assert_eq!(settings, Ok(Some(expected)));
}

#[test]
fn empty_is_the_default() {
    let names = ["DEPTH", "MAX_READERS", "READER_LEASES", "MEMORY_BUDGET", "HUGE_PAGES", "COPY"];
    let vars = names.map(|name| (name, ""));
    assert_eq!(of(vars), Ok(None));
}

#[test]
fn budgets() {
    let budget = |value| of([("ENABLED", "true"), ("MEMORY_BUDGET", value)]).map(|s| s.unwrap().memory_budget);
    assert_eq!(budget("1"), Ok(1));
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
                 with a unit, such as 512KiB, 512MiB or 2GiB"
            )])
        );
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
        ("HUGE_PAGES", "on"),
        ("COPY", "Auto"),
        ("DETPH", "4"),
    ])
    .unwrap_err();
    let expected = [
        r#"AI_FRAME_EXPORT_ENABLED is "yes", accepted is "true" or "false""#,
        r#"AI_FRAME_EXPORT_DEPTH is "33", accepted is a whole number from 1 to 32"#,
        r#"AI_FRAME_EXPORT_MAX_READERS is "0", accepted is a whole number from 1 to 31"#,
        r#"AI_FRAME_EXPORT_READER_LEASES is "one", accepted is a whole number from 1 to 32"#,
        r#"AI_FRAME_EXPORT_MEMORY_BUDGET is "lots", accepted is a number of bytes, such as 1000000000, or one with a unit, such as 512KiB, 512MiB or 2GiB"#,
        r#"AI_FRAME_EXPORT_HUGE_PAGES is "on", accepted is "auto" or "off""#,
        r#"AI_FRAME_EXPORT_COPY is "Auto", accepted is "auto" or "cached" or "streaming""#,
        r#"AI_FRAME_EXPORT_DETPH is "4", but there is no such setting: there are ENABLED, DEPTH, MAX_READERS, READER_LEASES, MEMORY_BUDGET, HUGE_PAGES, COPY"#,
    ];
    assert_eq!(errors, expected);
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
