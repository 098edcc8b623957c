//! A connection that is read line by line, for STARTTLS.
//!
//! The SMTP library buffers what it reads, and keeps the buffer when TLS begins. An attacker on the way could append
//! answers to that of STARTTLS, which would then count as encrypted. Here no read goes beyond a line: what follows the answer stays
//! in the socket, TLS reads it, and the handshake fails.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Longest read, in bytes.
const MAX_READ: usize = 1024;

/// A connection of which each read ends at the end of a line.
#[derive(Debug)]
pub(super) struct LineByLine(TcpStream);

impl LineByLine {
    /// Connects.
    ///
    /// # Errors
    /// Returns the error of the last address that was tried.
    pub(super) async fn connect(host: &str, port: u16) -> io::Result<Self> {
        TcpStream::connect((host, port)).await.map(Self)
    }
}

impl AsyncTokioStream for LineByLine {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }
}

impl AsyncRead for LineByLine {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [0; MAX_READ];
        let bytes = &mut bytes[..buf.remaining().min(MAX_READ)];
        let mut seen = ReadBuf::new(bytes);
        let count = ready!(self.0.poll_peek(cx, &mut seen))?;
        let end = seen.filled().iter().position(|byte| *byte == b'\n');
        let length = end.map_or(count, |end| end + 1);
        let mut line = ReadBuf::new(&mut bytes[..length]);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut line))?;
        buf.put_slice(line.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for LineByLine {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
