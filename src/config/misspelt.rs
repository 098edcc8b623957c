//! Finds variables that probably should set something and do not, and names the nearest one that would.

use super::Environment;

/// Most edits between a variable and the one that is suggested for it.
const MAX_DISTANCE: usize = 3;

/// The same for variables that begin like ours, which nothing else uses.
const MAX_DISTANCE_OF_OURS: usize = 8;

/// Beginnings of our variables' names.
const OURS: [&str; 3] = ["BAMBOO", "MERGE_", "LEAVE"];

/// Words of a variable that holds a secret. Others that begin like ours may belong to another program.
const SECRET_WORDS: [&str; 5] = ["SECRET", "KEY", "TOKEN", "SIGNATURE", "WEBHOOK"];

/// A variable that sets nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct Misspelt {
    /// Its name.
    pub(super) variable: String,
    /// The finding, and what to do.
    pub(super) text: String,
}

/// Returns the variables that set nothing and resemble one that does. `used` are the variables that are read, each of which
/// also has a `_FILE` twin.
pub(super) fn find(env: &Environment, used: &[String]) -> Vec<Misspelt> {
    let known: Vec<String> = used
        .iter()
        .flat_map(|name| [name.clone(), format!("{name}_FILE")])
        .collect();
    // A variable of ours that sets nothing is an error of its own.
    let others = env.names().filter(|name| !name.starts_with("LEAVER_"));
    let unknown = others.filter(|name| !known.iter().any(|one| one == name));
    unknown
        .filter_map(|name| {
            let nearest = nearest(name, &known);
            // A pair that is set on purpose, such as DATABASE_URL and DATABASE_URL2, is no mistake.
            let nearest = nearest.filter(|near| is_ours(name) || !is_set(env, near));
            let text = match nearest {
                Some(near) => format!("this variable sets nothing; did you mean {near}? Rename it"),
                None if is_ours(name) => {
                    format!("this variable sets nothing; refer to it as \"env:{name}\" in the configuration file, or unset it")
                }
                None => return None,
            };
            Some(Misspelt {
                variable: name.to_owned(),
                text,
            })
        })
        .collect()
}

/// Returns the set variable that resembles `name` most, which is not set.
pub(super) fn set_instead_of<'e>(env: &'e Environment, name: &str) -> Option<&'e str> {
    let wanted = name.to_uppercase();
    env.names()
        .map(|set| (distance(set, &wanted), set))
        .filter(|(distance, set)| *distance <= MAX_DISTANCE.min(name.len() / 4) && *set != name)
        .min()
        .map(|(_, set)| set)
}

fn is_set(env: &Environment, name: &str) -> bool {
    let name = name.strip_suffix("_FILE").unwrap_or(name);
    env.raw(name).is_some() || env.raw(&format!("{name}_FILE")).is_some()
}

/// Returns true for a name that only a variable of ours has: it begins like ours and holds a secret.
fn is_ours(name: &str) -> bool {
    let name = name.to_uppercase();
    OURS.iter().any(|begin| name.starts_with(begin))
        && SECRET_WORDS.iter().any(|word| name.contains(word))
}

fn nearest<'k>(name: &str, known: &'k [String]) -> Option<&'k String> {
    let limit = if is_ours(name) {
        MAX_DISTANCE_OF_OURS
    } else {
        // A short name resembles many others.
        MAX_DISTANCE.min(name.len() / 4)
    };
    let (distance, near) = known
        .iter()
        .map(|known| (distance(name, known), known))
        .min()?;
    (distance <= limit).then_some(near)
}

fn distance(name: &str, known: &str) -> usize {
    strsim::damerau_levenshtein(&name.to_uppercase(), &known.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(set: &[&str]) -> Vec<String> {
        let used = [
            "DATABASE_URL",
            "BAMBOOHR_WEBHOOK_SECRET",
            "BAMBOOHR_WEBHOOK_SECRET_PREVIOUS",
            "MERGE_WEBHOOK_SECRET",
            "HR_KEY",
            "LEAVER_LISTEN",
        ]
        .map(str::to_owned);
        let env = Environment::of(set.iter().map(|name| (*name, "x")));
        let found = find(&env, &used);
        found
            .into_iter()
            .map(|one| {
                let near = one.text.split("did you mean ").nth(1);
                let near = near.and_then(|rest| rest.split('?').next());
                format!("{} {}", one.variable, near.unwrap_or("-"))
            })
            .collect()
    }

    #[test]
    fn a_misspelt_variable_is_named_with_the_nearest() {
        for (set, near) in [
            ("BAMBOOHR_WEBOOK_SECRET", "BAMBOOHR_WEBHOOK_SECRET"),
            ("BAMBOO_WEBHOOK_SECRET", "BAMBOOHR_WEBHOOK_SECRET"),
            ("BAMBOOHR_SECRET", "BAMBOOHR_WEBHOOK_SECRET"),
            ("bamboohr_webhook_secret", "BAMBOOHR_WEBHOOK_SECRET"),
            (
                "BAMBOOHR_WEBHOOK_SECRET_PREVIUOS",
                "BAMBOOHR_WEBHOOK_SECRET_PREVIOUS",
            ),
            ("MERGE_WEBHOOK_SECRET_FIEL", "MERGE_WEBHOOK_SECRET_FILE"),
            ("MERGE_WEBHOOKS_SECRET", "MERGE_WEBHOOK_SECRET"),
            ("DATABSE_URL", "DATABASE_URL"),
            ("HR_KEYS", "HR_KEY"),
            ("LEAVR_LISTEN", "LEAVER_LISTEN"),
        ] {
            assert_eq!(found(&[set]), [format!("{set} {near}")]);
        }
        assert_eq!(found(&["BAMBOOHR_API_KEY"]), ["BAMBOOHR_API_KEY -"]);
    }

    #[test]
    fn variables_of_other_programs_are_no_mistake() {
        let others = [
            "PATH",
            "HOME",
            "USER",
            "MERGE_TOOL",
            "MERGE_SERVICE_HOST",
            "HR_DIR",
            "PGHOST",
            "DATABASE_HOST",
        ];
        assert_eq!(found(&others), [""; 0]);
        assert_eq!(found(&["DATABASE_URL", "DATABASE_URL2"]), [""; 0]);
    }
}
