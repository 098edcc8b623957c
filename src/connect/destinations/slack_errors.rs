//! Errors of Slack: which of them need a person, and which pass by themselves
//! (<https://docs.slack.dev/reference/methods/chat.postMessage>, read 2026-11-27).

use std::time::Duration;

use super::SendError;

/// How long to wait after a rate limit that came without a time. Slack permits a message a second in a channel.
const RATE_LIMITED: Duration = Duration::from_secs(30);

/// Errors that need a person, and what to do.
const UNUSABLE: [(&str, &str); 26] = [
    ("account_inactive", TOKEN),
    ("invalid_auth", TOKEN),
    ("not_authed", TOKEN),
    ("token_expired", TOKEN),
    ("token_revoked", TOKEN),
    (
        "not_allowed_token_type",
        "set `token` to a bot token, which begins with xoxb-",
    ),
    (
        "missing_scope",
        "give the app the scope chat:write and install it again",
    ),
    (
        "no_permission",
        "give the app the scope chat:write and install it again",
    ),
    ("access_denied", POLICY),
    ("accesslimited", POLICY),
    ("ekm_access_denied", POLICY),
    ("enterprise_is_restricted", POLICY),
    ("org_login_required", POLICY),
    ("restricted_action", POLICY),
    ("restricted_action_non_threadable_channel", POLICY),
    ("restricted_action_read_only_channel", POLICY),
    ("restricted_action_thread_only_channel", POLICY),
    ("team_access_not_granted", POLICY),
    ("team_not_found", POLICY),
    ("two_factor_setup_required", POLICY),
    ("as_user_not_supported", POLICY),
    ("channel_not_found", CHANNEL),
    ("channel_type_not_supported", CHANNEL),
    ("is_archived", CHANNEL),
    ("not_in_channel", "invite the app to the channel"),
    ("messages_tab_disabled", CHANNEL),
];

const TOKEN: &str = "set `token` to the bot token of an installed app";
const CHANNEL: &str = "set `channel` to the ID of a channel, and invite the app to it";
const POLICY: &str = "an administrator of the workspace must permit it";

/// Errors that pass by themselves, or concern one message.
const REFUSED: [&str; 10] = [
    "fatal_error",
    "internal_error",
    "invalid_arguments",
    "invalid_blocks",
    "message_limit_exceeded",
    "msg_too_long",
    "no_text",
    "request_timeout",
    "service_unavailable",
    "team_added_to_org",
];

/// Returns the failure of an error code. Codes that are not documented are not repeated: a response can contain anything.
pub(super) fn of_api(code: &str) -> SendError {
    if ["ratelimited", "rate_limited"].contains(&code) {
        return SendError::Status {
            status: 429,
            retry_after: Some(RATE_LIMITED),
        };
    }
    if let Some((code, advice)) = UNUSABLE.iter().find(|(known, _)| *known == code) {
        return SendError::Unusable(format!("Slack refused the message ({code}); {advice}"));
    }
    SendError::Refused(match REFUSED.iter().find(|known| **known == code) {
        Some(code) => format!("Slack refused the message ({code}); it is tried again"),
        None => "Slack refused the message for a reason that is not documented; it is tried again"
            .to_owned(),
    })
}

/// Returns the failure of a response whose status is none of success.
///
/// Incoming webhooks answer 403 if a policy forbids it, 404 if the webhook or its channel was removed, 410 if the channel
/// is archived (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>, read 2026-11-27).
pub(super) fn of_status(error: SendError) -> SendError {
    let SendError::Status { status, .. } = error else {
        return error;
    };
    match status {
        401 | 403 => SendError::Unusable(format!(
            "Slack refused the access (status {status}); check that the app is installed and may post there"
        )),
        404 => SendError::Unusable(
            "Slack has no such webhook or channel (status 404); create it again and set its URL"
                .to_owned(),
        ),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejected_token_or_channel_pauses() {
        for code in [
            "invalid_auth",
            "account_inactive",
            "token_revoked",
            "channel_not_found",
            "not_in_channel",
            "is_archived",
            "missing_scope",
        ] {
            let error = of_api(code);
            assert!(
                error.pauses_at_once() && error.to_string().contains(code),
                "{error}"
            );
        }
        assert!(of_status(SendError::Gone).pauses_at_once());
    }

    #[test]
    fn a_failure_of_slack_is_tried_again() {
        for code in [
            "fatal_error",
            "internal_error",
            "msg_too_long",
            "",
            "xoxb-secret",
        ] {
            let error = of_api(code);
            assert!(
                !error.pauses_at_once() && !error.to_string().contains("xoxb"),
                "{error}"
            );
        }
        assert!(matches!(
            of_api("ratelimited"),
            SendError::Status {
                status: 429,
                retry_after: Some(_)
            }
        ));
    }
}
