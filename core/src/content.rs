//! The owner's content policy: words, topics and requesters that are refused. Pure: the text comes with the request,
//! after decryption, and is compared in one normal form.
//!
//! *Normal form*: Unicode NFKC, each character folded to lower case by way of upper case (so that `ß` is `ss`), invisible
//! characters dropped, cut into words at everything that is neither letter nor digit. A character of a script that
//! writes no spaces is a word of its own. A rule meets a text that holds its words one after the other.
//!
//! *Topic*: a named list of words. It meets like its words, and a request whose `t` tag is its name.
use std::collections::BTreeSet;

use autopilot_events::{
    pb::{Policy, RefusedTopic},
    words::PublicKey,
};
use unicode_normalization::UnicodeNormalization;

use crate::refusal::{Code, Refusal};

/// Words and phrases of a policy at most, those of topics included.
pub const MAX_WORDS: usize = 512;
/// Bytes of a word or phrase at most, in normal form.
pub const MAX_WORD_BYTES: usize = 64;
/// Topics of a policy at most.
pub const MAX_TOPICS: usize = 32;
/// Requesters of a policy at most.
pub const MAX_REQUESTERS: usize = 1_000;

/// A text in normal form: its words, with one space between them.
pub fn normal(text: &str) -> String {
    let folded = text
        .nfkc()
        .filter(|c| !invisible(*c))
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .nfkc();
    let mut words = String::with_capacity(text.len());
    let mut gap = false;
    for c in folded {
        if !c.is_alphanumeric() {
            gap = true;
            continue;
        }
        if (gap || alone(c)) && !words.is_empty() && !words.ends_with(' ') {
            words.push(' ');
        }
        words.push(c);
        gap = alone(c);
    }
    words
}

/// Characters that are not seen, and could hide a word (Unicode's default ignorables, the common ones).
fn invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// Scripts without spaces between words: Thai, Lao, Myanmar, Khmer, kana, Han.
fn alone(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// The first rule against a request, by its id: `requester:<key>`, `topic:<name>` or `word:<word>`.
pub fn judge(policy: &Policy, requester: &PublicKey, text: &str, tags: &[String]) -> Option<String> {
    let key = requester.to_string();
    if policy.refused_requesters.contains(&key) {
        return Some(format!("requester:{key}"));
    }
    if policy.refused_words.is_empty() && policy.refused_topics.is_empty() {
        return None;
    }
    let tags: BTreeSet<String> = tags.iter().map(|tag| normal(tag)).collect();
    let text = format!(" {} ", normal(text));
    let holds = |word: &String| text.contains(&format!(" {word} "));
    let about = |topic: &&RefusedTopic| tags.contains(&topic.name) || topic.words.iter().any(holds);
    let topic = policy.refused_topics.iter().find(about);
    topic.map(|topic| format!("topic:{}", topic.name)).or_else(|| {
        let word = policy.refused_words.iter().find(|word| holds(word));
        word.map(|word| format!("word:{word}"))
    })
}

/// The same policy with its content rules in normal form, sorted, each once.
///
/// # Errors
/// [`Code::PolicyInvalid`], naming the rule that makes no sense or the bound that is passed.
pub fn tidy(mut policy: Policy) -> Result<Policy, Refusal> {
    policy.refused_words = words(&policy.refused_words)?;
    let mut topics: Vec<RefusedTopic> = Vec::new();
    for topic in &policy.refused_topics {
        let name = word(&topic.name)?;
        let words = words(&topic.words)?;
        match topics.iter_mut().find(|known| known.name == name) {
            Some(known) => known.words.extend(words),
            None => topics.push(RefusedTopic { name, words }),
        }
    }
    for topic in &mut topics {
        topic.words = words(&topic.words)?;
    }
    topics.sort_by(|a, b| a.name.cmp(&b.name));
    policy.refused_topics = topics;
    let keys: BTreeSet<String> = policy
        .refused_requesters
        .iter()
        .map(|key| key.parse::<PublicKey>().map(|key| key.to_string()))
        .collect::<Result<_, _>>()
        .map_err(|_| wrong("a requester is named by a public key of 64 hexadecimal digits".to_owned()))?;
    policy.refused_requesters = keys.into_iter().collect();
    let of_topics: usize = policy.refused_topics.iter().map(|topic| topic.words.len()).sum();
    match () {
        () if policy.refused_words.len() + of_topics > MAX_WORDS => Err(wrong(format!(
            "at most {MAX_WORDS} words are refused, those of topics included"
        ))),
        () if policy.refused_topics.len() > MAX_TOPICS => {
            Err(wrong(format!("at most {MAX_TOPICS} topics are refused")))
        }
        () if policy.refused_requesters.len() > MAX_REQUESTERS => {
            Err(wrong(format!("at most {MAX_REQUESTERS} requesters are refused")))
        }
        () => Ok(policy),
    }
}

fn words(given: &[String]) -> Result<Vec<String>, Refusal> {
    let words: BTreeSet<String> = given.iter().map(|text| word(text)).collect::<Result<_, _>>()?;
    Ok(words.into_iter().collect())
}

fn word(text: &str) -> Result<String, Refusal> {
    let normal = normal(text);
    match normal.len() {
        0 => Err(wrong(format!(
            "{text:?} holds no letter and no digit: it would refuse nothing"
        ))),
        1..=MAX_WORD_BYTES => Ok(normal),
        bytes => Err(wrong(format!(
            "a word or phrase has {bytes} bytes, at most {MAX_WORD_BYTES} are compared"
        ))),
    }
}

fn wrong(sentence: String) -> Refusal {
    Refusal::new(Code::PolicyInvalid, sentence)
}
