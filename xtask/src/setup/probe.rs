//! Whether a library or a program is there, wherever it came from.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

#[derive(Debug)]
pub(crate) enum Probe {
    /// A program on the PATH.
    Program(&'static str),
    /// A library of FFmpeg, under its pkg-config name.
    Library(&'static str),
    /// libclang as bindgen looks for it.
    LibClang,
    /// A file somewhere in the system's folders of libraries.
    UnderLib(&'static str),
}

impl Probe {
    pub(super) fn finds_it(&self) -> bool {
        match self {
            Probe::Program(name) => on_path(name),
            // FFMPEG_DIR takes the place of pkg-config in the build of the bindings.
            Probe::Library(name) => env::var_os("FFMPEG_DIR").is_some() || pkg_config(name),
            Probe::LibClang => env::var_os("LIBCLANG_PATH").is_some() || libclang(Path::new("/")),
            Probe::UnderLib(file) => under_lib(Path::new("/"), file),
        }
    }
}

pub(super) fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

fn pkg_config(library: &str) -> bool {
    Command::new("pkg-config")
        .args(["--exists", library])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn under_lib(root: &Path, file: &str) -> bool {
    let homes = [root.join("usr/lib"), root.join("usr/lib64")];
    let triplets = children(&homes[0]); // usr/lib/x86_64-linux-gnu
    homes.iter().chain(&triplets).any(|home| home.join(file).is_file())
}

/// bindgen loads the library, and the library needs the compiler's own headers: Debian's libclang1 comes without them.
fn libclang(root: &Path) -> bool {
    let lib = root.join("usr/lib");
    let mut homes = vec![root.join("usr/lib64"), root.join("usr/local/lib")];
    for directory in children(&lib) {
        homes.push(directory.join("lib")); // usr/lib/llvm-14/lib
        homes.push(directory); // usr/lib/x86_64-linux-gnu
    }
    homes.push(lib);

    let library = |home: &PathBuf| children(home).iter().any(|file| is_libclang(file));
    let headers =
        |home: &PathBuf| children(&home.join("clang")).iter().any(|version| version.join("include/stddef.h").is_file());
    homes.iter().any(library) && homes.iter().any(headers)
}

/// `libclang.so`, `libclang.so.14` or `libclang-14.so.1`, but not `libclang-cpp.so.14`.
fn is_libclang(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let versioned = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains(".so");
    name.starts_with("libclang.so") || name.strip_prefix("libclang-").is_some_and(versioned)
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libclang_counts_only_together_with_its_headers() {
        let root = tempfile::tempdir().unwrap();
        let llvm = root.path().join("usr/lib/llvm-14/lib");
        assert!(!libclang(root.path()));

        fs::create_dir_all(&llvm).unwrap();
        fs::write(llvm.join("libclang-cpp.a"), "").unwrap();
        fs::write(llvm.join("libclang-14.so.1"), "").unwrap();
        assert!(!libclang(root.path()), "without stddef.h");

        let include = llvm.join("clang/14.0.6/include");
        fs::create_dir_all(&include).unwrap();
        fs::write(include.join("stddef.h"), "").unwrap();
        assert!(libclang(root.path()));
    }

    #[test]
    fn the_other_clang_libraries_do_not_count() {
        assert!(is_libclang(Path::new("usr/lib/libclang.so")));
        assert!(is_libclang(Path::new("usr/lib/x86_64-linux-gnu/libclang-14.so.1")));
        assert!(!is_libclang(Path::new("usr/lib/x86_64-linux-gnu/libclang-cpp.so.14")));
        assert!(!is_libclang(Path::new("usr/lib/libclangAST.a")));
    }

    #[test]
    fn a_file_is_found_with_and_without_the_triplet() {
        let root = tempfile::tempdir().unwrap();
        for home in ["usr/lib", "usr/lib64", "usr/lib/x86_64-linux-gnu"] {
            let (folder, file) = (root.path().join(home), format!("{}.so", home.len()));
            assert!(!under_lib(root.path(), &file));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(&file), "").unwrap();
            assert!(under_lib(root.path(), &file), "in {home}");
        }
    }

    #[test]
    fn a_program_is_looked_for_on_the_path() {
        assert!(on_path("sh"));
        assert!(!on_path("no-such-program"));
    }
}
