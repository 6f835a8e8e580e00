//! Criteria 1, 2 and 3: recordings and viewers are the same whatever frame export does.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use super::children::{Children, command};
use super::host::{CameraFigures, Export};
use super::stage::{self, Shown};
use super::verdict::Criterion;
use super::{Bench, Form};

/// Hosts by what export does in them.
type Hosts = BTreeMap<Export, Shown>;

const ALL: [Export; 4] = [Export::Absent, Export::Off, Export::On, Export::Hostile];

pub(super) fn criteria(bench: &mut Bench) -> Result<Vec<Criterion>> {
    let films = bench.clips.three();
    if let Form::Saboteur(_) = bench.form {
        return in_short(bench);
    }
    let files = stage::files(bench, "file", &films, &ALL)?;
    let rtsp = stage::rtsp(bench, "rtsp", &films, &ALL)?;
    for (export, shown) in files.iter() {
        bench.plots.add(*export, &shown.curves);
    }
    Ok(vec![
        identical(bench, &[("file", &files), ("RTSP over TCP", &rtsp)])?,
        viewers(
            bench,
            2,
            &rtsp[&Export::Absent],
            &[(&Export::Off, &rtsp[&Export::Off]), (&Export::On, &rtsp[&Export::On])],
        ),
        with_hostile(bench, &files, &rtsp)?,
    ])
}

/// Of those that are asked for, as much as takes little time.
fn in_short(bench: &Bench) -> Result<Vec<Criterion>> {
    let films = bench.clips.three();
    let mut criteria = Vec::new();
    if bench.wanted.contains(&1) {
        let hosts = stage::files(bench, "file", &films, &[Export::Absent, Export::Off, Export::On])?;
        criteria.push(identical(bench, &[("file", &hosts)])?);
    }
    if bench.wanted.contains(&2) {
        let hosts = stage::rtsp(bench, "rtsp", &films[..1], &[Export::Absent, Export::On])?;
        criteria.push(viewers(bench, 2, &hosts[&Export::Absent], &[(&Export::On, &hosts[&Export::On])]));
    }
    if bench.wanted.contains(&3) {
        let hosts = stage::files(bench, "hostile", &films, &[Export::Absent, Export::Hostile])?;
        let mut criterion = Criterion::new(3);
        hostile(&mut criterion, "file", &hosts)?;
        criteria.push(criterion);
    }
    Ok(criteria)
}

fn identical(bench: &Bench, inputs: &[(&str, &Hosts)]) -> Result<Criterion> {
    let mut criterion = Criterion::new(1);
    for (input, hosts) in inputs {
        let absent = &hosts[&Export::Absent];
        for (n, camera) in absent.figures.cameras.iter().enumerate() {
            let what = format!("{input}, {}", ["groups.mp4", "bigbuckbunny.mp4", "sintel-captions.ts"][n]);
            for export in [Export::Off, Export::On] {
                let other = &hosts[&export];
                compare(
                    &mut criterion,
                    &format!("{what}, {}", export.name()),
                    (absent, camera),
                    (other, &other.figures.cameras[n]),
                )?;
            }
            // What is the same everywhere might still be wrong everywhere.
            let counted = packets(&bench.children, absent, camera)?;
            let figure = format!("{counted} of {}", camera.decoded);
            criterion.judge(
                format!("{what}: pictures recorded, by ffprobe"),
                figure,
                "all decoded",
                counted == camera.decoded,
            );
        }
        for (export, shown) in *hosts {
            faults(&mut criterion, &format!("{input}, {}", export.name()), shown);
        }
    }
    Ok(criterion)
}

/// A recording beside that of the host without export.
pub(super) fn compare(
    criterion: &mut Criterion,
    what: &str,
    (absent, before): (&Shown, &CameraFigures),
    (other, after): (&Shown, &CameraFigures),
) -> Result<()> {
    let bytes = |shown: &Shown, camera: &CameraFigures| {
        let files = camera.branch("recording").map_or(&[][..], |branch| &branch.files);
        let read = |file| {
            fs::read(shown.folder.join(file)).with_context(|| format!("no recording {}", shown.folder.display()))
        };
        files.iter().map(read).collect::<Result<Vec<_>>>()
    };
    let (expected, found) = (bytes(absent, before)?, bytes(other, after)?);
    let different = match expected.iter().zip(&found).find(|(expected, found)| expected != found) {
        Some((expected, found)) => {
            let at = expected.iter().zip(found).take_while(|(a, b)| a == b).count();
            format!("differ from byte {at} on ({} and {} bytes)", expected.len(), found.len())
        }
        None if expected.len() != found.len() => format!("{} and {} files", expected.len(), found.len()),
        None => String::new(),
    };
    let size: usize = found.iter().map(Vec::len).sum();
    let figure = if different.is_empty() { format!("{size} bytes") } else { different.clone() };
    criterion.judge(format!("{what}: recording"), figure, "as absent, each byte", different.is_empty() && size > 0);
    let times = |camera: &CameraFigures| camera.branch("recording").map(|branch| branch.crc32.clone());
    let same = before.decoded == after.decoded && times(before) == times(after) && after.decoded > 0;
    let pts = times(after).unwrap_or_default();
    criterion.judge(
        format!("{what}: frames and PTS"),
        format!("{}, {pts}", after.decoded),
        format!("{}, as absent", before.decoded),
        same,
    );
    Ok(())
}

/// What a host says of itself.
fn faults(criterion: &mut Criterion, what: &str, shown: &Shown) {
    let faults = &shown.figures.faults;
    criterion.judge(
        format!("{what}: its sums"),
        if faults.is_empty() { "add up".into() } else { faults.join("; ") },
        "add up",
        faults.is_empty(),
    );
}

/// Pictures in a camera's recordings, by another program.
fn packets(children: &Children, shown: &Shown, camera: &CameraFigures) -> Result<u64> {
    let mut sum = 0;
    for file in camera.branch("recording").map_or(&[][..], |branch| &branch.files) {
        let arguments = ["-v", "error", "-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0"];
        let mut ffprobe = command("ffprobe", arguments);
        ffprobe.arg(shown.folder.join(file));
        let text = children.run("ffprobe", &ffprobe, &shown.folder.join("ffprobe.log"), Duration::from_secs(20))?;
        sum += text.trim().parse::<u64>().with_context(|| format!("ffprobe said {text}"))?;
    }
    Ok(sum)
}

/// What viewers got, beside those of the host without export.
pub(super) fn viewers(bench: &Bench, number: u8, absent: &Shown, others: &[(&Export, &Shown)]) -> Criterion {
    let mut criterion = Criterion::new(number);
    see_viewers(bench, &mut criterion, absent, others);
    criterion
}

/// Adds what viewers got to a criterion.
pub(super) fn see_viewers(bench: &Bench, criterion: &mut Criterion, absent: &Shown, others: &[(&Export, &Shown)]) {
    if bench.builds.sink.is_none() {
        criterion.not_run("viewers", "MediaSoup is left out of a quick run");
        return;
    }
    let payloads = |shown: &Shown| {
        let received = shown.received.as_ref()?;
        Some(received.viewers.iter().find(|viewer| viewer.name == "whole")?.payloads.clone())
    };
    let expected = payloads(absent);
    for (export, shown) in [(&Export::Absent, absent)].iter().chain(others) {
        let what = export.name();
        let Some(received) = &shown.received else {
            criterion.judge(format!("{what}: viewers"), "none", "three", false);
            continue;
        };
        let sent = shown.figures.cameras[0].branch("producer").and_then(|branch| branch.pictures);
        for viewer in &received.viewers {
            let figure = match &viewer.faults[..] {
                [] => format!("{} packets, {} pictures", viewer.packets, viewer.pictures),
                faults => faults.join("; "),
            };
            let target = match viewer.name.as_str() {
                "late" => "all from the next key frame on",
                "early" => "all up to when it left",
                _ => "every packet",
            };
            criterion.judge(format!("{what}: viewer {}", viewer.name), figure, target, viewer.faults.is_empty());
            if viewer.name == "whole" {
                let figure = format!("{} of {}", viewer.pictures, sent.unwrap_or(0));
                criterion.judge(
                    format!("{what}: pictures sent and seen"),
                    figure,
                    "all",
                    Some(viewer.pictures) == sent,
                );
                let same = expected.is_some() && Some(&viewer.payloads) == expected.as_ref();
                criterion.judge(format!("{what}: payloads"), &viewer.payloads, "as absent", same);
            }
        }
        let lost = received.lost_in + received.discarded_in;
        let figure = format!("{} in, {lost} lost", received.packets_in);
        criterion.judge(
            format!("{what}: from the host to MediaSoup"),
            figure,
            "0 lost",
            lost == 0 && received.packets_in > 0,
        );
    }
}

fn with_hostile(bench: &Bench, files: &Hosts, rtsp: &Hosts) -> Result<Criterion> {
    let mut criterion = Criterion::new(3);
    hostile(&mut criterion, "file", files)?;
    hostile(&mut criterion, "RTSP", rtsp)?;
    let (absent, hostile) = (&rtsp[&Export::Absent], &rtsp[&Export::Hostile]);
    see_viewers(bench, &mut criterion, absent, &[(&Export::Hostile, hostile)]);
    Ok(criterion)
}

fn hostile(criterion: &mut Criterion, input: &str, hosts: &Hosts) -> Result<()> {
    let (absent, hostile) = (&hosts[&Export::Absent], &hosts[&Export::Hostile]);
    for (before, after) in absent.figures.cameras.iter().zip(&hostile.figures.cameras) {
        let what = format!("{input}, {}", after.name);
        compare(criterion, &what, (absent, before), (hostile, after))?;
        let Some(exported) = &after.exported else {
            criterion.judge(format!("{what}: export"), "off", "on", false);
            continue;
        };
        let refused = exported.dropped.get("refused").copied().unwrap_or(0);
        criterion.judge(format!("{what}: writer refused"), refused, 0, refused == 0);
        // Before there is a ring, and before the first reader, nobody can have any.
        let before = |cause: &str| ["no reader", "starting"].contains(&cause);
        let dropped: u64 = exported.dropped.iter().filter(|(cause, _)| !before(cause)).map(|(_, n)| n).sum();
        let figure = format!("{} of {}, {dropped} dropped", exported.published, exported.offered);
        criterion.judge(
            format!("{what}: published"),
            figure,
            "0 dropped from then on",
            dropped == 0 && exported.published > 0,
        );
        // A reader that does not do its worst shows nothing.
        let reader = |name| after.reader(name);
        let refusals = |name| reader(name).map_or(0, |reader| reader.refusals);
        let (stalled, leaking) = (refusals("stalled"), refusals("leaking"));
        let panics = reader("panicking").map_or(0, |reader| reader.panics);
        let spun = reader("spinning").map_or(0, |reader| reader.seen);
        let late = reader("sluggish").map_or(0, |reader| reader.missed.values().sum());
        let figure = format!("refused {stalled} and {leaking} times, {panics} panics, {late} missed, {spun} spun for");
        let all = [stalled, leaking, panics, spun, late].iter().all(|&n| n > 0);
        criterion.judge(format!("{what}: the readers do their worst"), figure, "each", all);
    }
    faults(criterion, input, hostile);
    Ok(())
}
