//! Results (6000–6999) and feedback (7000), as provider and as buyer.

use autopilot_core::ports::market::{
    Asked, Bill, Encryption, FeedbackStatus, JobFeedback, JobRequest, JobResult, NewFeedback, SignedEvent,
};
use autopilot_events::words::{EventId, PublicKey};
use nostr::{Event, JsonUtil, Keys};

use super::tags::{TagList, bill_tag, tag};
use super::{FEEDBACK_KIND, Nip90Error, RESULT_OFFSET, request, seal, sign};
use crate::words::clip;

/// The most bytes of the extra words of a status.
const MAX_REASON_BYTES: usize = 1_000;

/// Composes and signs the result of a job: `request` as it came, `e` with a relay hint, `i` as given (not when
/// sealed), `p`, and `amount` with the invoice.
pub fn result(
    me: &Keys,
    job: &JobRequest,
    content: &str,
    bill: Option<&Bill>,
    hint: &str,
    created_at_s: u64,
) -> Result<SignedEvent, Nip90Error> {
    let request =
        std::str::from_utf8(&job.raw).map_err(|_| Nip90Error::Invalid("the stored request is no text"))?;
    let mut tags = vec![
        tag(["request", request]),
        tag(["e", &job.native_id.to_string(), hint]),
    ];
    let content = match job.encryption {
        None => {
            for input in &job.inputs {
                tags.push(
                    std::iter::once("i".to_owned())
                        .chain(input.fields.iter().cloned())
                        .collect(),
                );
            }
            content.to_owned()
        }
        Some(cipher) => {
            tags.push(tag(["encrypted"]));
            seal_text(me, job, cipher, content)?
        }
    };
    tags.push(tag(["p", &job.requester.to_string()]));
    tags.extend(bill.map(bill_tag));
    let kind = job
        .kind
        .checked_add(RESULT_OFFSET)
        .ok_or(Nip90Error::ForeignKind(job.kind))?;
    sign(me, kind, tags, content, created_at_s)
}

/// Composes and signs a provider's feedback; its content is sealed as the job was.
pub fn feedback_from_provider(
    me: &Keys,
    job: &JobRequest,
    new: &NewFeedback,
    hint: &str,
    created_at_s: u64,
) -> Result<SignedEvent, Nip90Error> {
    let Some(cipher) = job.encryption else {
        let tags = feedback_tags(new, job.native_id, hint, job.requester);
        return sign(me, FEEDBACK_KIND, tags, new.content.clone(), created_at_s);
    };
    // The reason may name what was asked, so it goes inside the seal; the status word stays in clear.
    let words = [clip(&new.reason, MAX_REASON_BYTES), &new.content];
    let sealed = words
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join("\n");
    let outside = NewFeedback {
        reason: String::new(),
        ..new.clone()
    };
    let mut tags = feedback_tags(&outside, job.native_id, hint, job.requester);
    if !sealed.is_empty() {
        tags.push(tag(["encrypted"]));
    }
    let content = seal_text(me, job, cipher, &sealed)?;
    sign(me, FEEDBACK_KIND, tags, content, created_at_s)
}

/// Seals a text for the buyer. NIP-44 cannot seal an empty one, which says nothing anyway.
fn seal_text(me: &Keys, job: &JobRequest, cipher: Encryption, text: &str) -> Result<String, Nip90Error> {
    if text.is_empty() {
        Ok(String::new())
    } else {
        seal::seal(me, job.requester, cipher, text)
    }
}

/// To whom a buyer's feedback goes.
#[derive(Clone, Copy, Debug)]
pub struct BuyerFeedback {
    /// Our request.
    pub job: EventId,
    /// The provider that answered it.
    pub provider: PublicKey,
}

/// Composes and signs a buyer's feedback to a provider (a lost race, a late result).
pub fn feedback_from_buyer(
    me: &Keys,
    to: BuyerFeedback,
    new: &NewFeedback,
    hint: &str,
    created_at_s: u64,
) -> Result<SignedEvent, Nip90Error> {
    let tags = feedback_tags(new, to.job, hint, to.provider);
    sign(me, FEEDBACK_KIND, tags, new.content.clone(), created_at_s)
}

fn feedback_tags(new: &NewFeedback, job: EventId, hint: &str, recipient: PublicKey) -> Vec<Vec<String>> {
    let reason = clip(&new.reason, MAX_REASON_BYTES);
    let word = status_word(new.status);
    let status = if reason.is_empty() {
        tag(["status", word])
    } else {
        tag(["status", word, reason])
    };
    let mut tags = vec![status];
    tags.extend(new.bill.as_ref().map(bill_tag));
    tags.push(tag(["e", &job.to_string(), hint]));
    tags.push(tag(["p", &recipient.to_string()]));
    tags
}

pub(super) fn read_result(event: &Event, me: &Keys) -> Result<JobResult, Nip90Error> {
    let tags = TagList::of(event);
    let job = tags.id("e")?;
    let provider = PublicKey(event.pubkey.to_bytes());
    let customers = tags.keys("p");
    let (content, encryption) = open(event, &tags, me, provider, &customers)?;
    let carried = tags.value("request").and_then(|json| carried(json, job));
    Ok(JobResult {
        native_id: EventId(event.id.to_bytes()),
        provider,
        job,
        customer: customers.first().copied(),
        kind: event.kind.as_u16(),
        content,
        bill: tags.bill()?,
        request_matches: carried.is_some(),
        asked: carried.and_then(|request| asked(&request, me)),
        encryption,
        created_at_s: event.created_at.as_secs(),
        raw: event.as_json().into_bytes(),
    })
}

pub(super) fn read_feedback(event: &Event, me: &Keys) -> Result<JobFeedback, Nip90Error> {
    let tags = TagList::of(event);
    let job = tags.id("e")?;
    let author = PublicKey(event.pubkey.to_bytes());
    let recipients = tags.keys("p");
    let (status, reason) = match tags.first("status") {
        Some([word, rest @ ..]) => (status_of(word)?, rest.first().cloned().unwrap_or_default()),
        _ => return Err(Nip90Error::Missing("status")),
    };
    let (content, _) = open(event, &tags, me, author, &recipients)?;
    Ok(JobFeedback {
        native_id: EventId(event.id.to_bytes()),
        author,
        job,
        recipient: recipients.first().copied(),
        status,
        reason,
        content,
        bill: tags.bill()?,
        created_at_s: event.created_at.as_secs(),
        raw: event.as_json().into_bytes(),
    })
}

/// The content in clear, and how it was sealed.
fn open(
    event: &Event,
    tags: &TagList<'_>,
    me: &Keys,
    author: PublicKey,
    recipients: &[PublicKey],
) -> Result<(String, Option<Encryption>), Nip90Error> {
    if !tags.has("encrypted") || event.content.is_empty() {
        return Ok((event.content.clone(), None));
    }
    let other =
        seal::counterpart(me, author, recipients).ok_or(Nip90Error::Sealed("it is between other people"))?;
    Ok((
        seal::unseal(me, other, &event.content)?,
        Some(seal::cipher_of(&event.content)),
    ))
}

/// The copied request, where it is the one of this id, unaltered.
pub(super) fn carried(json: &str, job: EventId) -> Option<Event> {
    let event = Event::from_json(json).ok()?;
    (event.id.to_bytes() == job.0 && event.verify_id()).then_some(event)
}

fn asked(request: &Event, me: &Keys) -> Option<Asked> {
    let request = request::read(request, me).ok()?;
    Some(Asked {
        sealed: request.encryption.is_some(),
        inputs: request.inputs.len(),
    })
}

fn status_word(status: FeedbackStatus) -> &'static str {
    match status {
        FeedbackStatus::PaymentRequired => "payment-required",
        FeedbackStatus::Processing => "processing",
        FeedbackStatus::Error => "error",
        FeedbackStatus::Success => "success",
        FeedbackStatus::Partial => "partial",
    }
}

fn status_of(word: &str) -> Result<FeedbackStatus, Nip90Error> {
    Ok(match word {
        "payment-required" => FeedbackStatus::PaymentRequired,
        "processing" => FeedbackStatus::Processing,
        "error" => FeedbackStatus::Error,
        "success" => FeedbackStatus::Success,
        "partial" => FeedbackStatus::Partial,
        other => return Err(Nip90Error::BadStatus(other.chars().take(40).collect())),
    })
}
