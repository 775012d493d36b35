//! What people paste as destinations (BOLT11 invoices, offers, addresses, links, names), and what LNURL servers answer.
use autopilot_core::ports::payee::Callback;
use autopilot_events::words::Msat;
use autopilot_payee::reading;

pub fn payee(bytes: &[u8]) {
    let asked = Callback {
        url: "https://pay.example/callback".to_owned(),
        min: Msat(1),
        max: Msat(u64::MAX),
        metadata_hash: [0; 32],
        comment_chars: 0,
        on_this_machine: false,
    };
    let callback = reading::offered(bytes).unwrap_or(asked);
    let _ = reading::billed(bytes, &callback, Msat(1_000));
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = reading::destination(text);
    }
}
