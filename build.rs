//! Rebuilds the library when `migrations/` changes: the migrations are embedded, and Cargo does not detect new files there.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
