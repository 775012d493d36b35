//! Facts for strangers: numbers, types, times, sums, ids and closed words. No text that anybody wrote.
use autopilot_host::audit::{Audit, AuditError, fact_line};
use serde_json::{Map, Value, json};

use super::Scrub;

/// Facts of one read.
const PAGE: u32 = 1_000;
/// Fields whose values come from a closed set, or are public by nature.
const WORDS: [&str; 16] = [
    "reason",
    "code",
    "class",
    "purpose",
    "status",
    "order",
    "network",
    "chain_source",
    "market",
    "program",
    "by",
    "to",
    "state",
    "mode",
    "kind",
    "relay",
];

/// The last facts, one JSON document on each line, oldest first.
pub async fn last(audit: &Audit, count: u64, scrub: &Scrub) -> Result<String, AuditError> {
    let end = audit.head().await?.sequence;
    let mut after = end.saturating_sub(count);
    let mut lines = String::new();
    while after < end {
        let page = audit.facts(after, PAGE).await?;
        let Some(newest) = page.last() else { break };
        after = newest.fact.sequence;
        for fact in &page {
            let line = fact_line(fact);
            let payload = serde_json::from_str(&line.json).unwrap_or_default();
            lines += &scrub.line(json!({
                "sequence": line.sequence,
                "at_ms": line.at_ms,
                "type": line.r#type,
                "stream": line.stream,
                "source": line.source,
                "chain": line.chain,
                "payload": without_texts(payload),
            }));
        }
    }
    Ok(lines)
}

/// Keeps numbers, truth values, ids and closed words; drops every other text.
fn without_texts(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(fields.into_iter().filter_map(kept).collect::<Map<_, _>>()),
        Value::Array(values) => values
            .into_iter()
            .filter(|value| !value.is_string())
            .map(without_texts)
            .collect(),
        other => other,
    }
}

fn kept((name, value): (String, Value)) -> Option<(String, Value)> {
    let public = WORDS.contains(&name.as_str()) || name.ends_with("_id") || name.ends_with("digest");
    match value {
        Value::String(_) if !public => None,
        Value::String(_) => Some((name, value)),
        other => Some((name, without_texts(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_preimages_stay_at_home() {
        let fact = json!({ "job_id": "ab", "amount_msat": 5, "preimage": "cd", "bolt11": "lnbc1", "detail": "my words",
            "receipt": { "model": "m", "tokens": 3 }, "list": ["x", { "code": "busy" }] });
        let kept = without_texts(fact);
        assert_eq!(
            kept,
            json!({ "job_id": "ab", "amount_msat": 5, "receipt": { "tokens": 3 }, "list": [{ "code": "busy" }] })
        );
    }
}
