//! Who caused a change. The kind stands in front of the name, and only the code that identified somebody sets it, so no name
//! can pass for another kind.

use std::fmt;

use super::operator::Operator;
use super::printable::is_unprintable;

/// Longest name and longest id of a token, in characters.
pub(super) const MAX_CHARS: usize = 64;
/// Longest issuer or subject of a signed-in user, in bytes. A subject of OIDC has at most 255.
const MAX_ID_BYTES: usize = 255;

/// Who caused a change. As text it is `system:timer`, `cli:alice`, `user:issuer/subject` or `token:id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The service itself.
    System(ServicePart),
    /// A person at the command line.
    Cli(CliUser),
    /// A person who signed in.
    User(UserId),
    /// A program with a token.
    Token(TokenId),
}

/// The part of the service that acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ServicePart {
    /// Processes deliveries, and reads single employees.
    Worker,
    /// Ends access at scheduled times.
    Timer,
    /// Reads the employees of a source.
    Sync,
    /// Compares accounts with the roster.
    Drift,
}

/// A person at the command line: the name that the person claims, and where the command ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CliUser {
    name: Operator,
    /// User of the operating system, from its user id.
    pub os_user: String,
    /// Name of the machine.
    pub host: String,
}

/// A signed-in person: the issuer of the identity, and its subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserId {
    issuer: String,
    subject: String,
}

/// The id of a token. It is not the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenId(String);

/// Why a text is not the name of an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidActor {
    /// It has no letter and no digit.
    #[error("the name is blank; write your own name")]
    Blank,
    /// It is too long.
    #[error("the name is longer than {MAX_CHARS} characters; shorten it")]
    TooLong,
    /// It has a character that a name cannot have.
    #[error(
        "the name has a character that is not allowed; use Latin letters, digits, spaces and . _ - + ' @ \\"
    )]
    Character,
    /// It reads like the service or a kind of actor.
    #[error("the name is reserved for the service; write your own name")]
    Reserved,
    /// An issuer or a subject is empty, too long, or not printable.
    #[error(
        "the identity is not usable; an issuer and a subject have 1 to {MAX_ID_BYTES} printable characters"
    )]
    Identity,
    /// It is not the id of a token.
    #[error("not the id of a token; it has 1 to {MAX_CHARS} characters of a-z, 0-9, `-` and `_`")]
    TokenId,
}

impl Actor {
    /// The worker.
    pub const WORKER: Self = Self::System(ServicePart::Worker);
    /// The timer.
    pub const TIMER: Self = Self::System(ServicePart::Timer);
    /// A sync.
    pub const SYNC: Self = Self::System(ServicePart::Sync);
    /// The drift check.
    pub const DRIFT: Self = Self::System(ServicePart::Drift);

    /// Returns the administrator's token.
    #[must_use]
    pub fn admin_token() -> Self {
        Self::Token(TokenId("admin".to_owned()))
    }

    /// Returns the kind, which names nobody: `system`, `cli`, `user` or `token`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::System(_) => "system",
            Self::Cli(_) => "cli",
            Self::User(_) => "user",
            Self::Token(_) => "token",
        }
    }

    /// Returns the user of the operating system, for a person at the command line.
    #[must_use]
    pub fn os_user(&self) -> Option<&str> {
        self.cli_user().map(|user| user.os_user.as_str())
    }

    /// Returns the machine, for a person at the command line.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.cli_user().map(|user| user.host.as_str())
    }

    fn cli_user(&self) -> Option<&CliUser> {
        match self {
            Self::Cli(user) => Some(user),
            _ => None,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(part) => write!(f, "system:{}", <&str>::from(part)),
            Self::Cli(user) => write!(f, "cli:{}", user.name),
            Self::User(id) => write!(f, "user:{}/{}", id.issuer, escaped_subject(&id.subject)),
            Self::Token(id) => write!(f, "token:{}", id.0),
        }
    }
}

/// Escapes the slash, so that the last one separates issuer and subject. An issuer is a URL and has slashes.
fn escaped_subject(subject: &str) -> String {
    subject.replace('%', "%25").replace('/', "%2F")
}

impl CliUser {
    /// Describes a person at the command line.
    pub fn new(name: Operator, os_user: impl Into<String>, host: impl Into<String>) -> Self {
        Self {
            name,
            os_user: os_user.into(),
            host: host.into(),
        }
    }
}

impl UserId {
    /// Describes a signed-in person.
    ///
    /// # Errors
    /// Returns [`InvalidActor::Identity`] if a part is empty, too long or not printable.
    pub fn new(issuer: &str, subject: &str) -> Result<Self, InvalidActor> {
        let is_usable = |text: &str| {
            (1..=MAX_ID_BYTES).contains(&text.len()) && !text.chars().any(is_unprintable)
        };
        if is_usable(issuer) && is_usable(subject) {
            Ok(Self {
                issuer: issuer.to_owned(),
                subject: subject.to_owned(),
            })
        } else {
            Err(InvalidActor::Identity)
        }
    }
}

impl TokenId {
    /// Parses an id of 1 to 64 characters among `a-z`, `0-9`, `-` and `_`.
    ///
    /// # Errors
    /// Returns [`InvalidActor::TokenId`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidActor> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        if (1..=MAX_CHARS).contains(&text.len()) && text.chars().all(is_plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidActor::TokenId)
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests {
    use super::*;

    fn cli(name: &str) -> String {
        let user = CliUser::new(Operator::parse(name).unwrap(), "root", "db1");
        Actor::Cli(user).to_string()
    }

    #[test]
    fn kind_stands_in_front_of_the_name() {
        assert_eq!(Actor::TIMER.to_string(), "system:timer");
        assert_eq!(cli(" Kim Løvø "), "cli:Kim Løvø");
        let user = UserId::new("https://id.example/a", "7/b%").unwrap();
        let user = Actor::User(user).to_string();
        assert_eq!(user, "user:https://id.example/a/7%2Fb%25");
        let token = TokenId::parse("admin").unwrap();
        assert_eq!(Actor::Token(token).to_string(), "token:admin");
    }

    #[test]
    fn identities_and_token_ids_are_printable() {
        for (issuer, subject) in [("", "a"), ("a", ""), ("a\nb", "c"), ("a", "b\u{202e}")] {
            assert!(
                UserId::new(issuer, subject).is_err(),
                "{issuer:?} {subject:?}"
            );
        }
        for id in ["", "a b", "A", "a:b", "é"] {
            assert!(TokenId::parse(id).is_err(), "{id:?}");
        }
    }
}
