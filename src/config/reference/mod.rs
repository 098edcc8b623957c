//! The reference of all settings, read from `config/default.toml`: every key with its kind, default and description.
//! The JSON Schema and the list of variables are made from it, so that neither can omit a key.

mod kind;
mod parse;
mod schema;
mod shown;
mod variables;

use toml::Value;

use self::kind::Kind;
use self::parse::{Entry, entries};
pub(crate) use self::schema::schema;
pub(crate) use self::shown::{Origin, SecretState, Shown, ShownSetting};
pub(crate) use self::variables::{Variable, variables};

/// Sections that a file can repeat, such as `[[sources]]`.
const LISTS: [&str; 2] = ["sources", "destinations"];

/// A section or a key of the reference.
enum Documented {
    /// A section, with its description.
    Section { path: String, description: String },
    /// A key.
    Key(Key),
}

/// A key of the configuration.
pub(super) struct Key {
    /// Full path, such as `server.listen` or `sources[].name`.
    pub(super) path: String,
    kind: Kind,
    /// Default. A key of a list has an example, which need not be one.
    default: Value,
    pub(super) description: String,
}

impl Key {
    /// Returns whether it stands in a section that can be repeated, such as `sources[]`.
    fn is_of_list(&self) -> bool {
        self.path.contains("[]")
    }
}

/// Returns all sections and keys, in the order of the file.
fn documented() -> Vec<Documented> {
    let entries = entries(super::DEFAULTS);
    let text_of = |path: &str| {
        let found = entries.iter().find(|entry| entry.path == path);
        found.map_or("", |entry| entry.comment.as_str())
    };
    entries
        .iter()
        .map(|entry| {
            let path = entry.path.clone();
            let section = path.rsplit_once('.').map_or("", |(section, _)| section);
            let description = describe(entry, text_of(section), &text_of);
            match &entry.value {
                None => Documented::Section { path, description },
                Some(value) => Documented::Key(Key {
                    kind: Kind::of(&path, value, &description),
                    path,
                    default: value.clone(),
                    description,
                }),
            }
        })
        .collect()
}

/// Returns all keys, in the order of the file.
pub(super) fn keys() -> Vec<Key> {
    let keys = documented().into_iter().filter_map(|one| match one {
        Documented::Key(key) => Some(key),
        Documented::Section { .. } => None,
    });
    keys.collect()
}

/// Returns the comment of an entry. A key without one is described by the policy that it overrides, else by its section.
fn describe<'a>(entry: &'a Entry, section: &str, text_of: &impl Fn(&str) -> &'a str) -> String {
    if entry.value.is_none() {
        return entry.comment.clone();
    }
    let policy = entry.path.strip_prefix("sources[].");
    let policy = policy.map(|key| format!("policy.{key}"));
    if let Some(policy) = policy.filter(|policy| !text_of(policy).is_empty()) {
        let text = text_of(&policy).replace(" A source can override it.", "");
        return format!("{text} Overrides `{policy}`.");
    }
    if entry.comment.is_empty() {
        return section.to_owned();
    }
    entry.comment.clone()
}
