//! Which packages dpkg has installed.

use std::collections::BTreeSet;
use std::process::Command;

/// Those of `names` that are installed: none on a system without dpkg.
pub(super) fn installed(names: &[&str]) -> BTreeSet<String> {
    // It exits with 1 when it doesn't know one of the names, and still lists the others.
    Command::new("dpkg-query")
        .args(["--show", "--showformat", "${Package} ${db:Status-Abbrev}\\n"])
        .args(names)
        .output()
        .map(|output| parse(&String::from_utf8_lossy(&output.stdout)))
        .unwrap_or_default()
}

/// The abbreviation is two letters, what is wanted and what is: removed packages that left their configuration are `rc`.
fn parse(output: &str) -> BTreeSet<String> {
    output
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(_, status)| status.chars().nth(1) == Some('i'))
        .map(|(name, _)| name.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_installed_counts() {
        let output =
            "strace ii \nvalgrind rc \nffmpeg un \nlibclang-dev hi \nlibavutil-dev iU \nlibavcodec-dev iHR\n\n";
        assert_eq!(parse(output).into_iter().collect::<Vec<_>>(), ["libclang-dev", "strace"]);
    }
}
