//! Connects as far as the server's request for the password, and lets the server prove that it has it.
//!
//! <https://www.postgresql.org/docs/current/protocol-flow.html>, read on 27 November 2026.

use std::io;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::protection::is_socket;
use super::scram::Exchange;

/// Time limit for the end of the session.
const END_TIMEOUT: Duration = Duration::from_millis(500);

/// Longer messages do not occur before a session has begun.
const MAX_MESSAGE: usize = 65_536;

/// Errors about the role or the database. A session without the password gets the same one, so it is left to sqlx.
// 08P01 is that of PgBouncer.
const LOGIN_ERRORS: [&str; 4] = ["28P01", "28000", "3D000", "08P01"];

/// The server refuses connections before it asks for the password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server refuses connections (SQLSTATE {code})")]
pub(crate) struct Refused {
    /// The SQLSTATE.
    pub(crate) code: String,
}

/// How a server asks for the password.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It has proved that it has the password.
    HasPassword,
    /// It does not ask, or refuses the role.
    NeedsNoPassword,
    /// It asks in a way that hands the password over.
    Wants(&'static str),
}

/// Connects to the server of these options and asks for nothing but its request.
///
/// # Errors
/// Returns why there is no answer.
pub(super) async fn probe(options: &PgConnectOptions, password: &str) -> io::Result<Answer> {
    let port = options.get_port();
    if is_socket(options) {
        let folder = options
            .get_socket()
            .map_or_else(|| options.get_host().into(), Clone::clone);
        let path = folder.join(format!(".s.PGSQL.{port}"));
        exchange(UnixStream::connect(path).await?, options, password).await
    } else {
        let stream = TcpStream::connect((options.get_host(), port)).await?;
        exchange(stream, options, password).await
    }
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    options: &PgConnectOptions,
    password: &str,
) -> io::Result<Answer> {
    let user = options.get_username();
    let database = options.get_database().unwrap_or(user);
    let mut startup = 196_608_u32.to_be_bytes().to_vec();
    for text in [
        "user",
        user,
        "database",
        database,
        "application_name",
        "leaver",
    ] {
        startup.extend_from_slice(text.as_bytes());
        startup.push(0);
    }
    startup.push(0);
    write(&mut stream, None, &startup).await?;

    let (code, mechanisms) = match authentication(&mut stream).await? {
        Message::Authentication(code, rest) => (code, rest),
        Message::LoginError => return Ok(Answer::NeedsNoPassword),
    };
    match code {
        0 => return Ok(Answer::NeedsNoPassword),
        3 => return Ok(Answer::Wants("in clear text")),
        5 => return Ok(Answer::Wants("as an md5 hash")),
        10 if mechanisms
            .split(|byte| *byte == 0)
            .any(|name| name == b"SCRAM-SHA-256") => {}
        _ => return Ok(Answer::Wants("by a method that is not supported")),
    }

    let scram = Exchange::new();
    let first = scram.first_message();
    let mut initial = b"SCRAM-SHA-256\0".to_vec();
    initial.extend_from_slice(&u32::try_from(first.len()).unwrap_or(0).to_be_bytes());
    initial.extend_from_slice(first.as_bytes());
    write(&mut stream, Some(b'p'), &initial).await?;
    let Some(server_first) = sasl(&mut stream, 11).await? else {
        return Ok(Answer::NeedsNoPassword);
    };
    let password = password.to_owned();
    let answer = tokio::task::spawn_blocking(move || scram.answer(&server_first, &password))
        .await
        .map_err(io::Error::other)?;
    let Some(answer) = answer else {
        return Ok(Answer::Wants(
            "with too few iterations of SCRAM, or too many",
        ));
    };
    write(&mut stream, Some(b'p'), answer.message.as_bytes()).await?;
    Ok(match sasl(&mut stream, 12).await? {
        None => Answer::NeedsNoPassword,
        Some(server_final) if answer.is_proven_by(&server_final) => {
            // The end is announced, so that the server logs no lost connection. A failure changes nothing.
            drop(write(&mut stream, Some(b'X'), &[]).await);
            // The backend counts against limits of the role until it has ended.
            let mut rest = tokio::io::sink();
            let ended = tokio::io::copy(&mut stream, &mut rest);
            drop(tokio::time::timeout(END_TIMEOUT, ended).await);
            Answer::HasPassword
        }
        Some(_) => Answer::Wants("without a proof that it has it"),
    })
}

enum Message {
    Authentication(u32, Vec<u8>),
    LoginError,
}

/// Reads the data of a SASL message with this code; `None` after an error about the role.
async fn sasl(stream: &mut (impl AsyncRead + Unpin), wanted: u32) -> io::Result<Option<String>> {
    match authentication(stream).await? {
        Message::LoginError => Ok(None),
        Message::Authentication(code, data) if code == wanted => {
            String::from_utf8(data).map(Some).map_err(|_| malformed())
        }
        Message::Authentication(..) => Err(malformed()),
    }
}

/// Reads up to the next message about authentication.
async fn authentication(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Message> {
    loop {
        let kind = stream.read_u8().await?;
        let length = usize::try_from(stream.read_u32().await?).map_err(|_| malformed())?;
        let length = length
            .checked_sub(4)
            .filter(|length| *length <= MAX_MESSAGE);
        let mut body = vec![0; length.ok_or_else(malformed)?];
        stream.read_exact(&mut body).await?;
        match kind {
            b'R' => {
                let (code, rest) = body.split_first_chunk().ok_or_else(malformed)?;
                return Ok(Message::Authentication(
                    u32::from_be_bytes(*code),
                    rest.to_vec(),
                ));
            }
            b'E' => {
                let code = sqlstate(&body).unwrap_or_default();
                if LOGIN_ERRORS.contains(&code.as_str()) {
                    return Ok(Message::LoginError);
                }
                return Err(io::Error::other(Refused { code }));
            }
            // Messages for people, and the newest version of the protocol that the server supports.
            b'N' | b'v' => {}
            _ => return Err(malformed()),
        }
    }
}

/// Returns the SQLSTATE of an error message: fields of a letter and a text.
fn sqlstate(body: &[u8]) -> Option<String> {
    let field = body
        .split(|byte| *byte == 0)
        .find_map(|field| field.strip_prefix(b"C"))?;
    let code = std::str::from_utf8(field).ok()?;
    let is_code = code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_code.then(|| code.to_owned())
}

async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    kind: Option<u8>,
    body: &[u8],
) -> io::Result<()> {
    let mut message = Vec::from_iter(kind);
    let length = u32::try_from(body.len() + 4).map_err(|_| malformed())?;
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(body);
    stream.write_all(&message).await?;
    stream.flush().await
}

fn malformed() -> io::Error {
    let text = "the server does not answer as Postgres does";
    io::Error::new(io::ErrorKind::InvalidData, text)
}
