//! A mail server that misbehaves after a command. It runs in threads: nothing in it waits for the service.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// Answers of the stub.
#[derive(Clone, Copy)]
pub(super) struct Script {
    /// Offered after EHLO.
    pub(super) offer: &'static str,
    /// Sent after STARTTLS, in one write.
    pub(super) starttls: &'static str,
    /// Time until a message is accepted.
    pub(super) delay: Duration,
}

/// Starts one, and returns its port. It never answers QUIT, and leaves connections open.
pub(super) fn start(host: &str, script: Script) -> u16 {
    let listener = TcpListener::bind((host, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || serve(&stream.unwrap(), script));
        }
    });
    port
}

fn serve(mut stream: &TcpStream, script: Script) -> Option<()> {
    let mut answer = move |text: &str| stream.write_all(text.as_bytes()).ok();
    answer("220 stub ESMTP\r\n")?;
    let mut is_content = false;
    let mut lines = BufReader::new(stream).split(b'\n');
    while let Some(Ok(line)) = lines.next() {
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        match line.split([' ', ':']).next().unwrap_or_default() {
            "." if is_content => {
                std::thread::sleep(script.delay);
                is_content = false;
                answer("250 accepted\r\n")?;
            }
            _ if is_content => {}
            "EHLO" => answer(&format!("250-stub\r\n250 {}\r\n", script.offer))?,
            "STARTTLS" => answer(script.starttls)?,
            "DATA" => {
                is_content = true;
                answer("354 go on\r\n")?;
            }
            "MAIL" | "RCPT" => answer("250 OK\r\n")?,
            // QUIT, and what is no command.
            _ => {}
        }
    }
    None
}
