//! Small inputs and their right outcome, each run through the real program. `field` holds the cases from public reports
//! as they were written down; `siblings` holds others of the same classes, at least three for each rule of
//! docs/CORRECTNESS.md.

mod bytes;
mod case;
mod company;
mod expectation;
mod field;
mod placeholders;
mod posts;
mod provider;
mod runner;
mod siblings;
mod table;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Declares one test for each file `ID-NAME.json` of a folder; `_` in a name stands for `-`. `listed` returns the names.
macro_rules! cases {
    ($folder:literal $id:literal: $($name:ident),* $(,)?) => {
        crate::cases::cases! { $folder: $($id $name,)* }
    };
    ($folder:literal: $($id:literal $name:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::cases::runner::run($folder, &crate::cases::file_name($id, stringify!($name))).await;
            }
        )*

        pub(super) fn listed() -> Vec<String> {
            vec![$(crate::cases::file_name($id, stringify!($name)),)*]
        }
    };
}
pub(crate) use cases;

/// Returns the name of a case's file, without its extension.
pub(crate) fn file_name(id: &str, name: &str) -> String {
    format!("{id}-{}", name.replace('_', "-"))
}

/// Expects that a folder holds exactly these files.
#[track_caller]
fn assert_listed(folder: &str, listed: Vec<String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/cases")
        .join(folder);
    let names = fs::read_dir(path).unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.strip_suffix(".json").map(str::to_owned)
    });
    let files: BTreeSet<String> = names.collect();
    assert_eq!(files, listed.into_iter().collect::<BTreeSet<_>>());
}

#[test]
fn every_field_case_is_a_test() {
    assert_listed("field", field::listed());
}

#[test]
fn every_sibling_is_a_test() {
    assert_listed("siblings", siblings::listed());
}
