//! Judges a filter of the log: targets that do not exist, and warnings that it turns off.

use tracing_subscriber::filter::LevelFilter;

include!(concat!(env!("OUT_DIR"), "/log_targets.rs"));

/// Most edits between a word and the one that is suggested for it.
const MAX_DISTANCE: usize = 3;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// A part of a filter: the level of all targets that begin with a text.
struct Directive<'t> {
    /// Empty for the level of everything.
    target: &'t str,
    level: LevelFilter,
    /// Spans or fields limit it, so it turns nothing off.
    is_conditional: bool,
}

/// Returns what is wrong with a filter, with what to do. The filter must be one that can be parsed.
#[must_use]
pub(crate) fn problems(filter: &str) -> Vec<String> {
    let directives: Vec<Directive<'_>> = split(filter).filter_map(parse).collect();
    let mut problems: Vec<String> = directives
        .iter()
        .filter(|directive| !directive.target.is_empty() && !exists(directive.target))
        .map(|directive| unknown(directive.target))
        .collect();
    let silent: Vec<&str> = MODULES
        .iter()
        .copied()
        .filter(|module| level(&directives, module) < LevelFilter::WARN)
        .collect();
    if silent.len() == MODULES.len() {
        problems.push(
            "it turns all warnings of Leaver off; begin it with `warn,`, or set it to \"info\""
                .to_owned(),
        );
    } else if let Some(first) = silent.first() {
        problems.push(format!(
            "it turns warnings off in {first}{}; raise its level to `warn`",
            match silent.len() - 1 {
                0 => String::new(),
                others => format!(" and {others} more"),
            }
        ));
    }
    problems
}

/// Splits a filter at its commas. Those in braces separate fields.
fn split(filter: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    filter.split(move |c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    })
}

fn parse(part: &str) -> Option<Directive<'_>> {
    let part = part.trim();
    if part.is_empty() {
        return None;
    }
    if let Ok(level) = part.parse() {
        return Some(Directive {
            target: "",
            level,
            is_conditional: false,
        });
    }
    let end = part.find('[').or_else(|| part.find('='));
    let (target, rest) = part.split_at(end.unwrap_or(part.len()));
    let level = rest.rsplit_once('=').map(|(_, level)| level.trim());
    Some(Directive {
        target: target.trim(),
        level: level
            .and_then(|level| level.parse().ok())
            .unwrap_or(LevelFilter::TRACE),
        is_conditional: rest.starts_with('['),
    })
}

/// Returns whether something of this program logs under the target, or under one that begins with it and ends at `::`.
fn exists(target: &str) -> bool {
    let (name, rest) = target.split_once("::").unwrap_or((target, ""));
    match name {
        "leaver" => MODULES.contains(&target),
        // The modules of other crates are not known.
        _ => CRATES.contains(&name) && !rest.starts_with(':'),
    }
}

fn unknown(target: &str) -> String {
    let (word, near) = LEVELS
        .iter()
        .map(|level| (format!("the level `{level}`"), *level))
        .filter(|(_, level)| strsim::damerau_levenshtein(target, level) <= 2)
        .chain(
            MODULES
                .iter()
                .chain(CRATES)
                .map(|known| (format!("`{known}`"), *known)),
        )
        .min_by_key(|(_, known)| strsim::damerau_levenshtein(target, known))
        .unwrap_or_default();
    let advice = if strsim::damerau_levenshtein(target, near) <= MAX_DISTANCE {
        format!("did you mean {word}?")
    } else {
        "name a module such as `leaver::jobs`, or a level".to_owned()
    };
    format!("nothing logs under the target `{target}`; {advice}")
}

/// Returns the level of a module: that of the longest target that it begins with.
fn level(directives: &[Directive<'_>], module: &str) -> LevelFilter {
    directives
        .iter()
        .filter(|one| !one.is_conditional && module.starts_with(one.target))
        // Of equal targets the last one counts.
        .max_by_key(|one| one.target.len())
        .map_or(LevelFilter::OFF, |one| one.level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_of_known_targets_has_no_problem() {
        for filter in [
            "info",
            "warn,leaver=debug",
            "info,leaver::jobs::sync=trace,sqlx=error",
            "WARN,hyper_util=debug",
            "3",
            "leaver=info",
            "info,leaver[request{source=\"a,b\"}]=trace",
        ] {
            assert_eq!(problems(filter), [""; 0], "{filter}");
        }
    }

    #[test]
    fn an_unknown_target_is_named_with_the_nearest() {
        for (filter, near) in [
            ("info,leaver::jobs::snyc=debug", "`leaver::jobs::sync`"),
            ("info,leavr=debug", "`leaver`"),
            ("info,sqlxx=warn", "`sqlx`"),
            ("debgu", "the level `debug`"),
            ("info,leaver::webhooks=debug", "such as `leaver::jobs`"),
        ] {
            let found = problems(filter);
            assert!(found[0].contains("nothing logs under"), "{found:?}");
            assert!(found[0].contains(near), "{found:?}");
        }
    }

    #[test]
    fn a_filter_that_turns_warnings_off_is_found() {
        for filter in [
            "error",
            "off",
            "leaver=error",
            "sqlx=debug",
            "warn,leaver=off",
        ] {
            let found = problems(filter);
            assert!(found[0].contains("all warnings"), "{filter}: {found:?}");
        }
        let found = problems("info,leaver::jobs::sync=error");
        assert!(found[0].contains("in leaver::jobs::sync"), "{found:?}");
        assert!(problems("leaver::jobs=debug")[0].contains("more"));
    }
}
