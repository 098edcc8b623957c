//! Rebuilds the library when `migrations/` changes: the migrations are embedded, and Cargo does not detect new files there.
//! Writes the targets that a filter of the log can name.

use std::fs;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=Cargo.lock");
    write_log_targets()
}

/// Writes the modules of this crate and the names of all crates, for `service::log_filter`.
fn write_log_targets() -> io::Result<()> {
    let mut modules = vec!["leaver".to_owned()];
    add_modules(Path::new("src"), "leaver", &mut modules)?;
    modules.sort();
    let lock = fs::read_to_string("Cargo.lock").unwrap_or_default();
    let names = lock.lines().filter_map(|line| line.strip_prefix("name = "));
    let mut crates: Vec<String> = names
        .map(|name| name.trim_matches('"').replace('-', "_"))
        .collect();
    crates.dedup();
    let text =
        format!("const MODULES: &[&str] = &{modules:?};\nconst CRATES: &[&str] = &{crates:?};\n");
    let folder = std::env::var_os("OUT_DIR").unwrap_or_default();
    fs::write(Path::new(&folder).join("log_targets.rs"), text)
}

/// Adds the modules in the files of a folder. Files of tests and of the program itself have no targets that matter.
fn add_modules(folder: &Path, path: &str, modules: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let file = entry?.path();
        let name = file.file_stem().and_then(|name| name.to_str());
        let Some(name) = name.filter(|name| !["mod", "lib", "main", "tests"].contains(name)) else {
            continue;
        };
        let module = format!("{path}::{name}");
        if file.is_dir() {
            modules.push(module.clone());
            add_modules(&file, &module, modules)?;
        } else if file.extension().is_some_and(|extension| extension == "rs") {
            modules.push(module);
        }
    }
    Ok(())
}
