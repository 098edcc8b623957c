//! Destinations of kind `email`.

use super::Context;
use crate::config::SettingsError;
use crate::connect::destinations::{EmailSettings, SmtpUrl, mailbox};

impl Context<'_> {
    pub(super) fn email(&self) -> Result<EmailSettings, SettingsError> {
        let raw = self.raw;
        let url = self.url(&["smtps", "smtp"], "smtps://user@mail.example.com")?;
        let server = SmtpUrl::parse(&url).map_err(|problem| self.invalid("url", problem))?;
        let password = match (&raw.password, &server.user) {
            (Some(reference), Some(_)) => self.secret("password", reference)?,
            (None, None) => None,
            (Some(_), None) => {
                return Err(self.invalid(
                    "password",
                    "`url` has no user; write it like smtps://user@mail.example.com, or remove `password`",
                ));
            }
            (None, Some(_)) => {
                return Err(self.invalid(
                    "password",
                    "`url` has a user; set it to a reference such as \"env:SMTP_PASSWORD\"",
                ));
            }
        };
        let from = raw.from.clone().unwrap_or_default();
        if mailbox(&from).is_none() {
            return Err(self.invalid(
                "from",
                "set it to the address of the sender, such as \"leaver@example.com\"",
            ));
        }
        let to = raw.to.clone().unwrap_or_default();
        if to.is_empty() {
            return Err(self.invalid(
                "to",
                "at least one address is needed, such as [\"it@example.com\"]",
            ));
        }
        for (n, address) in to.iter().enumerate() {
            if mailbox(address).is_none() {
                return Err(self.invalid(
                    &format!("to[{n}]"),
                    "it is not one address; write each like \"it@example.com\"",
                ));
            }
        }
        Ok(EmailSettings {
            url,
            password,
            from,
            to,
            has_names: raw.names.unwrap_or(false),
        })
    }
}
