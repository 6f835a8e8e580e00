//! Criterion 9: without the marked lines, the host is the one that was built without export.

use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{ffi::OsString, iter};

use anyhow::{Context, Result, ensure};

use super::Bench;
use super::build::notes;
use super::children::command;
use super::verdict::Criterion;
use crate::process::root;

const MARK: &str = "// frame export";
const MOST_LINES: usize = 4;
const MOST: Duration = Duration::from_secs(300);
/// Where the host's sources are, from the root, and where those without the marked lines are put.
const SOURCES: &str = "reader-testkit/host/src";
const STRIPPED: &str = "target/accept/stripped";

pub(super) fn criterion(bench: &mut Bench) -> Result<Vec<Criterion>> {
    let mut criterion = Criterion::new(9);
    let folder = bench.folder("marked")?;
    let stripped = root().join(STRIPPED);
    if stripped.exists() {
        fs::remove_dir_all(&stripped)?;
    }
    let mut diff = String::new();
    let mut removed = 0;
    for path in sources(&root().join(SOURCES))? {
        let text = fs::read_to_string(&path)?;
        let name = path.strip_prefix(root().join(SOURCES))?;
        let before = removed;
        // Emptied and not taken out, so that the lines after them keep the numbers that panics and traces show.
        let keep = |(n, line): (usize, &str)| {
            if line.ends_with(MARK) {
                removed += 1;
                diff += &format!("{}:{}\n-{}\n", name.display(), n + 1, line);
                return "\n".to_owned();
            }
            format!("{line}\n")
        };
        let kept: String = text.lines().enumerate().map(keep).collect();
        if removed != before {
            diff.push('\n');
        }
        let to = stripped.join(name);
        fs::create_dir_all(to.parent().context("a file is in a folder")?)?;
        fs::write(to, kept)?;
    }
    criterion.judge("marked lines", removed, format!("1 to {MOST_LINES}"), (1..=MOST_LINES).contains(&removed));

    let again = compiled(&bench.builds.absent, &folder)?;
    let code = |program: &Path, name: &str| {
        let to = folder.join(name);
        // What names the sources and the folder is not code: debugging information, and the hash over it.
        let mut strip = command("strip", ["--strip-all", "--remove-section=.note.gnu.build-id", "-o"]);
        strip.arg(&to).arg(program);
        bench.children.run("strip", &strip, &folder.join("strip.log"), MOST)?;
        anyhow::Ok(fs::read(to)?)
    };
    let (absent, without) = (code(&bench.builds.absent, "absent")?, code(&again, "without-lines")?);
    let export = code(&bench.builds.export, "export")?;
    let figure = match absent.iter().zip(&without).position(|(a, b)| a != b) {
        None if absent.len() == without.len() => format!("{} bytes, identical", absent.len()),
        at => format!("{} and {} bytes, different from {at:?} on", absent.len(), without.len()),
    };
    criterion.judge("the program without them", figure, "the absent build, each byte", absent == without);
    // Were export compiled in all the same, the comparison would show nothing.
    let figure = format!("{} and {} bytes", absent.len(), export.len());
    criterion.judge("the program with them", figure, "another", absent != export);
    let programs = [("absent", &bench.builds.absent), ("without-lines", &again), ("export", &bench.builds.export)];
    for (name, program) in programs {
        let crates = crates(program, bench, &folder)?;
        let expected = name == "export";
        let figure = if crates.is_empty() { "none".to_owned() } else { crates.join(", ") };
        let target = if expected { "all three" } else { "none" };
        criterion.judge(
            format!("export crates in the {name} program"),
            figure,
            target,
            (crates.len() == 3) == expected && (expected || crates.is_empty()),
        );
    }
    criterion.detail = Some(diff);
    Ok(vec![criterion])
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("no sources in {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(sources(&path)?);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Compiles the host from the sources without the marked lines, with the commands that made the absent build: first its
/// library, then the program with that.
fn compiled(absent: &Path, folder: &Path) -> Result<PathBuf> {
    let library = compile("vas_host", None, absent, folder)?;
    compile("host", Some(&library), absent, folder)
}

/// Compiles one of the two into a folder of its own. Returns the library or the program.
fn compile(name: &str, library: Option<&Path>, absent: &Path, folder: &Path) -> Result<PathBuf> {
    let words = |what: &str| {
        let path = notes().join(format!("{name}.{what}"));
        let bytes = fs::read(&path).with_context(|| {
            format!(
                "the compiler's command is not noted in {}: remove {} and try again",
                path.display(),
                absent.display()
            )
        })?;
        let words = bytes.split(|&byte| byte == 0).filter(|word| !word.is_empty());
        anyhow::Ok(words.map(|word| OsString::from_vec(word.to_vec())).collect::<Vec<_>>())
    };
    let out = folder.join(name);
    fs::create_dir_all(&out)?;
    let arguments = words("arguments")?;
    let (rustc, arguments) = arguments.split_first().context("the compiler's command is empty")?;
    let mut command = Command::new(rustc);
    let previous = iter::once(None).chain(arguments.iter().map(Some));
    let (mut sources, mut linked) = (0, 0);
    for (argument, previous) in arguments.iter().zip(previous) {
        let text = argument.to_string_lossy();
        if previous.is_some_and(|previous| previous == "--out-dir") {
            command.arg(&out);
        } else if let Ok(source) = Path::new(argument).strip_prefix(SOURCES) {
            sources += 1;
            command.arg(root().join(STRIPPED).join(source));
        } else if let Some(library) = library.filter(|_| text.starts_with("vas_host=")) {
            linked += 1;
            command.arg(format!("vas_host={}", library.display()));
        } else {
            command.arg(argument);
        }
    }
    ensure!((sources, linked) == (1, usize::from(library.is_some())), "the command that made {name} is not as it was");
    // Panics name their source files.
    command.arg(format!("--remap-path-prefix={}={SOURCES}", root().join(STRIPPED).display()));
    command.current_dir(root()).env_clear();
    for variable in words("env")? {
        let text = variable.to_string_lossy();
        if let Some((name, value)) = text.split_once('=').filter(|(name, _)| *name != "CARGO_MAKEFLAGS") {
            command.env(name, value);
        }
    }
    let output = command.output().context("cannot start rustc")?;
    let log = folder.join(format!("rustc-{name}.log"));
    fs::write(&log, &output.stderr)?;
    ensure!(output.status.success(), "without the marked lines {name} does not compile; see {}", log.display());
    let mut made = fs::read_dir(&out)?.filter_map(|entry| Some(entry.ok()?.path()));
    let wanted = library.map_or(Some("rlib"), |_| None);
    let made = made.find(|path| path.extension().and_then(|ending| ending.to_str()) == wanted);
    made.with_context(|| format!("rustc made no {name}"))
}

/// Which crates of export a program has code of.
fn crates(program: &Path, bench: &Bench, folder: &Path) -> Result<Vec<&'static str>> {
    let symbols = bench.children.run("nm", &command("nm", [program]), &folder.join("nm.log"), MOST)?;
    Ok(["vas_ring", "vas_tap", "vas_lifecycle"].into_iter().filter(|name| symbols.contains(name)).collect())
}
