//! Where and when the figures were made.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::compare::cores;
use crate::compare::lab::Lab;

/// What has to be known of the machine.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// Year, month and day, in UTC.
    pub date: String,
    /// What the processor calls itself.
    pub processor: String,
    /// Processors that this program may use.
    pub cores: usize,
    /// The kernel.
    pub kernel: String,
    /// Where the writer runs.
    pub writer_core: usize,
    /// From there to each core with readers, one way, in nanoseconds.
    pub core_to_core_ns: Vec<(usize, f64)>,
    /// What reading the clock costs, which is taken off each time, in nanoseconds.
    pub clock_overhead_ns: f64,
    /// The smallest difference that the clock shows, in nanoseconds: single times are no finer.
    pub clock_step_ns: f64,
}

impl Machine {
    /// Looks.
    pub fn look(lab: &Lab) -> Self {
        let first_line = |path, key: &str| {
            let text = fs::read_to_string(path).unwrap_or_default();
            text.lines()
                .find_map(|line| line.strip_prefix(key).map(|rest| rest.trim_matches([' ', '\t', ':']).to_owned()))
        };
        // What follows the first two numbers names a build.
        let kernel = first_line("/proc/sys/kernel/osrelease", "").unwrap_or_default();
        let kernel = kernel.split('.').take(2).collect::<Vec<_>>().join(".");
        let others = lab.reader_cores.iter().filter(|&&core| core != lab.writer_core).take(8);
        Self {
            date: today(),
            processor: first_line("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: lab.cores,
            kernel: format!("{} {kernel}", std::env::consts::OS),
            writer_core: lab.writer_core,
            core_to_core_ns: others
                .filter_map(|&core| Some((core, cores::one_way_ns(&lab.clock, lab.writer_core, core, 250)?)))
                .collect(),
            clock_overhead_ns: lab.clock.overhead_ns(),
            clock_step_ns: lab.clock.step_ns(),
        }
    }

    /// In one sentence.
    pub fn sentence(&self) -> String {
        let ways: Vec<_> = self.core_to_core_ns.iter().map(|(core, ns)| format!("{ns:.0} ns to core {core}")).collect();
        let ways = if ways.is_empty() { "no other core".to_owned() } else { ways.join(", ") };
        format!(
            "{}: {}, {} cores, {}. From the writer's core {}: {ways} (one way, half a round trip of one line). \
             Reading the clock costs {:.1} ns, which is taken off each time; it moves in steps of {:.1} ns, and single \
             times are no finer.",
            self.date,
            self.processor,
            self.cores,
            self.kernel,
            self.writer_core,
            self.clock_overhead_ns,
            self.clock_step_ns
        )
    }
}

/// The day, in UTC.
fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    format!("{year}-{month:02}-{day:02}")
}

/// Year, month and day of a number of days since 1970-01-01, counting in eras of 400 years that begin in March.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests {
    use super::civil;

    #[test]
    fn days() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(59), (1970, 3, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_088), (2024, 12, 31));
    }
}
