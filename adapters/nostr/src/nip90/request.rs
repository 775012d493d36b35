//! Job requests (5000–5999).

use autopilot_core::ports::market::{
    DEFAULT_TTL_S, InputType, JobInput, JobParams, JobRequest, MAX_TTL_S, NewRequest, SignedEvent,
};
use autopilot_events::words::{EventId, PublicKey};
use nostr::{Event, JsonUtil, Keys};

use super::tags::{TagList, msat, tag};
use super::{MAX_INPUTS, MAX_REQUEST_BYTES, Nip90Error, REQUEST_KINDS, seal, sign};

/// The longest offer to pay back to, in bytes.
const MAX_OFFER_BYTES: usize = 2_000;
/// Bytes of a result beside request, inputs and content: id, key, signature, names, hint, and a bill with invoice.
const RESULT_FRAME_BYTES: usize = 2_304;

pub(super) fn read(event: &Event, me: &Keys) -> Result<JobRequest, Nip90Error> {
    let raw = event.as_json().into_bytes();
    if raw.len() > MAX_REQUEST_BYTES {
        return Err(Nip90Error::TooMuch {
            what: "bytes",
            count: raw.len(),
            limit: MAX_REQUEST_BYTES,
        });
    }
    let clear = TagList::of(event);
    let requester = PublicKey(event.pubkey.to_bytes());
    let providers = clear.keys("p");
    let encryption = clear.has("encrypted").then(|| seal::cipher_of(&event.content));
    let sealed = match encryption {
        None => Vec::new(),
        Some(_) => {
            let other = seal::counterpart(me, requester, &providers)
                .ok_or(Nip90Error::Sealed("it is for another provider"))?;
            seal::unseal_tags(me, other, &event.content)?
        }
    };
    let inner = TagList::of_sealed(&sealed);
    // A sealed request keeps its inputs inside; a clear `i` beside the seal is not the buyer's input.
    let from = if encryption.is_some() { &inner } else { &clear };
    let inputs = inputs(from)?;
    let params = params(clear.all("param").chain(inner.all("param")));
    let bid_msat = match clear.first("bid").or(inner.first("bid")) {
        Some(fields) => Some(msat(fields.first(), "bid")?),
        None => None,
    };
    let output = clear.value("output").or(inner.value("output")).map(str::to_owned);
    let text: Vec<&str> = inputs
        .iter()
        .filter(|i| i.input_type == InputType::Text)
        .map(JobInput::data)
        .collect();
    Ok(JobRequest {
        native_id: EventId(event.id.to_bytes()),
        requester,
        kind: event.kind.as_u16(),
        input: text.join("\n"),
        ttl_s: params.ttl_s.unwrap_or(DEFAULT_TTL_S).min(MAX_TTL_S),
        params,
        output,
        bid_msat,
        created_at_s: event.created_at.as_secs(),
        targeted: providers.contains(&PublicKey(me.public_key().to_bytes())),
        // A `p` that cannot be read still says that the job is for somebody.
        open: !clear.has("p"),
        providers,
        relays: clear.first("relays").unwrap_or_default().to_vec(),
        topics: clear
            .all("t")
            .chain(inner.all("t"))
            .filter_map(|fields| fields.first().cloned())
            .collect(),
        encryption,
        result_overhead_bytes: result_overhead_bytes(&raw, if encryption.is_some() { &[] } else { &inputs }),
        inputs,
        raw,
    })
}

fn inputs(tags: &TagList<'_>) -> Result<Vec<JobInput>, Nip90Error> {
    let inputs: Vec<JobInput> = tags
        .all("i")
        .map(|fields| JobInput {
            fields: fields.to_vec(),
            // Some buyers leave the type out; what is no address or id can only be text.
            input_type: fields.get(1).map_or(InputType::Text, |word| input_type(word)),
        })
        .collect();
    match inputs.len() {
        count if count > MAX_INPUTS => Err(Nip90Error::TooMuch {
            what: "inputs",
            count,
            limit: MAX_INPUTS,
        }),
        _ => Ok(inputs),
    }
}

fn input_type(word: &str) -> InputType {
    match word {
        "text" | "prompt" | "" => InputType::Text,
        "url" => InputType::Url,
        "event" => InputType::Event,
        "job" => InputType::Job,
        _ => InputType::Other,
    }
}

fn params<'a>(tags: impl Iterator<Item = &'a [String]>) -> JobParams {
    let mut params = JobParams::default();
    for fields in tags {
        let Some((name, values)) = fields.split_first() else {
            continue;
        };
        let value = values.first().map_or("", String::as_str);
        if !param(&mut params, name, value, values) {
            params.malformed.push(name.clone());
        }
    }
    params
}

/// Reads one parameter; false if its value makes no sense.
fn param(params: &mut JobParams, name: &str, value: &str, values: &[String]) -> bool {
    let number = value.trim();
    match name {
        "model" => params.model = Some(value.to_owned()),
        "max_tokens" | "max-tokens" => return set(&mut params.max_tokens, number.parse().ok()),
        "top_k" | "top-k" => return set(&mut params.top_k, number.parse().ok()),
        "seed" => return set(&mut params.seed, number.parse().ok()),
        "ttl" | "timeout" => return set(&mut params.ttl_s, number.parse().ok()),
        "refund" => return set(&mut params.refund, offer(value)),
        "temperature" => return set(&mut params.temperature, float(number, f32::MAX)),
        "top_p" | "top-p" => return set(&mut params.top_p, float(number, 1.0)),
        "stop" => params
            .stop
            .extend(values.iter().filter(|text| !text.is_empty()).cloned()),
        _ => params.other.push((name.to_owned(), value.to_owned())),
    }
    true
}

fn set<T>(slot: &mut Option<T>, value: Option<T>) -> bool {
    let readable = value.is_some();
    if readable {
        *slot = value;
    }
    readable
}

/// A BOLT12 offer, as far as it can be told without a wallet.
fn offer(text: &str) -> Option<String> {
    let letters = |c: char| c.is_ascii_alphanumeric();
    let like_one = text.len() <= MAX_OFFER_BYTES
        && text.to_ascii_lowercase().starts_with("lno1")
        && text.chars().all(letters);
    like_one.then(|| text.to_owned())
}

fn float(text: &str, max: f32) -> Option<f32> {
    text.parse().ok().filter(|number| (0.0..=max).contains(number))
}

/// What a result carries beside its content; every JSON string inside is escaped once more.
fn result_overhead_bytes(raw: &[u8], inputs: &[JobInput]) -> usize {
    let request = escaped_len(&String::from_utf8_lossy(raw));
    let fields = inputs.iter().flat_map(|input| &input.fields);
    let inputs: usize = fields.map(|field| escaped_len(field).saturating_add(8)).sum();
    request.saturating_add(inputs).saturating_add(RESULT_FRAME_BYTES)
}

/// Bytes of a text inside a JSON string.
fn escaped_len(text: &str) -> usize {
    text.chars()
        .map(|c| match c {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            c if c < ' ' => 6,
            c => c.len_utf8(),
        })
        .sum()
}

/// Composes and signs a request.
pub fn request(me: &Keys, new: &NewRequest, created_at_s: u64) -> Result<SignedEvent, Nip90Error> {
    if !REQUEST_KINDS.contains(&new.kind) {
        return Err(Nip90Error::ForeignKind(new.kind));
    }
    if new.inputs.is_empty() || new.inputs.len() > MAX_INPUTS {
        return Err(Nip90Error::Invalid("a request has 1 to 32 inputs"));
    }
    let mut body: Vec<Vec<String>> = Vec::new();
    for input in &new.inputs {
        body.push(
            std::iter::once("i".to_owned())
                .chain(input.fields.iter().cloned())
                .collect(),
        );
    }
    param_tags(&new.params, &mut body);
    let mut tags = Vec::new();
    let mut content = String::new();
    match (new.encryption, new.providers.as_slice()) {
        (None, _) => tags = body,
        (Some(cipher), [provider]) => {
            let list = serde_json::to_string(&body).map_err(|_| Nip90Error::Invalid("tags are no JSON"))?;
            content = seal::seal(me, *provider, cipher, &list)?;
            tags.push(tag(["encrypted"]));
        }
        (Some(_), _) => {
            return Err(Nip90Error::Invalid(
                "a sealed request is for exactly one provider",
            ));
        }
    }
    tags.extend(new.output.iter().map(|mime| tag(["output", mime])));
    tags.extend(new.bid_msat.iter().map(|bid| tag(["bid", &bid.0.to_string()])));
    if !new.relays.is_empty() {
        tags.push(
            std::iter::once("relays".to_owned())
                .chain(new.relays.iter().cloned())
                .collect(),
        );
    }
    tags.extend(
        new.providers
            .iter()
            .map(|provider| tag(["p", &provider.to_string()])),
    );
    sign(me, new.kind, tags, content, created_at_s)
}

fn param_tags(params: &JobParams, tags: &mut Vec<Vec<String>>) {
    let mut add = |name: &str, value: Option<String>| {
        tags.extend(value.map(|value| tag(["param", name, &value])));
    };
    add("model", params.model.clone());
    add("max_tokens", params.max_tokens.map(|n| n.to_string()));
    add("temperature", params.temperature.map(|n| n.to_string()));
    add("top-k", params.top_k.map(|n| n.to_string()));
    add("top-p", params.top_p.map(|n| n.to_string()));
    add("seed", params.seed.map(|n| n.to_string()));
    add("refund", params.refund.clone());
    add("ttl", params.ttl_s.map(|n| n.to_string()));
    for text in &params.stop {
        add("stop", Some(text.clone()));
    }
    for (name, value) in &params.other {
        add(name, Some(value.clone()));
    }
}
