//! The pictures of the report, as SVG.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

use super::host::{CameraFigures, Curves, Export, Moment};

const SIZE: (u32, u32) = (820, 380);

/// What is to be drawn.
#[derive(Default)]
pub(crate) struct Plots {
    /// By camera: distributions by what export does.
    curves: BTreeMap<usize, BTreeMap<Export, Curves>>,
    memory: Vec<(Export, Vec<Moment>)>,
    /// Frames by what became of them, for each camera and reader.
    losses: Vec<(String, BTreeMap<String, u64>)>,
}

impl Plots {
    /// The distributions of a run's cameras.
    pub(crate) fn add(&mut self, export: Export, curves: &[Curves]) {
        for (n, curves) in curves.iter().enumerate() {
            self.curves.entry(n).or_default().insert(export, curves.clone());
        }
    }

    /// Memory over time.
    pub(crate) fn add_memory(&mut self, export: Export, moments: &[Moment]) {
        self.memory.push((export, moments.to_vec()));
    }

    /// What became of a camera's frames.
    pub(crate) fn add_losses(&mut self, camera: &CameraFigures) {
        let Some(exported) = &camera.exported else { return };
        let mut tap = exported.dropped.clone();
        tap.insert("published".into(), exported.published);
        self.losses.push((format!("{}, tap", camera.name), tap));
        for reader in &exported.readers {
            let mut got = reader.missed.clone();
            got.insert("seen".into(), reader.seen);
            self.losses.push((format!("{}, {}", camera.name, reader.name), got));
        }
    }

    /// Each picture with its title.
    pub(crate) fn draw(&self, films: &[&str]) -> Result<Vec<(String, String)>> {
        let mut drawn = Vec::new();
        for (n, curves) in &self.curves {
            let film = films.get(*n).copied().unwrap_or("film");
            for (what, pick) in [
                ("Decode time", (|curves| &curves.decode_us) as fn(&Curves) -> &Vec<f64>),
                ("Frame interval", |curves| &curves.interval_us),
            ] {
                let title = format!("{what}, {film}, as fast as it decodes");
                drawn.push((title, svg(|area| distribution(area, what, curves, pick))?));
            }
        }
        if self.memory.iter().any(|(_, moments)| moments.len() > 1) {
            drawn.push(("Memory over time, four cameras".into(), svg(|area| self.memory_over_time(area))?));
        }
        if !self.losses.is_empty() {
            drawn.push(("Frames by what became of them".into(), svg(|area| self.losses(area))?));
        }
        Ok(drawn)
    }

    fn memory_over_time(&self, area: &Area<'_>) -> Drawn {
        const MIB: f64 = (1 << 20) as f64;
        let moments = || self.memory.iter().flat_map(|(_, moments)| moments);
        let longest = moments().map(|moment| moment.seconds).fold(1.0, f64::max);
        let most = moments().map(|moment| moment.resident as f64 / MIB).fold(1.0, f64::max);
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(60)
            .build_cartesian_2d(0.0..longest, 0.0..most * 1.15)?;
        chart.configure_mesh().light_line_style(TRANSPARENT).x_desc("seconds").y_desc("MiB").draw()?;
        for (export, moments) in &self.memory {
            let color = color(*export);
            let resident = moments.iter().map(|moment| (moment.seconds, moment.resident as f64 / MIB));
            chart
                .draw_series(LineSeries::new(resident, color.stroke_width(2)))?
                .label(format!("resident, {}", export.name()))
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
            if *export == Export::On {
                let bytes = moments.iter().map(|moment| (moment.seconds, moment.bytes as f64 / MIB));
                chart
                    .draw_series(LineSeries::new(bytes, ORANGE.stroke_width(2)))?
                    .label("export's own")
                    .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], ORANGE.stroke_width(2)));
            }
        }
        legend(&mut chart)
    }

    fn losses(&self, area: &Area<'_>) -> Drawn {
        let rows = self.losses.len();
        let mut causes: Vec<&str> = Vec::new();
        for cause in self.losses.iter().flat_map(|(_, counts)| counts.keys()) {
            if !causes.contains(&cause.as_str()) {
                causes.push(cause);
            }
        }
        causes.sort_by_key(|cause| (!["published", "seen"].contains(cause), *cause));
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(170)
            .build_cartesian_2d(0.0..100.0, 0.0..rows as f64)?;
        let name = |at: &f64| {
            let row = self.losses.get(rows.saturating_sub(1).saturating_sub(at.floor() as usize));
            let middle = (at.fract() - 0.5).abs() < 0.01;
            row.filter(|_| middle).map_or_else(String::new, |(name, _)| name.clone())
        };
        chart
            .configure_mesh()
            .disable_y_mesh()
            .light_line_style(TRANSPARENT)
            .y_labels(2 * rows + 1)
            .y_label_formatter(&name)
            .x_desc("% of the frames offered")
            .draw()?;
        for (n, cause) in causes.iter().enumerate() {
            let color = CAUSES[n % CAUSES.len()];
            let bars = self.losses.iter().enumerate().filter_map(|(row, (_, counts))| {
                let sum: u64 = counts.values().sum();
                let share = |n: u64| 100.0 * n as f64 / sum.max(1) as f64;
                let before: u64 = causes[..n].iter().filter_map(|cause| counts.get(*cause)).sum();
                let this = *counts.get(*cause)?;
                let y = (rows - 1 - row) as f64;
                Some(Rectangle::new([(share(before), y + 0.15), (share(before + this), y + 0.85)], color.filled()))
            });
            chart
                .draw_series(bars)?
                .label(*cause)
                .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], color.filled()));
        }
        legend(&mut chart)
    }
}

const ORANGE: RGBColor = RGBColor(214, 112, 24);
const CAUSES: [RGBColor; 7] = [
    RGBColor(58, 125, 92),
    RGBColor(96, 160, 130),
    RGBColor(206, 154, 60),
    RGBColor(190, 84, 70),
    RGBColor(120, 100, 160),
    RGBColor(100, 130, 170),
    RGBColor(130, 130, 130),
];

fn color(export: Export) -> RGBColor {
    match export {
        Export::Absent => RGBColor(110, 110, 110),
        Export::Off => RGBColor(52, 104, 168),
        Export::On => RGBColor(40, 130, 80),
        Export::Hostile => RGBColor(192, 57, 43),
    }
}

/// The share of the frames that took at most so long. The axis is logarithmic, since the slowest are far out.
fn distribution(
    area: &Area<'_>,
    what: &str,
    curves: &BTreeMap<Export, Curves>,
    pick: fn(&Curves) -> &Vec<f64>,
) -> Drawn {
    let values = || curves.values().flat_map(pick).copied().filter(|&us| us > 0.0);
    let (least, most) = (values().fold(f64::MAX, f64::min), values().fold(1.0, f64::max));
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d((least.min(most) * 0.9..most * 1.1).log_scale(), 0.0..100.0)?;
    let time = |us: &f64| if *us < 1000.0 { format!("{us:.0} us") } else { format!("{:.0} ms", us / 1000.0) };
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_label_formatter(&time)
        .x_desc(what)
        .y_desc("% of the frames")
        .draw()?;
    for (export, curves) in curves {
        let (color, points) = (color(*export), pick(curves));
        let last = points.len().saturating_sub(1).max(1) as f64;
        let line = points.iter().enumerate().map(|(n, &us)| (us.max(least), 100.0 * n as f64 / last));
        chart
            .draw_series(LineSeries::new(line, color.stroke_width(2)))?
            .label(export.name())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    legend(&mut chart)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

fn legend<'a, C>(chart: &mut ChartContext<'a, SVGBackend<'a>, C>) -> Drawn
where
    C: CoordTranslate,
{
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.2))
        .draw()?;
    Ok(())
}

fn svg(draw: impl FnOnce(&Area<'_>) -> Drawn) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let drawn = area.fill(&WHITE).map_err(|error| anyhow!("{error}")).and_then(|()| {
            draw(&area).map_err(|error| anyhow!("{error}"))?;
            area.present().map_err(|error| anyhow!("{error}"))
        });
        drawn?;
    }
    Ok(svg)
}
