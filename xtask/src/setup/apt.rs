//! Installing Debian packages, or saying how.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, bail};

use super::names;
use super::probe::on_path;
use crate::packages::Package;
use crate::progress::quietly;

/// Who may install, here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Root,
    /// Through sudo, which asks for no password.
    Sudo,
    /// The user has to: through sudo, or through su where there is none.
    ByHand {
        sudo: bool,
    },
    /// No apt-get: some other system.
    NoApt,
}

impl Way {
    fn here() -> Self {
        if !on_path("apt-get") {
            Way::NoApt
        } else if is_root() {
            Way::Root
        } else if succeeds(Command::new("sudo").args(["-n", "true"])) {
            Way::Sudo
        } else {
            Way::ByHand { sudo: on_path("sudo") }
        }
    }
}

pub(super) fn install(missing: &[&'static Package]) -> Result<()> {
    let names = names(missing);
    let way = Way::here();
    if let Some(refusal) = refusal(way, &names) {
        bail!(refusal);
    }
    let start = Instant::now();
    // One unreachable source makes an update fail, and need not be the one that matters: the install decides.
    if let Err(error) = quietly("Asking apt what there is", &mut apt_get(way, &["update"])) {
        eprintln!("warning: {error:#}; going on with what apt knows");
    }
    let install = ["install", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"];
    let mut install = apt_get(way, &install);
    install.args(&names);
    eprintln!("Installing them with apt-get");
    quietly("Installing", &mut install)?;
    eprintln!("Installed in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// The one line that tells the user what to do, where nothing can be done for him.
fn refusal(way: Way, names: &[&str]) -> Option<String> {
    let names = names.join(" ");
    let script = format!("apt-get update && apt-get install --yes --no-install-recommends {names}");
    match way {
        Way::Root | Way::Sudo => None,
        Way::ByHand { sudo: true } => {
            Some(format!("to install these takes root; run this, then try again: sudo sh -c '{script}'"))
        }
        // A login shell: the PATH of others lacks the sbin folders that dpkg needs.
        Way::ByHand { sudo: false } => {
            Some(format!("to install these takes root; run this, then try again: su - -c '{script}'"))
        }
        Way::NoApt => Some(format!(
            "there is no apt-get here; install what this system has in place of Debian's {names}, then try again"
        )),
    }
}

fn apt_get(way: Way, arguments: &[&str]) -> Command {
    let mut command = if way == Way::Sudo { Command::new("sudo") } else { Command::new("env") };
    if way == Way::Sudo {
        command.args(["-n", "env"]);
    }
    command.arg("DEBIAN_FRONTEND=noninteractive").arg("apt-get").args(arguments);
    command
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::shown;

    const NAMES: &[&str] = &["strace", "valgrind"];

    #[test]
    fn root_and_sudo_install() {
        assert_eq!(refusal(Way::Root, NAMES), None);
        assert_eq!(refusal(Way::Sudo, NAMES), None);
        assert_eq!(shown(&apt_get(Way::Root, &["update"])), "env DEBIAN_FRONTEND=noninteractive apt-get update");
        assert_eq!(
            shown(&apt_get(Way::Sudo, &["update"])),
            "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get update"
        );
    }

    #[test]
    fn others_are_told_one_command() {
        let script = "'apt-get update && apt-get install --yes --no-install-recommends strace valgrind'";
        for (sudo, prefix) in [(true, "sudo sh -c "), (false, "su - -c ")] {
            let line = refusal(Way::ByHand { sudo }, NAMES).unwrap();
            assert!(line.ends_with(&format!(": {prefix}{script}")), "{line}");
            assert_eq!(line.lines().count(), 1);
        }
        assert!(refusal(Way::NoApt, NAMES).unwrap().contains("strace valgrind"));
    }
}
