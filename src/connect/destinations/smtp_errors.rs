//! Failures of SMTP in words. The texts of a server are left out: they can contain addresses.

use std::io;

use lettre::transport::smtp::Error;

use super::SendError;
use super::smtp_url::SmtpUrl;
use crate::connect::failure;

/// A step of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Connect,
    StartTls,
    Authenticate,
    Sender,
    Recipient,
    Content,
}

/// Returns the failure of a step.
pub(super) fn failed(server: &SmtpUrl, step: Step, error: &Error) -> SendError {
    let Some(code) = error.status() else {
        return SendError::Unreachable(lost(server, step, error));
    };
    let what = match step {
        Step::Connect => "the connection",
        Step::StartTls => "STARTTLS",
        Step::Authenticate => "the user or `password`",
        Step::Sender => "the sender, `from`",
        Step::Recipient => "the recipients, `to`",
        Step::Content => "the message",
    };
    if error.is_transient() {
        return SendError::Refused(format!(
            "{server} refused {what} for now (code {code}); it is tried again"
        ));
    }
    let text = format!("{server} refused {what} (code {code})");
    match step {
        Step::Connect | Step::Content => {
            SendError::Refused(format!("{text}; its log has the reason"))
        }
        Step::StartTls => {
            SendError::Unusable(format!("{text}; use smtps://, or a server that encrypts"))
        }
        Step::Authenticate | Step::Sender | Step::Recipient => {
            SendError::Unusable(format!("{text}; correct the setting"))
        }
    }
}

/// Returns the failure of a connection before anything was read.
pub(super) fn not_connected(server: &SmtpUrl, error: &io::Error) -> SendError {
    SendError::Unreachable(unconnected(server, &failure::of_io(error)))
}

fn unconnected(server: &SmtpUrl, cause: &str) -> String {
    format!(
        "cannot connect to {server}: {cause}; check `url`, and the ports: 465 is for smtps://, 587 for smtp://"
    )
}

fn lost(server: &SmtpUrl, step: Step, error: &Error) -> String {
    if error.is_response() || error.is_client() {
        return format!(
            "{server} does not speak SMTP as expected; check the port: 465 is for smtps://, 587 for smtp://"
        );
    }
    let cause = failure::below(error);
    match step {
        Step::Connect => unconnected(server, &cause),
        _ => format!("the connection to {server} failed: {cause}"),
    }
}
