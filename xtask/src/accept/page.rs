//! The report as files: `report.json`, and `report.html`, which needs nothing beside it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::plots::Plots;
use super::verdict::{Criterion, Outcome, Report};

const FILMS: [&str; 3] = ["640x360", "1280x720", "400x170"];
const STYLE: &str = "
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 1000px; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.5em } h2 { font-size: 1.1em; margin: 2em 0 .4em }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; vertical-align: top; padding: .25em .7em .25em 0; border-bottom: 1px solid #e4e4e4 }
td { overflow-wrap: anywhere }
.pass { color: #23713f } .fail { color: #b3261e; font-weight: 600 } .not-run { color: #8a6100 }
pre { background: #f6f6f4; padding: .8em; overflow-x: auto; font-size: 12px }
figure { margin: 1.2em 0 } figcaption { font-weight: 600 } svg { max-width: 100%; height: auto }
";

/// Writes both into `folder`. Returns their paths.
pub(crate) fn write(report: &Report, plots: &Plots, folder: &Path) -> Result<(PathBuf, PathBuf)> {
    let (json, html) = (folder.join("report.json"), folder.join("report.html"));
    let save =
        |path: &Path, text: String| fs::write(path, text).with_context(|| format!("cannot write {}", path.display()));
    save(&json, serde_json::to_string_pretty(report)?)?;
    save(&html, page(report, &plots.draw(&FILMS)?)?)?;
    Ok((json, html))
}

fn page(report: &Report, plots: &[(String, String)]) -> Result<String> {
    let mut html = String::new();
    let verdict = if report.accepted { "nothing failed" } else { "FAILED" };
    let kind = if report.quick { "quick run" } else { "full run" };
    write!(
        html,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Acceptance of the frame ring</title>\
         <style>{STYLE}</style><h1>Acceptance of the frame ring: {verdict}</h1><p>{kind}, {:.0} s</p>",
        report.seconds
    )?;
    html += "<table><tr><th>#<th>criterion<th>outcome<th>time</tr>";
    for criterion in &report.criteria {
        let Criterion { number, name, time, .. } = criterion;
        let time = time.as_secs_f64();
        let outcome = outcome(criterion.outcome());
        write!(
            html,
            "<tr><td>{number}<td><a href=\"#c{number}\">{}</a><td>{outcome}<td>{time:.0} s</tr>",
            escaped(name)
        )?;
    }
    html += "</table>";
    for criterion in &report.criteria {
        section(&mut html, criterion)?;
    }
    html += "<h2>Plots</h2>";
    if plots.is_empty() {
        html += "<p>None: the criteria that give them were not run.</p>";
    }
    for (title, svg) in plots {
        write!(html, "<figure><figcaption>{}</figcaption>{svg}</figure>", escaped(title))?;
    }
    html += "</html>\n";
    Ok(html)
}

fn section(html: &mut String, criterion: &Criterion) -> Result<()> {
    let Criterion { number, name, rows, detail, .. } = criterion;
    write!(html, "<h2 id=\"c{number}\">{number}. {}</h2>", escaped(name))?;
    *html += "<table><tr><th>what<th>figure<th>target<th>outcome</tr>";
    for row in rows {
        let (what, figure, target) = (escaped(&row.what), escaped(&row.figure), escaped(&row.target));
        write!(html, "<tr><td>{what}<td>{figure}<td>{target}<td>{}</tr>", outcome(row.outcome))?;
    }
    *html += "</table>";
    if let Some(detail) = detail {
        write!(html, "<pre>{}</pre>", escaped(detail))?;
    }
    Ok(())
}

fn outcome(outcome: Outcome) -> String {
    let class = match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::NotRun => "not-run",
        Outcome::Told => "told",
    };
    format!("<span class=\"{class}\">{}</span>", outcome.name())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_nothing_beside_it_and_shows_what_failed() {
        let mut report = Report::new(true);
        let mut criterion = Criterion::new(9);
        criterion.judge("lines", "9 <all>", "at most 8", false);
        report.criteria.push(criterion);
        let page = page(&report, &[("A plot".into(), "<svg></svg>".into())]).unwrap();
        assert!(page.contains("9 &lt;all&gt;") && page.contains("class=\"fail\"") && page.contains("<svg></svg>"));
        assert!(!page.contains("src=") && !page.contains("<link"));
    }
}
