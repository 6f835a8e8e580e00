//! What the kernel knows of this process.

use std::fs;

use serde::Serialize;

/// Memory in use, in bytes.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Memory {
    /// In physical memory now.
    pub resident: u64,
    /// The most that there was.
    pub most_resident: u64,
}

impl Memory {
    /// Now; zeros where there is no `/proc`.
    pub fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
            kibibytes.unwrap_or(0) * 1024
        };
        Self { resident: bytes("VmRSS"), most_resident: bytes("VmHWM") }
    }
}

/// The threads of this process that are called `name`.
pub fn threads_named(name: &str) -> Vec<String> {
    let mut names = threads();
    names.retain(|thread| thread == name);
    names
}

fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.map(|name| name.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn memory_is_there() {
        let now = Memory::now();
        assert!(now.resident > 100_000 && now.most_resident >= now.resident, "{now:?}");
    }

    #[test]
    fn threads_are_found_by_name() {
        let named = thread::Builder::new().name("a-thread".into());
        let thread = named.spawn(thread::park).expect("a thread");
        // It names itself when it starts.
        while !threads().contains(&"a-thread".to_owned()) {
            thread::yield_now();
        }
        thread.thread().unpark();
        thread.join().expect("it ends");
    }
}
