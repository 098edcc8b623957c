//! Follows where one request ends and the next begins in what a client sends, only as far as that needs. hyper drops a
//! `Content-Length` that stands beside a `Transfer-Encoding` without a word, so whoever wants to refuse such a request
//! has to look at the bytes. It judges nothing else: hyper does.

/// Which part of a request the next byte belongs to.
#[derive(Debug, Clone, Copy)]
enum Part {
    Head,
    Body(u64),
    ChunkSize,
    Chunk(u64),
    Trailers,
}

/// The place that one connection's incoming bytes have reached.
#[derive(Debug)]
pub(super) struct Framing {
    part: Part,
    begun: bool,
    line: Vec<u8>,
    first_line: bool,
    length: Option<u64>,
    encoded: bool,
}

impl Framing {
    /// A connection on which nothing has arrived.
    pub(super) fn new() -> Self {
        Self {
            part: Part::Head,
            begun: false,
            line: Vec::new(),
            first_line: true,
            length: None,
            encoded: false,
        }
    }

    /// Whether every request that began has also arrived to its end.
    pub(super) fn at_rest(&self) -> bool {
        !self.begun
    }

    /// Follows `bytes`, and tells whether a head among them had both a `Content-Length` and a `Transfer-Encoding`.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) -> bool {
        let mut ambiguous = false;
        while !bytes.is_empty() {
            self.begun = true;
            match self.part {
                Part::Body(left) | Part::Chunk(left) => {
                    let taken =
                        usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                    bytes = &bytes[taken..];
                    self.skip(left - taken as u64);
                }
                Part::Head | Part::ChunkSize | Part::Trailers => {
                    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                        self.line.extend_from_slice(bytes);
                        break;
                    };
                    self.line.extend_from_slice(&bytes[..end]);
                    bytes = &bytes[end + 1..];
                    let mut line = std::mem::take(&mut self.line);
                    ambiguous |= self.end_line(line.trim_ascii());
                    line.clear();
                    self.line = line;
                }
            }
        }
        ambiguous
    }

    fn skip(&mut self, left: u64) {
        match self.part {
            Part::Chunk(_) if left > 0 => self.part = Part::Chunk(left),
            Part::Chunk(_) => self.part = Part::ChunkSize,
            _ if left > 0 => self.part = Part::Body(left),
            _ => self.end_request(),
        }
    }

    fn end_line(&mut self, line: &[u8]) -> bool {
        match self.part {
            // Blank lines before a request are allowed, and hyper skips them too.
            Part::Head if line.is_empty() && self.first_line => {}
            Part::Head if line.is_empty() => return self.end_head(),
            Part::Head if self.first_line => self.first_line = false,
            Part::Head => self.note_header(line),
            Part::ChunkSize => {
                self.part = match chunk_size(line) {
                    0 => Part::Trailers,
                    size => Part::Chunk(size.saturating_add(2)),
                }
            }
            Part::Trailers if line.is_empty() => self.end_request(),
            Part::Trailers | Part::Body(_) | Part::Chunk(_) => {}
        }
        false
    }

    fn note_header(&mut self, line: &[u8]) {
        let colon = line
            .iter()
            .position(|byte| *byte == b':')
            .unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        if name.eq_ignore_ascii_case(b"content-length") {
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            let length = std::str::from_utf8(value)
                .ok()
                .and_then(|digits| digits.parse().ok());
            self.length = Some(length.unwrap_or(0));
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.encoded = true;
        }
    }

    fn end_head(&mut self) -> bool {
        match (self.encoded, self.length) {
            (true, length) => {
                self.part = Part::ChunkSize;
                return length.is_some();
            }
            (false, Some(length)) if length > 0 => self.part = Part::Body(length),
            (false, _) => self.end_request(),
        }
        false
    }

    fn end_request(&mut self) {
        self.part = Part::Head;
        self.begun = false;
        self.first_line = true;
        self.length = None;
        self.encoded = false;
    }
}

fn chunk_size(line: &[u8]) -> u64 {
    line.iter()
        .map_while(|byte| char::from(*byte).to_digit(16))
        .fold(0, |size: u64, digit| {
            size.saturating_mul(16).saturating_add(u64::from(digit))
        })
}

#[cfg(test)]
mod tests {
    use super::Framing;

    /// The answer must not depend on how the bytes are cut into reads.
    fn check(sent: &str, ambiguous: bool, at_rest: bool) {
        for read in 1..=sent.len() {
            let mut framing = Framing::new();
            let mut found = false;
            for bytes in sent.as_bytes().chunks(read) {
                found |= framing.follow(bytes);
            }
            assert_eq!(
                (found, framing.at_rest()),
                (ambiguous, at_rest),
                "{sent:?} in reads of {read}"
            );
        }
    }

    #[test]
    fn a_whole_request_is_followed_to_its_end() {
        check("", false, true);
        check("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false, true);
        check("GET / HTTP/1.1\nHost: a\n\n", false, true);
        check(
            "\r\n\r\nPOST / HTTP/1.1\r\ncontent-length:   3  \r\n\r\nabc",
            false,
            true,
        );
        check(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: z\r\n\r\n",
            false,
            true,
        );
        check(
            "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\naGET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            false,
            true,
        );
    }

    #[test]
    fn a_part_of_a_request_is_not_rest() {
        check("G", false, false);
        check("\r\n", false, false);
        check("GET / HTTP/1.1\r\nHost: a\r\n", false, false);
        check(
            "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab",
            false,
            false,
        );
        check("GET / HTTP/1.1\r\n\r\nGET", false, false);
        check(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            false,
            false,
        );
        check(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc",
            false,
            false,
        );
    }

    #[test]
    fn two_lengths_of_different_kinds_are_found_in_either_order() {
        check(
            "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            true,
            true,
        );
        check(
            "POST / HTTP/1.1\r\nTRANSFER-ENCODING: chunked\r\nX: y\r\nCONTENT-LENGTH: 5\r\n\r\n0\r\n\r\n",
            true,
            true,
        );
        check(
            "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhiPOST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
            true,
            false,
        );
    }

    #[test]
    fn a_body_that_looks_like_a_head_is_a_body() {
        check(
            "POST / HTTP/1.1\r\nContent-Length: 20\r\n\r\n\nContent-Length: 20\r\nPOST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            false,
            true,
        );
        check(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n13\r\n\nContent-Length: 20\r\n0\r\n\r\n",
            false,
            true,
        );
    }
}
