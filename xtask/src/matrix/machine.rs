//! What a bare system is given by this machine: where apt and cargo get things from, and the compiler.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process::cannot_start;

/// Where Debian has the certificates that its programs trust.
const CERTIFICATES: &str = "etc/ssl/certs/ca-certificates.crt";

pub(super) struct Machine {
    /// Where apt gets Debian from.
    pub(super) mirror: String,
    /// The folder of the compiler and cargo.
    pub(super) toolchain: PathBuf,
    /// apt's settings of how to get things.
    acquire: String,
    /// Variables that name proxies.
    proxies: Vec<(&'static str, OsString)>,
}

impl Machine {
    pub(super) fn new() -> Result<Self> {
        let targets = ["indextargets", "--format", "$(REPO_URI) $(LABEL) $(COMPONENT)", "Created-By: Packages"];
        let mirror = mirror(&said("apt-get", &targets)?).context(
            "apt on this machine knows no mirror of Debian's main archive: see /etc/apt, and run apt-get update",
        )?;
        let acquire = acquire(&said("apt-config", &["dump"])?);

        // <toolchain>/bin/cargo
        let cargo = env::var_os("CARGO").map(PathBuf::from).context("this is a task of cargo's: cargo xtask matrix")?;
        let toolchain = cargo.ancestors().nth(2).unwrap_or(Path::new("/")).to_path_buf();
        ensure!(
            toolchain.join("lib/rustlib").is_dir() && toolchain != Path::new("/usr"),
            "{} is not cargo of a toolchain in a folder of its own, such as rustup installs: the systems get that folder",
            cargo.display()
        );
        let names = ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];
        let proxies = names.iter().filter_map(|name| Some((*name, env::var_os(name)?))).collect();
        Ok(Self { mirror, toolchain, acquire, proxies })
    }

    /// Gives a system this machine's way to the network.
    pub(super) fn set_up(&self, system: &Path) -> Result<()> {
        for file in ["etc/resolv.conf", "etc/hosts", CERTIFICATES] {
            let (from, to) = (Path::new("/").join(file), system.join(file));
            if from.is_file() {
                // A link there would lead out of the system.
                _ = fs::remove_file(&to);
                fs::copy(&from, &to).with_context(|| format!("cannot copy /{file} to {}", to.display()))?;
            }
        }
        let settings = system.join("etc/apt/apt.conf.d/99machine");
        fs::write(&settings, &self.acquire).with_context(|| format!("cannot write {}", settings.display()))
    }

    /// Makes cargo's home, with the user's settings of cargo but nothing of what cargo keeps secret.
    pub(super) fn cargo_home(&self, home: &Path) -> Result<()> {
        fs::create_dir_all(home)?;
        let users = env::var_os("CARGO_HOME").map(PathBuf::from);
        let users = users.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
        if let Some(settings) = users.map(|users| users.join("config.toml")).filter(|settings| settings.is_file()) {
            fs::copy(settings, home.join("config.toml"))?;
        }
        Ok(())
    }

    /// The variables of a system's programs.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, OsString)> {
        let path = "/toolchain/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let fixed = [
            ("PATH", path.into()),
            ("HOME", "/root".into()),
            ("LANG", "C.UTF-8".into()),
            ("DEBIAN_FRONTEND", "noninteractive".into()),
            ("CARGO_HOME", "/cargo".into()),
            ("CARGO_TARGET_DIR", "/target".into()),
            ("SSL_CERT_FILE", format!("/{CERTIFICATES}").into()),
        ];
        fixed.into_iter().chain(self.proxies.iter().cloned())
    }
}

/// What a program prints.
fn said(program: &str, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(program);
    let output = command.args(arguments).output().with_context(|| cannot_start(&command))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Of apt's indices, each with its label and component, the mirror that has Debian's main archive.
fn mirror(targets: &str) -> Option<String> {
    let main = |line: &str| {
        let mut words = line.split_whitespace();
        let (uri, label, component) = (words.next()?, words.next()?, words.next()?);
        (label == "Debian" && component == "main").then(|| uri.to_owned())
    };
    targets.lines().find_map(main)
}

/// Of all of apt's settings, those of how to get things. What kinds of indices there are is left to the system.
fn acquire(dump: &str) -> String {
    let wanted = |line: &&str| line.starts_with("Acquire::") && !line.starts_with("Acquire::IndexTargets");
    dump.lines().filter(wanted).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_that_of_the_main_archive() {
        let targets = "http://here/debian-security/ Debian-Security main\nhttp://else/ Other main\n\
                       http://here/debian/ Debian contrib\nhttp://here/debian/ Debian main\n";
        assert_eq!(mirror(targets).as_deref(), Some("http://here/debian/"));
        assert_eq!(mirror("http://else/ Other main\n\n"), None);
    }

    #[test]
    fn settings_of_how_to_get_things_are_taken() {
        let dump = "APT \"\";\nAcquire::IndexTargets::deb \"\";\nAcquire::http::Proxy \"http://proxy\";\nDir \"/\";\n";
        assert_eq!(acquire(dump), "Acquire::http::Proxy \"http://proxy\";\n");
    }
}
