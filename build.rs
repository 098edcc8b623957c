//! The migrations are built into the library, and a new file among them is no change of a source.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
