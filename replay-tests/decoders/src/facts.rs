//! Facts: as stored bytes, and as a history that every fold has to take.
use autopilot_core::Engine;
use autopilot_events::{
    Draft, Event, Head, Recorded,
    catalogue::CATALOGUE,
    chain::frames,
    envelope::{open, seal},
    pb::Source,
    tree::leaf,
};
use autopilot_projections::{
    State,
    movements::Movements,
    report::{Report, Window},
    rows,
};

/// The bytes of a block: a run of frames.
pub fn fact(bytes: &[u8]) {
    let mut head = Head::empty();
    for frame in frames(bytes) {
        let Ok(frame) = frame else { return };
        let Ok(fact) = open(&head, frame) else { return };
        assert_eq!(fact.bytes, frame, "stored bytes are kept as they are");
        let _ = leaf(&fact.bytes);
        head = fact.head();
    }
}

/// Facts one after the other: which type (a byte), how long (two bytes, little-endian), the payload. Those that decode
/// are sealed and given to every fold, which have no way to fail.
pub fn history(bytes: &[u8]) {
    let mut engine = Engine::new(Head::empty(), State::default());
    let mut told = (Movements::default(), Report::of(Window::default()));
    let mut rest = bytes;
    let mut versions = 0;
    while let [kind, low, high, more @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(more.len());
        let (payload, after) = more.split_at(length);
        rest = after;
        let (name, version, _) = CATALOGUE[usize::from(*kind) % CATALOGUE.len()];
        let Ok(event) = Event::decode(name, version, payload) else {
            continue;
        };
        versions += 1;
        let draft = Draft {
            event,
            stream: "fuzz".to_owned(),
            source: Source::Unspecified,
            idempotency_key: String::new(),
            correlation: Vec::new(),
        };
        let fact = seal(engine.head(), versions, draft, 0, 1_700_000_000_000);
        take(&mut engine, &mut told, &fact);
    }
    let state = engine.state();
    assert_eq!(
        State::from_snapshot(&state.to_snapshot()).map(|state| state.digests()),
        Some(state.digests()),
        "a snapshot is the state"
    );
    let _ = engine.outstanding();
}

fn take(engine: &mut Engine, (movements, report): &mut (Movements, Report), fact: &Recorded) {
    let postings = autopilot_projections::accounts::postings(&fact.event);
    let sum: i128 = postings.iter().map(|posting| posting.amount_msat).sum();
    assert_eq!(sum, 0, "postings of {}", fact.event.kind());
    let _ = rows::history(fact);
    movements.apply(fact).iter().for_each(|told| report.take(told));
    engine.replay(fact);
}
