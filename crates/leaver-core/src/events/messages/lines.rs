//! Texts that grow line by line.

use super::words::one_line;
use super::{Message, Rules};
use crate::events::Event;

/// Most events of one list. The others are counted.
const LISTED: usize = 20;

/// A message without its events.
pub(super) struct Content {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) delays_digest: bool,
}

impl Content {
    pub(super) fn into_message(self, events: &[&Event]) -> Message {
        Message {
            subject: self.subject,
            text: self.text.trim_end().to_owned(),
            events: events.iter().map(|event| event.id).collect(),
            delays_digest: self.delays_digest,
        }
    }
}

/// Lines of a text.
#[derive(Default)]
pub(super) struct Lines(String);

impl Lines {
    /// Adds a line.
    pub(super) fn add(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// Adds a line for each event, at most [`LISTED`]; then how many more there are, and the command that lists them.
    pub(super) fn list(
        &mut self,
        events: &[&Event],
        command: &str,
        line: impl Fn(&Event) -> String,
    ) {
        for event in events.iter().take(LISTED) {
            self.add(&format!("- {}", line(event)));
        }
        if events.len() > LISTED {
            self.add(&format!("- and {} more: {command}", events.len() - LISTED));
        }
    }

    /// Adds the commands with which a person acts, each with its purpose.
    ///
    /// The console will have a page for each; its link goes here, from `Rules::public_url`.
    pub(super) fn act(&mut self, commands: &[(&str, &str)]) {
        let width = commands.iter().map(|(purpose, _)| purpose.len()).max();
        for (purpose, command) in commands {
            let purpose = format!("{purpose}:");
            self.add(&format!(
                "{purpose:width$} {command}",
                width = width.unwrap_or(0) + 1
            ));
        }
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// Returns the person of an event, named only if the rules permit it: `employee 40217 of acme (bamboohr), dana@example.com`.
pub(super) fn person(event: &Event, rules: &Rules) -> String {
    let mut text = match &event.employee_id {
        Some(id) => format!("employee {}", one_line(id)),
        None => "no employee".to_owned(),
    };
    text.push_str(&origin(event));
    if let Some(address) = address(event, rules) {
        text.push_str(", ");
        text.push_str(&address);
    }
    text
}

/// Returns the company and source of an event: ` of acme (bamboohr)`, or what it has of them.
pub(super) fn origin(event: &Event) -> String {
    let tenant = event.tenant.as_deref().map(one_line);
    let source = event.source.as_deref().map(one_line);
    match (tenant, source) {
        (Some(tenant), Some(source)) => format!(" of {tenant} ({source})"),
        (Some(tenant), None) => format!(" of {tenant}"),
        (None, Some(source)) => format!(" ({source})"),
        (None, None) => String::new(),
    }
}

/// Returns the work e-mail, if the rules permit names and the event has one.
pub(super) fn address(event: &Event, rules: &Rules) -> Option<String> {
    let details = event.details.as_ref().filter(|_| rules.has_names)?;
    let address = details.get("work_email")?.as_str()?;
    Some(one_line(address)).filter(|address| !address.is_empty())
}
