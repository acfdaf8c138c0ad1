//! Lays out what a wheel holds beside code: manifests and samples of corpora, whose one home is `corpora/` of the
//! source. maturin takes them from here (`pyproject.toml`); nothing of it is compiled.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let source = Path::new("../corpora");
    println!("cargo:rerun-if-changed={}", source.display());
    let out = env::var_os("OUT_DIR").expect("cargo sets it for build scripts");
    let target = PathBuf::from(out).join("manifests");
    // A manifest that was renamed or removed must not stay.
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    copy(source, &target, "toml")?;
    copy(&source.join("samples"), &target.join("samples"), "")
}

/// Copies the files with this extension, or all of them, from one folder into another.
fn copy(source: &Path, target: &Path, extension: &str) -> io::Result<()> {
    fs::create_dir_all(target)?;
    for entry in fs::read_dir(source)? {
        let path = entry?.path();
        let fits = extension.is_empty() || path.extension().is_some_and(|e| e == extension);
        if path.is_file() && fits {
            fs::copy(
                &path,
                target.join(path.file_name().expect("a file has a name")),
            )?;
        }
    }
    Ok(())
}
