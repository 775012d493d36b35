//! Takes secrets out of text: those that lie in the home folder word for word, and whatever looks like one.
use std::{fs, path::Path};

use autopilot_host::{config::Config, secrets::is_word};
use serde_json::Value;

/// What stands where a secret stood.
const MASK: &str = "[removed]";
/// Codes of this length and more are cut: ids stay recognisable, keys and preimages are of no use any more.
const CODE_CHARS: usize = 20;
const CODE_CHARS_KEPT: usize = 8;
/// So many words of the BIP39 list in a row are a mnemonic or part of one.
const WORDS_IN_A_ROW: usize = 5;
/// Names after which a value is a secret, whatever it looks like.
const NAMES: [&str; 14] = [
    "passphrase",
    "password",
    "passwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "authorization",
    "bearer",
    "preimage",
    "mnemonic",
    "seed",
    "nsec",
];
/// Secrets that lie in files are taken out where they are at least so long.
const EXACT_CHARS_MIN: usize = 4;

/// The rules, and the secrets of one home folder.
pub struct Scrub {
    exact: Vec<String>,
}

impl Scrub {
    /// With what lies in the folder itself and in its configuration.
    pub fn of(home: &Path) -> Scrub {
        let mut exact: Vec<String> = Vec::new();
        let named = std::env::var_os("AUTOPILOT_PASSPHRASE_FILE").map(std::path::PathBuf::from);
        for file in [Some(home.join("passphrase")), named].into_iter().flatten() {
            exact.extend(
                fs::read_to_string(file)
                    .ok()
                    .and_then(|text| text.lines().next().map(str::to_owned)),
            );
        }
        if let Ok(config) = Config::read(&home.join("config.toml")) {
            secrets_in(&serde_json::json!(config), false, &mut exact);
        }
        exact.retain(|secret| secret.chars().count() >= EXACT_CHARS_MIN);
        exact.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Scrub { exact }
    }

    /// A text without secrets.
    pub fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.exact {
            text = text.replace(secret.as_str(), MASK);
        }
        let text = without_words(&text);
        let lines: Vec<String> = text
            .lines()
            .map(|line| cut_codes(&without_named(&without_users(line))))
            .collect();
        lines.join("\n")
    }

    /// A JSON document, indented.
    pub fn document(&self, value: Value) -> String {
        serde_json::to_string_pretty(&self.value(value, "")).unwrap_or_default()
    }

    /// A JSON document on a line of its own.
    pub fn line(&self, value: Value) -> String {
        format!("{}\n", self.value(value, ""))
    }

    fn value(&self, value: Value, name: &str) -> Value {
        match value {
            Value::String(_) if is_secret(name) => MASK.into(),
            Value::String(text) if text.contains("://") => self.text(&origins(&text)).into(),
            Value::String(text) => self.text(&text).into(),
            Value::Array(values) => values.into_iter().map(|value| self.value(value, name)).collect(),
            Value::Object(fields) => fields
                .into_iter()
                .map(|(name, value)| (name.clone(), self.value(value, &name)))
                .collect(),
            other => other,
        }
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // A path to a secret is none, and neither is a count of tokens.
    !name.ends_with("_file") && !name.ends_with("tokens") && NAMES.iter().any(|secret| name.contains(secret))
}

/// The values of a configuration that are secrets.
fn secrets_in(value: &Value, secret: bool, found: &mut Vec<String>) {
    match value {
        Value::String(text) if secret => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| secrets_in(value, secret, found)),
        Value::Object(fields) => {
            fields
                .iter()
                .for_each(|(name, value)| secrets_in(value, secret || is_secret(name), found));
        }
        _ => {}
    }
}

/// Addresses without what follows the host: paths of chain sources carry keys.
fn origins(text: &str) -> String {
    let words = text.split(' ').map(|word| match word.split_once("://") {
        Some((scheme, rest)) => format!(
            "{scheme}://{}",
            rest.split(['/', '?', '#']).next().unwrap_or_default()
        ),
        None => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Addresses without user and password.
fn without_users(line: &str) -> String {
    let mut done = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("://") {
        let end = after.find(['/', ' ', '"', '\'', '?']).unwrap_or(after.len());
        let host = after[..end].rfind('@').map_or(0, |at| at + 1);
        done += before;
        done += "://";
        if host > 0 {
            done += MASK;
            done += "@";
        }
        rest = &after[host..];
    }
    done + rest
}

/// `password=x`, `"token": "x"`, `authorization: Bearer x`: the rest of a quoted value, else of the line, is taken out.
fn without_named(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let mut done = String::new();
    let mut from = 0;
    while let Some((at, name)) = next_name(&lower, from) {
        let after = at + name.len();
        let value = line[after..].trim_start_matches(['"', '\'', ' ']);
        let Some(value) = value.strip_prefix([':', '=']) else {
            done += &line[from..after];
            from = after;
            continue;
        };
        let value = value.trim_start();
        let start = line.len() - value.len();
        let end = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].find(quote).map_or(line.len(), |end| start + end + 2),
            _ => line.len(),
        };
        done += &line[from..start];
        done += MASK;
        from = end;
    }
    done + &line[from..]
}

/// The first name of a secret from a place on. Lower case keeps the length of ASCII, and names are ASCII.
fn next_name(lower: &str, from: usize) -> Option<(usize, &'static str)> {
    let rest = &lower[from..];
    let found = NAMES
        .iter()
        .filter_map(|name| Some((from + rest.find(name)?, *name)));
    found.min_by_key(|(at, name)| (*at, std::cmp::Reverse(name.len())))
}

/// Long codes (hexadecimal, bech32, base64, API keys) cut to their beginning.
fn cut_codes(line: &str) -> String {
    let is_code = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+');
    let mut done = String::new();
    let mut run = String::new();
    for c in line.chars().map(Some).chain([None]) {
        match c {
            Some(c) if is_code(c) => run.push(c),
            _ => {
                let mixed = run.contains(|c: char| c.is_ascii_digit())
                    && run.contains(|c: char| c.is_ascii_alphabetic());
                match mixed && run.len() >= CODE_CHARS {
                    true => done += &format!("{}…", &run[..CODE_CHARS_KEPT]),
                    false => done += &run,
                }
                run.clear();
                done.extend(c);
            }
        }
    }
    done
}

/// Words of a mnemonic, over lines and numbers: a run of them is taken out whole.
fn without_words(text: &str) -> String {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    let mut run: Vec<(usize, usize)> = Vec::new();
    let mut close = |run: &mut Vec<(usize, usize)>| {
        if let (Some(first), Some(last), true) = (run.first(), run.last(), run.len() >= WORDS_IN_A_ROW) {
            spans.push((first.0, last.1));
        }
        run.clear();
    };
    for (start, word) in words(text) {
        match is_word(&word.to_ascii_lowercase()) {
            true => run.push((start, start + word.len())),
            false => close(&mut run),
        }
    }
    close(&mut run);
    let mut done = String::new();
    let mut from = 0;
    for (start, end) in spans {
        done += &text[from..start];
        done += MASK;
        from = end;
    }
    done + &text[from..]
}

fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| !word.is_empty())
        .map(|word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, gone: &[&str]) {
        let scrub = Scrub {
            exact: vec!["correct horse battery".to_owned()],
        };
        for shown in [scrub.text(text), scrub.line(serde_json::json!({ "text": text }))] {
            for secret in gone {
                assert!(!shown.contains(secret), "{secret} is left in {shown}");
            }
        }
    }

    #[test]
    fn secrets_are_found_by_place_by_name_and_by_shape() {
        check(
            "unlocked by correct horse battery, fine",
            &["correct horse battery"],
        );
        check("password=hunter2 and more", &["hunter2"]);
        check("{\"api_key\": \"k 1\", \"x\": 1}", &["k 1"]);
        check("Authorization: Bearer abc", &["abc"]);
        check("http://me:pw@127.0.0.1:80/x", &["me:pw"]);
        check(&format!("settled, {}", "0a1b".repeat(16)), &[&"0a1b".repeat(16)]);
        check("sk-proj1234567890abcdefghij", &["1234567890abcdefghij"]);
        let words = "leader monkey parrot ring guide accident before fence cannon height naive bean";
        check(&format!("the words: {words}."), &["leader monkey", "naive bean"]);
        check(&words.replace(' ', "\n 7. ").to_uppercase(), &["LEADER", "BEAN"]);
    }

    #[test]
    fn what_is_no_secret_stays_readable() {
        let scrub = Scrub { exact: Vec::new() };
        let line = "2026-11-20T07:31:45Z WARN autopilot_host::run: the wallet process ended job=3fa9c1d2e5 tokens_per_second=12";
        assert_eq!(scrub.text(line), line);
        assert_eq!(
            scrub.text("wss://relay.example/x ready"),
            "wss://relay.example/x ready"
        );
    }
}
