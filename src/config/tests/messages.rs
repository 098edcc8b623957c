//! Destinations for people: Slack and e-mail.

use super::*;
use crate::connect::destinations::{DestinationKind, EmailSettings, SlackAccess, SlackSettings};

const SLACK: &str =
    "name = 'team'\nkind = 'slack'\nevents = ['*']\ntoken = 'env:ONE'\nchannel = 'C0123456789'\n";
const HOOK: &str = "name = 'team'\nkind = 'slack'\nevents = ['*']\nurl = 'env:ONE'\n";
const EMAIL: &str = "name = 'mail'\nkind = 'email'\nevents = ['*']\nurl = 'smtps://user@mail.example.com'\n\
                     password = 'env:ONE'\nfrom = 'leaver@example.com'\nto = ['it@example.com']\n";

/// Loads a source and one destination with a secret.
fn load_one(keys: &str, secret: &str) -> Result<Settings, SettingsError> {
    load_with_key(&format!("[[destinations]]\n{keys}"), &[("ONE", secret)])
}

fn slack(settings: &Settings) -> &SlackSettings {
    match &settings.destinations[0].kind {
        DestinationKind::Slack(slack) => slack,
        other => panic!("{other:?}"),
    }
}

fn email(keys: &str) -> Result<EmailSettings, SettingsError> {
    match &load_one(keys, "hush-password")?.destinations[0].kind {
        DestinationKind::Email(email) => Ok(email.clone()),
        other => panic!("{other:?}"),
    }
}

/// Fails unless this change of a section is refused with these words.
#[track_caller]
fn assert_change_refused(keys: &str, from: &str, to: &str, secret: &str, words: &[&str]) {
    assert!(keys.contains(from), "{from}");
    assert_refused(load_one(&keys.replace(from, to), secret), words);
}

#[test]
fn a_bot_has_a_token_and_a_channel() {
    let settings = load_one(SLACK, "xoxb-hush").unwrap();
    let access = slack(&settings).access.as_ref().unwrap();
    assert!(matches!(access, SlackAccess::Bot { channel, .. } if channel == "C0123456789"));
    assert_eq!(slack(&settings).api_url.as_str(), "https://slack.com/api/");
    assert!(!slack(&settings).has_names && !format!("{settings:?}").contains(MARK));
    let named = format!("{SLACK}names = true\napi_url = 'https://slack-gov.com/api'\n");
    let settings = load_one(&named, "xoxb-hush").unwrap();
    assert!(slack(&settings).has_names && settings.destinations[0].subscription.wants_details);
    assert_eq!(
        slack(&settings).api_url.as_str(),
        "https://slack-gov.com/api/"
    );
}

#[test]
fn a_token_of_another_kind_is_refused() {
    for token in [
        "xapp-hush",
        "xoxp-hush",
        "https://hooks.slack.com/hush",
        "xoxb-hush\nX-Other: 1",
        "xoxb hush",
    ] {
        assert_refused(
            load_one(SLACK, token),
            &["destinations[0] (team).token", "xoxb-"],
        );
    }
}

#[test]
fn a_channel_is_an_id() {
    for channel in [
        "",
        "#general",
        "general",
        "c0123456789",
        "C01 23",
        "X0123456789",
        "C",
    ] {
        assert_change_refused(
            SLACK,
            "C0123456789",
            channel,
            "xoxb-hush",
            &["(team).channel", "C0123456789"],
        );
    }
    assert_change_refused(
        SLACK,
        "channel = 'C0123456789'\n",
        "",
        "xoxb-hush",
        &["(team).channel"],
    );
}

#[test]
fn an_incoming_webhook_is_a_secret_url() {
    let url = "https://hooks.slack.com/services/T0/B0/hush";
    let settings = load_one(HOOK, url).unwrap();
    assert!(matches!(
        slack(&settings).access,
        Some(SlackAccess::Incoming(_))
    ));
    assert!(!format!("{settings:?}").contains(MARK));
    for wrong in [
        "hush",
        "http://hooks.slack.com/services/hush",
        "https://hush@hooks.slack.com/x",
        "https://hush.example.com",
    ] {
        assert_refused(load_one(HOOK, wrong), &["(team).url", "incoming webhook"]);
    }
    assert_change_refused(HOOK, "env:ONE", url, "", &["(team).url"]);
    let both = format!("{SLACK}url = 'env:ONE'\n");
    assert_refused(load_one(&both, "xoxb-hush"), &["(team).token", "either"]);
    for more in [
        "channel = 'C0123456789'\n",
        "api_url = 'https://slack.com/api/'\n",
    ] {
        assert_refused(load_one(&format!("{HOOK}{more}"), url), &["remove it"]);
    }
}

#[test]
fn the_api_of_slack_is_encrypted() {
    for wrong in [
        "http://slack.example.com/api/",
        "slack.com",
        "https://user@slack.com/api/",
        "https://slack.com/api/?x=1",
    ] {
        let keys = format!("{SLACK}api_url = '{wrong}'\n");
        assert_refused(
            load_one(&keys, "xoxb-hush"),
            &["(team).api_url", "https://slack-gov.com/api/"],
        );
    }
}

#[test]
fn a_mailbox_has_a_server_and_addresses() {
    let settings = email(EMAIL).unwrap();
    assert_eq!(
        (settings.from.as_str(), settings.to.len()),
        ("leaver@example.com", 1)
    );
    let named = EMAIL.replace("'leaver@example.com'", "'Leaver <leaver@example.com>'");
    assert!(email(&named.replace("user@mail", "user%40example.com@mail")).is_ok());
    let local = EMAIL.replace("smtps://user@mail.example.com", "smtp://127.0.0.1:25");
    let local = local.replace("password = 'env:ONE'\n", "");
    assert!(email(&local).unwrap().password.is_none());
}

#[test]
fn an_address_that_is_none_is_refused() {
    for wrong in [
        "",
        "leaver",
        "leaver@",
        "@example.com",
        "a@example.com, b@example.com",
        "a@example.com\\r\\nBcc: c@example.com",
        "a b@example.com",
    ] {
        let quoted = format!("\"{wrong}\"");
        let from = EMAIL.replace("'leaver@example.com'", &quoted);
        assert_refused(
            email(&from).map(|_| unreachable!()),
            &["(mail).from", "leaver@example.com"],
        );
        let to = EMAIL.replace("'it@example.com'", &format!("'it@example.com', {quoted}"));
        assert_refused(
            email(&to).map(|_| unreachable!()),
            &["(mail).to[1]", "it@example.com"],
        );
    }
    assert_change_refused(
        EMAIL,
        "['it@example.com']",
        "[]",
        "hush",
        &["(mail).to", "at least one"],
    );
    assert_change_refused(
        EMAIL,
        "from = 'leaver@example.com'\n",
        "",
        "hush",
        &["(mail).from"],
    );
}

#[test]
fn a_user_and_a_password_belong_together() {
    assert_change_refused(
        EMAIL,
        "password = 'env:ONE'\n",
        "",
        "hush",
        &["(mail).password", "`url` has a user"],
    );
    assert_change_refused(
        EMAIL,
        "user@mail",
        "mail",
        "hush",
        &["(mail).password", "no user"],
    );
    assert_change_refused(
        EMAIL,
        "user@mail",
        "user:hush@mail",
        "hush",
        &["(mail).url", "contains a password"],
    );
}

#[test]
fn a_mail_server_is_a_host_and_a_port() {
    for wrong in [
        "https://mail.example.com",
        "mail.example.com",
        "smtps://",
        "smtps://user@m.example.com/x",
        "smtps://user@m.example.com?tls=none",
    ] {
        assert_change_refused(
            EMAIL,
            "smtps://user@mail.example.com",
            wrong,
            "hush",
            &["(mail).url"],
        );
    }
}
