//! Output bytes become text: whole UTF-8 only, and nothing of a stop string is ever let out.

/// Collects token bytes, holds back what may still become a character or a stop string.
pub struct Output {
    stops: Vec<String>,
    /// Bytes of a character that is not complete yet (at most 3).
    bytes: Vec<u8>,
    /// Text that may be the beginning of a stop string.
    held: String,
    /// Everything let out so far.
    text: String,
}

impl Output {
    pub fn new(stops: Vec<String>) -> Output {
        Output {
            stops,
            bytes: Vec::new(),
            held: String::new(),
            text: String::new(),
        }
    }

    /// Takes a token's bytes. Returns the text that can be let out, and whether a stop string appeared.
    pub fn push(&mut self, bytes: &[u8]) -> (String, bool) {
        self.bytes.extend_from_slice(bytes);
        let whole = take_whole(&mut self.bytes);
        self.held.push_str(&whole);
        let found = self
            .stops
            .iter()
            .filter_map(|stop| self.held.find(stop.as_str()))
            .min();
        let keep_from = found.unwrap_or_else(|| self.held.len() - self.longest_begun_stop());
        let out: String = self.held.drain(..keep_from).collect();
        if found.is_some() {
            self.held.clear();
            self.bytes.clear();
        }
        self.text.push_str(&out);
        (out, found.is_some())
    }

    /// Lets out what was held back, at the end of the output. A broken last character becomes U+FFFD.
    pub fn finish(&mut self) -> String {
        let mut out = std::mem::take(&mut self.held);
        out.push_str(&String::from_utf8_lossy(&std::mem::take(&mut self.bytes)));
        self.text.push_str(&out);
        out
    }

    /// The whole text let out so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn longest_begun_stop(&self) -> usize {
        let begun = |stop: &String| {
            let longest = stop.len().saturating_sub(1).min(self.held.len());
            (1..=longest)
                .rev()
                .find(|&n| self.held.as_bytes().ends_with(&stop.as_bytes()[..n]))
                .unwrap_or(0)
        };
        let mut length = self.stops.iter().map(begun).max().unwrap_or(0);
        while !self.held.is_char_boundary(self.held.len() - length) {
            length += 1;
        }
        length
    }
}

/// Removes and returns the longest prefix that is whole; bytes that can never be UTF-8 become U+FFFD.
fn take_whole(bytes: &mut Vec<u8>) -> String {
    let mut text = String::new();
    let mut rest = bytes.as_slice();
    while let Some(chunk) = rest.utf8_chunks().next() {
        text.push_str(chunk.valid());
        let invalid = chunk.invalid();
        let at_end = chunk.valid().len() + invalid.len() == rest.len();
        if at_end && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none()) {
            rest = invalid;
            break;
        }
        if !invalid.is_empty() {
            text.push('\u{fffd}');
        }
        rest = &rest[chunk.valid().len() + invalid.len()..];
    }
    *bytes = rest.to_vec();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stops: &[&str], pieces: &[&[u8]], expect: &str, expect_stop: bool) {
        let mut output = Output::new(stops.iter().map(|s| s.to_string()).collect());
        let mut streamed = String::new();
        let mut stopped = false;
        for piece in pieces {
            let (text, stop) = output.push(piece);
            streamed.push_str(&text);
            if stop {
                stopped = true;
                break;
            }
        }
        streamed.push_str(&output.finish());
        assert_eq!((streamed.as_str(), stopped), (expect, expect_stop));
        assert_eq!(output.text(), expect);
    }

    #[test]
    fn characters_split_over_tokens_are_whole() {
        check(&[], &[b"a\xf0\x9f", b"\x8e", b"\x89b"], "a🎉b", false);
        check(&[], &[b"\xe2\x82"], "\u{fffd}", false);
        check(&[], &[b"\xff\xfeok"], "\u{fffd}\u{fffd}ok", false);
    }

    #[test]
    fn stop_strings_end_output_and_are_not_let_out() {
        check(&["END"], &[b"oneE", b"N", b"D two"], "one", true);
        check(&["END"], &[b"oneE", b"NT"], "oneENT", false);
        check(&["END"], &[b"oneE", b"N"], "oneEN", false);
        check(&["bc", "ab"], &[b"xabc"], "x", true);
        check(
            &["\u{20ac}!"],
            &["1\u{20ac}".as_bytes(), b"?"],
            "1\u{20ac}?",
            false,
        );
    }
}
