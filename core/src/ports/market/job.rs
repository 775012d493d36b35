//! A job as its market words it: what is asked, how it is sealed, what is offered.

use autopilot_events::words::{EventId, JobId, Msat, PublicKey};

/// A signed event exactly as it is stored and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedEvent {
    /// The hash that the signature covers.
    pub id: EventId,
    /// The native kind (5000–5999 request, 6000–6999 result, 7000 feedback, 7001 receipt, 31990 announcement, 5 cancel).
    pub kind: u16,
    /// The event as one JSON object, without the relay frame around it.
    pub json: Vec<u8>,
}

/// How the sensitive part of a job is sealed between buyer and provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encryption {
    /// The older cipher (AES-CBC; told by `?iv=` in the text).
    Nip04,
    /// The versioned one (ChaCha20 with HMAC).
    Nip44,
}

/// What an input's data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InputType {
    /// The text itself (`text`, and `prompt` as some buyers write it).
    Text,
    /// An address to fetch.
    Url,
    /// The id of an event to read.
    Event,
    /// The id of a job whose output is the input.
    Job,
    /// A word that the protocol does not know.
    Other,
}

/// One input of a request, with the words as given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobInput {
    /// The tag's fields after its name, as given: data, type, relay, marker.
    pub fields: Vec<String>,
    /// The type field, understood.
    pub input_type: InputType,
}

impl JobInput {
    /// A plain text input.
    pub fn text(data: impl Into<String>) -> Self {
        Self {
            fields: vec![data.into(), "text".into()],
            input_type: InputType::Text,
        }
    }

    /// The data field.
    pub fn data(&self) -> &str {
        self.fields.first().map_or("", String::as_str)
    }
}

/// The parameters of a request that this program understands, and the rest as given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobParams {
    /// The model asked for, by name.
    pub model: Option<String>,
    /// Upper bound of generated tokens.
    pub max_tokens: Option<u32>,
    /// Sampling temperature, finite and ≥ 0.
    pub temperature: Option<f32>,
    /// Sampling: the k likeliest tokens.
    pub top_k: Option<u32>,
    /// Sampling: nucleus mass, in 0..=1.
    pub top_p: Option<f32>,
    /// Sampling seed.
    pub seed: Option<u64>,
    /// Texts that end the generation.
    pub stop: Vec<String>,
    /// Seconds that the job is worth doing, as the buyer wrote it (`ttl` or `timeout`).
    pub ttl_s: Option<u32>,
    /// A BOLT12 offer that is paid back to when a delivery fails after its payment.
    pub refund: Option<String>,
    /// Parameters that this program does not know, as (name, value).
    pub other: Vec<(String, String)>,
    /// Names of known parameters whose value could not be read: policy may refuse over them.
    pub malformed: Vec<String>,
}

/// A job that somebody asks for; signature checked, decrypted where it is for us.
#[derive(Clone, Debug, PartialEq)]
pub struct JobRequest {
    /// The request's own id on its market.
    pub native_id: EventId,
    /// Who asks, and pays.
    pub requester: PublicKey,
    /// The request's kind (5000–5999).
    pub kind: u16,
    /// All text inputs, joined by a line feed.
    pub input: String,
    /// Every input as given, in order; for an encrypted job these are the decrypted ones.
    pub inputs: Vec<JobInput>,
    /// What the buyer wishes of the work.
    pub params: JobParams,
    /// MIME type of the output, if asked for.
    pub output: Option<String>,
    /// The most that the buyer offers; `None` is "make me a quote", never "free".
    pub bid_msat: Option<Msat>,
    /// Seconds from the earlier of created and received, after which the job is void. 60 if the buyer says nothing.
    pub ttl_s: u32,
    /// When the buyer says that it was written (Unix seconds). Not to be trusted: admission judges it.
    pub created_at_s: u64,
    /// It names us as a provider.
    pub targeted: bool,
    /// It names no provider at all.
    pub open: bool,
    /// The providers it names.
    pub providers: Vec<PublicKey>,
    /// Where the buyer wants answers published.
    pub relays: Vec<String>,
    /// What it is about, by its own word (`t` tags).
    pub topics: Vec<String>,
    /// How the request is sealed, if it is; answers are sealed in kind.
    pub encryption: Option<Encryption>,
    /// An upper bound for the bytes of the result event beside its content (request, inputs, tags, signature, bill).
    /// This plus the content as escaped (or sealed) text must stay within [`EVENT_LIMIT_BYTES`].
    pub result_overhead_bytes: usize,
    /// The signed event as JSON bytes, enough to read the job again.
    pub raw: Vec<u8>,
}

impl JobRequest {
    /// A request of which only the envelope could be read: enough to tell its buyer so.
    pub fn unreadable(native_id: EventId, requester: PublicKey, kind: u16) -> JobRequest {
        JobRequest {
            native_id,
            requester,
            kind,
            input: String::new(),
            inputs: Vec::new(),
            params: JobParams::default(),
            output: None,
            bid_msat: None,
            ttl_s: DEFAULT_TTL_S,
            created_at_s: 0,
            targeted: true,
            open: false,
            providers: Vec::new(),
            relays: Vec::new(),
            topics: Vec::new(),
            encryption: None,
            result_overhead_bytes: 0,
            raw: Vec::new(),
        }
    }

    /// The name of this job in the ledger.
    pub fn job_id(&self) -> JobId {
        JobId::derive(MARKET_NIP90, &self.native_id.0)
    }

    /// Bytes of output that surely fit into the result event, counted as escaped JSON text. A job whose room is
    /// less than its output may need is better refused than worked for nothing.
    pub fn result_room_bytes(&self) -> usize {
        let room = EVENT_LIMIT_BYTES.saturating_sub(self.result_overhead_bytes);
        match self.encryption {
            None => room,
            // Sealing pads by up to a quarter (NIP-44) and writes in base64, a third more.
            Some(_) => (room / 2).saturating_sub(256),
        }
    }
}

/// The first market's name, as it enters [`JobId::derive`].
pub const MARKET_NIP90: &str = "nip90";

/// The most bytes that an event of ours may have as JSON: the smallest common relay limit (64 KiB), less the frame
/// that a relay puts around it.
pub const EVENT_LIMIT_BYTES: usize = 65_024;

/// Seconds a job is worth doing when its buyer says nothing.
pub const DEFAULT_TTL_S: u32 = 60;

/// The longest time to live that is believed, seconds; a longer one is cut to this.
pub const MAX_TTL_S: u32 = 86_400;

/// A request to be composed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewRequest {
    /// The kind (5000–5999).
    pub kind: u16,
    /// Inputs, at least one.
    pub inputs: Vec<JobInput>,
    /// Parameters; `malformed` is ignored.
    pub params: JobParams,
    /// MIME type of the output.
    pub output: Option<String>,
    /// The most that is offered.
    pub bid_msat: Option<Msat>,
    /// Providers it is for; none means open. Exactly one for an encrypted request.
    pub providers: Vec<PublicKey>,
    /// Where answers shall be published.
    pub relays: Vec<String>,
    /// Seal inputs and parameters for the one provider.
    pub encryption: Option<Encryption>,
}
