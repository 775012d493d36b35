//! Short ways to draft facts.
use autopilot_events::{Draft, Event, pb::Source};

/// A fact of a stream, without key or correlation.
pub fn fact(stream: impl Into<String>, source: Source, event: impl Into<Event>) -> Draft {
    Draft {
        event: event.into(),
        stream: stream.into(),
        source,
        idempotency_key: String::new(),
        correlation: Vec::new(),
    }
}

/// A fact of one job's stream, tied to its story.
pub fn of_job(job_id: &[u8], source: Source, event: impl Into<Event>) -> Draft {
    Draft {
        correlation: job_id.to_vec(),
        ..fact(format!("job/{}", hex::encode(job_id)), source, event)
    }
}

/// A fact of one purchase's stream, tied to its story.
pub fn of_purchase(id: &[u8], source: Source, event: impl Into<Event>) -> Draft {
    Draft {
        correlation: id.to_vec(),
        ..fact(format!("purchase/{}", hex::encode(id)), source, event)
    }
}

/// A fact of the wallet's stream, tied to a payment.
pub fn of_wallet(payment_hash: &[u8], event: impl Into<Event>) -> Draft {
    Draft {
        correlation: payment_hash.to_vec(),
        ..fact("wallet", Source::Wallet, event)
    }
}

/// The same with an idempotency key.
pub fn keyed(draft: Draft, key: impl Into<String>) -> Draft {
    Draft {
        idempotency_key: key.into(),
        ..draft
    }
}
