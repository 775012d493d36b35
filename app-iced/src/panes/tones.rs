//! What the words of the ledger are coloured by.
use crate::design::Tone;

/// Of where the work stands.
pub fn work(word: &str) -> Tone {
    match word {
        "delivered" | "answered" => Tone::Good,
        "failed" => Tone::Bad,
        "running" | "executed" | "accepted" | "requested" => Tone::Accent,
        _ => Tone::Quiet,
    }
}

/// Of where the money stands.
pub fn money(word: &str) -> Tone {
    match word {
        "settled" => Tone::Good,
        "expired" | "failed" => Tone::Bad,
        "refunded" | "prepaid" => Tone::Attention,
        _ => Tone::Quiet,
    }
}
