//! E-mail: one message over SMTP, with a connection of its own.

use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message as Email};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use super::smtp_errors::{Step, failed, not_connected};
use super::smtp_lines::LineByLine;
use super::smtp_url::{Security, SmtpUrl};
use super::{EmailSettings, SEND_TIMEOUT, SendError};
use leaver_core::events::messages::Message;

/// Time limit of QUIT. The message is already accepted then.
const QUIT_TIMEOUT: Duration = Duration::from_secs(1);

/// A mailbox that receives messages.
pub(super) struct Mailer {
    server: SmtpUrl,
    tls: Option<TlsParameters>,
    password: Option<SecretString>,
    from: Mailbox,
    to: Vec<Mailbox>,
    hello: ClientId,
}

impl Mailer {
    /// Prepares it. Each message connects.
    ///
    /// # Errors
    /// Fails if the password is missing, an address is invalid, or TLS cannot be set up.
    pub(super) fn new(settings: &EmailSettings) -> anyhow::Result<Self> {
        let server = SmtpUrl::parse(&settings.url).map_err(anyhow::Error::msg)?;
        if server.user.is_some() && settings.password.is_none() {
            anyhow::bail!("the password of the mail server was not read by this command");
        }
        let tls = match server.security {
            Security::None => None,
            Security::Implicit | Security::StartTls => Some(
                TlsParameters::builder(server.host.clone())
                    .build_rustls()
                    .context("TLS of the mail server cannot be set up")?,
            ),
        };
        let to = settings.to.iter().map(|to| mailbox(to));
        Ok(Self {
            tls,
            password: settings.password.clone(),
            from: mailbox(&settings.from).context("`from` is no address")?,
            to: to.collect::<Option<_>>().context("`to` has no addresses")?,
            hello: hello(),
            server,
        })
    }

    /// Sends a message and returns the code of the response.
    ///
    /// # Errors
    /// [`SendError`] if the server did not take it for any recipient.
    pub(super) async fn send(&self, message: &Message) -> Result<u16, SendError> {
        let email = self.compose(message)?;
        let sending = async {
            let mut connection = self.open_session().await?;
            let sent = self.transfer(&mut connection, &email).await;
            Ok::<_, SendError>((connection, sent))
        };
        let Ok(answered) = timeout(SEND_TIMEOUT, sending).await else {
            return Err(SendError::Unreachable(format!(
                "{} did not answer in time",
                self.server
            )));
        };
        let (connection, sent) = answered?;
        // The server has the message whatever it answers to QUIT. Nothing waits for that, not even a stop.
        tokio::spawn(quit(connection));
        sent
    }

    /// Connects, encrypts and authenticates.
    async fn open_session(&self) -> Result<AsyncSmtpConnection, SendError> {
        let at = |step| move |error| failed(&self.server, step, &error);
        let (host, port) = (self.server.host.as_str(), self.server.port);
        let connected = match self.server.security {
            Security::StartTls => {
                let stream = LineByLine::connect(host, port).await;
                let stream = stream.map_err(|error| not_connected(&self.server, &error))?;
                AsyncSmtpConnection::connect_with_transport(Box::new(stream), &self.hello).await
            }
            // Without STARTTLS there is only TLS from the first byte, or none.
            Security::Implicit | Security::None => {
                let (limit, tls) = (Some(SEND_TIMEOUT), self.tls.clone());
                let address = (host, port);
                AsyncSmtpConnection::connect_tokio1(address, limit, &self.hello, tls, None).await
            }
        };
        let mut connection = connected.map_err(at(Step::Connect))?;
        if let (Security::StartTls, Some(tls)) = (self.server.security, &self.tls) {
            if !connection.can_starttls() {
                return Err(SendError::Unusable(format!(
                    "{} offers no STARTTLS, so nothing was sent; use smtps://, or a server that encrypts",
                    self.server
                )));
            }
            let encrypting = connection.starttls(tls.clone(), &self.hello);
            encrypting.await.map_err(at(Step::StartTls))?;
        }
        if let (Some(user), Some(password)) = (&self.server.user, &self.password) {
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            let has_one = connection.server_info().get_auth_mechanism(&mechanisms);
            if has_one.is_none() {
                return Err(SendError::Unusable(format!(
                    "{} takes no user and password; remove them from `url` and `password`, or use its port for users",
                    self.server
                )));
            }
            let credentials = Credentials::new(user.clone(), password.expose_secret().to_owned());
            let authenticating = connection.auth(&mechanisms, &credentials);
            authenticating.await.map_err(at(Step::Authenticate))?;
        }
        Ok(connection)
    }

    /// Transfers a message to the recipients that the server accepts.
    async fn transfer(
        &self,
        connection: &mut AsyncSmtpConnection,
        email: &Email,
    ) -> Result<u16, SendError> {
        let at = |step| move |error| failed(&self.server, step, &error);
        let info = connection.server_info();
        let mut parameters = vec![];
        if info.supports_feature(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let is_ascii = |mailbox: &Mailbox| {
            let address: &str = mailbox.email.as_ref();
            address.is_ascii()
        };
        if !self.to.iter().chain([&self.from]).all(is_ascii) {
            if !info.supports_feature(Extension::SmtpUtfEight) {
                return Err(SendError::Unusable(format!(
                    "{} takes no addresses with letters outside ASCII; change `from` or `to`",
                    self.server
                )));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        let from = Mail::new(Some(self.from.email.clone()), parameters);
        let sender = connection.command(from).await;
        sender.map_err(at(Step::Sender))?;
        let mut refused = vec![];
        for to in &self.to {
            let recipient = Rcpt::new(to.email.clone(), vec![]);
            match connection.command(recipient).await {
                Ok(_) => {}
                Err(error) if error.status().is_some() => refused.push(error),
                Err(error) => return Err(failed(&self.server, Step::Recipient, &error)),
            }
        }
        if refused.len() == self.to.len() {
            // The sooner of two: a recipient that is only refused for now.
            refused.sort_by_key(lettre::transport::smtp::Error::is_permanent);
            let first = refused.first();
            return Err(first.map_or_else(
                || SendError::Unusable("`to` is empty; add an address".to_owned()),
                |error| failed(&self.server, Step::Recipient, error),
            ));
        }
        if !refused.is_empty() {
            let of = self.to.len();
            tracing::warn!(server = %self.server, refused = refused.len(), of, "the mail server refused recipients of a message; the others have it; check `to`");
        }
        let data = connection.command(Data).await;
        data.map_err(at(Step::Content))?;
        let accepted = connection.message(&email.formatted()).await;
        let accepted = accepted.map_err(at(Step::Content))?;
        Ok(u16::from(accepted.code()))
    }

    fn compose(&self, message: &Message) -> Result<Email, SendError> {
        let domain = self.from.email.domain();
        let mut email = Email::builder()
            .from(self.from.clone())
            .subject(message.subject.replace(char::is_control, " "))
            // Stays the same over attempts, so that a mailbox can drop a repetition.
            .message_id(Some(format!("<{}@{domain}>", message.key())))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            email = email.to(to.clone());
        }
        // RFC 3834: no out-of-office reply is sent to it.
        for (name, value) in [
            ("Auto-Submitted", "auto-generated"),
            ("X-Auto-Response-Suppress", "All"),
        ] {
            let name = HeaderName::new_from_ascii_str(name);
            email = email.raw_header(HeaderValue::new(name, value.to_owned()));
        }
        let text = format!("{}\n", message.text);
        email.body(text).map_err(|_| {
            SendError::Refused("the message cannot be written as an e-mail".to_owned())
        })
    }
}

/// Ends a connection. Its result changes nothing.
async fn quit(mut connection: AsyncSmtpConnection) {
    let result = timeout(QUIT_TIMEOUT, connection.quit()).await;
    if !matches!(result, Ok(Ok(_))) {
        tracing::debug!("the mail server did not answer QUIT");
    }
}

/// Reads an address such as `it@example.com` or `Leaver <leaver@example.com>`. Control characters would end a header.
pub(crate) fn mailbox(text: &str) -> Option<Mailbox> {
    let text = Some(text.trim()).filter(|text| !text.contains(char::is_control))?;
    Mailbox::from_str(text).ok()
}

/// Returns the name with which a server is greeted: that of the machine, if it is one.
fn hello() -> ClientId {
    let host = nix::unistd::gethostname().ok();
    let host = host.and_then(|host| host.into_string().ok());
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    match host {
        Some(host) if !host.is_empty() && host.chars().all(is_name) => ClientId::Domain(host),
        _ => ClientId::default(),
    }
}
