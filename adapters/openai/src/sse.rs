//! Server-sent events, as far as this interface uses them: one `data:` line an event (HTML standard, section 9.2).

/// Longest line that is taken, bytes.
pub const LINE_BYTES_MAX: usize = 256 << 10;

/// A line was longer than [`LINE_BYTES_MAX`].
#[derive(Debug, PartialEq, Eq)]
pub struct TooLong;

/// Cuts a stream of bytes into the data of its events.
#[derive(Default)]
pub struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// Takes what arrived, and returns the data of every event that is whole by now. Comments and other fields than
    /// `data` and `error` (which older llama-servers send) are skipped; bytes that are no UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn take(&mut self, bytes: &[u8]) -> Result<Vec<String>, TooLong> {
        let mut data = Vec::new();
        for &byte in bytes {
            if byte != b'\n' && byte != b'\r' {
                self.rest.push(byte);
                if self.rest.len() > LINE_BYTES_MAX {
                    return Err(TooLong);
                }
                continue;
            }
            let line = String::from_utf8_lossy(&self.rest);
            let field = line.strip_prefix("data:").or_else(|| line.strip_prefix("error:"));
            data.extend(field.map(|field| field.trim().to_owned()));
            self.rest.clear();
        }
        Ok(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[&[u8]], expect: &[&str]) {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for piece in pieces {
            found.extend(lines.take(piece).expect("short enough"));
        }
        assert_eq!(found, expect);
    }

    #[test]
    fn events_are_whole_however_they_are_cut() {
        check(
            &[b"data: {\"a\":1}\n\ndata: [DONE]\n\n"],
            &["{\"a\":1}", "[DONE]"],
        );
        check(&[b"da", b"ta:x\r", b"\n\r\n", b": comment\nevent: y\n"], &["x"]);
        check(&["data: ü".as_bytes(), b"\xc3", b"\xbc\n"], &["üü"]);
        check(&[b"data: no end"], &[]);
        check(&[b"\xff\xfedata\n\n\n", b"data: \xff\n"], &["\u{fffd}"]);
    }

    #[test]
    fn a_line_without_an_end_is_bounded() {
        let mut lines = Lines::default();
        let piece = vec![b'x'; 64 << 10];
        let taken: Vec<_> = (0..5).map(|_| lines.take(&piece).is_ok()).collect();
        assert_eq!(taken, [true, true, true, true, false]);
    }
}
