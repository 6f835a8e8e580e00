//! The picture: bars for the figures that matter most.

use anyhow::{Result, anyhow};
use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::Rectangle;
use plotters::style::{BLACK, Color as _, IntoTextStyle as _, RGBColor, ShapeStyle, WHITE};

use super::markdown::digits;
use super::{Report, Row};
use crate::compare::contender::Kind;
use crate::compare::cores::Apart;

const OURS: RGBColor = RGBColor(0, 114, 178);
const PEER: RGBColor = RGBColor(153, 153, 153);
const PARTIAL: RGBColor = RGBColor(204, 204, 204);
const LIMIT: RGBColor = RGBColor(0, 158, 115);

/// One group of bars.
struct Panel {
    title: String,
    bars: Vec<Bar>,
}

struct Bar {
    contender: &'static str,
    kind: Kind,
    value: f64,
    /// What comes on top.
    more: f64,
}

impl Panel {
    /// One column of a table; none when it was not measured.
    fn new(report: &Report, title: &str, number: u8, table: &str, column: &str) -> Option<Self> {
        let table = report.table(number, table)?;
        let column = table.columns.iter().position(|name| name == column)?;
        let bar = |row: &Row| {
            let value = row.values[column]?;
            Some(Bar { contender: row.contender, kind: row.kind, value, more: 0.0 })
        };
        Some(Self { title: title.to_owned(), bars: table.rows.iter().filter_map(bar).collect() })
    }

    /// Publishes with one reader, and the reader's first look on top; none at a distance that was not met.
    fn both_sides(report: &Report, size: &str, apart: Apart) -> Option<Self> {
        let name = apart.name();
        let table = report.table(1, &format!("{size}, 1 reader, {name}"))?;
        let title = format!("Publish {size} + the first look of a reader on a {name} core: medians, us");
        let mut panel = Self::new(report, &title, 1, &table.title, "p50 us")?;
        for bar in &mut panel.bars {
            bar.more = table.value(bar.contender, "read us").unwrap_or(0.0);
        }
        Some(panel)
    }
}

/// The figures as bars, in SVG.
pub(super) fn svg(report: &Report) -> Result<String> {
    const WIDTH: u32 = 1200;
    const BAR: u32 = 22;
    let panels: Vec<Panel> = [
        Panel::new(report, "Publish 1080p, nobody reads: median, us", 1, "1080p, no readers", "p50 us"),
        Panel::new(report, "Publish 1080p, frames held for ever: median, us", 3, "Held for ever", "p50 us"),
        Panel::both_sides(report, "360p", Apart::Near),
        Panel::both_sides(report, "360p", Apart::Far),
        Panel::both_sides(report, "1080p", Apart::Near),
        Panel::both_sides(report, "1080p", Apart::Far),
        Panel::new(report, "Publish 64 bytes, alone: median, ns", 2, "Publish 64 bytes, alone", "median ns"),
        Panel::new(report, "Lease and release: median, ns", 2, "Lease and release", "median ns"),
        Panel::new(
            report,
            "1080p decode on one thread: time to decoding alone",
            5,
            "Decode and export",
            "wall to none",
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    let rows: Vec<&[Panel]> = panels.chunks(2).collect();
    let heights: Vec<u32> =
        rows.iter().map(|row| row.iter().map(|panel| panel.bars.len() as u32 * BAR + 50).max().unwrap_or(0)).collect();
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, 40 + heights.iter().sum::<u32>())).into_drawing_area();
        let failed = |error| anyhow!("cannot draw the plot: {error}");
        root.fill(&WHITE).map_err(failed)?;
        let machine = &report.machine;
        let quick = if report.quick { " (quick pass: not to be used)" } else { "" };
        let caption = format!("{}, {} cores, {}{quick}", machine.processor, machine.cores, machine.date);
        root.draw_text(&caption, &("sans-serif", 15).into_text_style(&root), (12, 12)).map_err(failed)?;
        let mut top = 40;
        for (row, height) in rows.into_iter().zip(heights) {
            for (column, panel) in row.iter().enumerate() {
                let left = column as i32 * (WIDTH / 2) as i32;
                draw(&root, panel, (left, top), (WIDTH / 2) as i32, BAR as i32).map_err(failed)?;
            }
            top += height as i32;
        }
        root.present().map_err(failed)?;
    }
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), plotters::drawing::DrawingAreaErrorKind<std::io::Error>>;

fn draw(root: &Area<'_>, panel: &Panel, (left, top): (i32, i32), width: i32, bar: i32) -> Drawn {
    const LABELS: i32 = 270;
    const FIGURES: i32 = 100;
    let title = ("sans-serif", 16).into_text_style(root).color(&BLACK);
    root.draw_text(&panel.title, &title, (left + 12, top + 6))?;
    let longest = panel.bars.iter().map(|bar| bar.value + bar.more).fold(0.0, f64::max);
    for (n, &Bar { contender, kind, value, more }) in panel.bars.iter().enumerate() {
        let y = top + 32 + n as i32 * bar;
        let color = match kind {
            Kind::Ours => OURS,
            Kind::Peer => PEER,
            Kind::Partial => PARTIAL,
            Kind::Limit => LIMIT,
        };
        let text = ("sans-serif", 13).into_text_style(root);
        root.draw_text(contender, &text, (left + 12, y + 2))?;
        let at = |value: f64| left + LABELS + (f64::from(width - LABELS - FIGURES) * value / longest) as i32;
        let (start, middle, end) = (at(0.0), at(value).max(at(0.0) + 1), at(value + more).max(at(0.0) + 1));
        for (from, to, opacity) in [(start, middle, 1.0), (middle, end, 0.45)] {
            let style = ShapeStyle { color: color.mix(opacity), filled: true, stroke_width: 0 };
            if to > from {
                root.draw(&Rectangle::new([(from, y), (to, y + bar - 6)], style))?;
            }
        }
        let figures = if more > 0.0 { format!("{} + {}", digits(value), digits(more)) } else { digits(value) };
        root.draw_text(&figures, &text, (end + 6, y + 2))?;
    }
    Ok(())
}
