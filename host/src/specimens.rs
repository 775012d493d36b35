//! What tests of this crate begin with.
use autopilot_core::input::Request;
use autopilot_events::{
    pb::BodyRef,
    words::{EventId, PublicKey},
};

/// A request that asks anybody for text, written a moment ago, without a bid.
pub(crate) fn request(n: u8, buyer: u8, now_ms: i64) -> Request {
    Request {
        native_id: EventId([n; 32]),
        requester: PublicKey([buyer; 32]),
        kind: 5050,
        bid: None,
        created_at_s: now_ms / 1_000,
        ttl_s: 60,
        targeted: false,
        open: true,
        encrypted: false,
        input_bytes: 10,
        inputs: 1,
        remote_inputs: 0,
        result_room_bytes: 40_000,
        model: None,
        unreadable: String::new(),
        max_tokens: None,
        text: String::new(),
        topics: Vec::new(),
        refund_offer: String::new(),
        body: BodyRef::default(),
        relay: "wss://one".to_owned(),
    }
}
