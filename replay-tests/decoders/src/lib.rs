//! Every decoder that meets outside bytes, as a function of bytes that must come back whatever they are: in bounded
//! time and memory, and without a panic. `fuzz/` runs them under libFuzzer; `tests/corpus.rs` replays what it found.

mod control;
mod facts;
mod heads;
mod market;
mod model;
mod payees;
mod statements;

/// A decoder by name: a target of `fuzz/`, and a folder of its corpus.
pub type Decoder = (&'static str, fn(&[u8]));

/// All of them.
pub const DECODERS: &[Decoder] = &[
    ("control_request", control::request),
    ("fact", facts::fact),
    ("history", facts::history),
    ("job_tags", market::job_tags),
    ("model_answer", model::answer),
    ("payee", payees::payee),
    ("proof", heads::proof),
    ("relay_frame", market::relay_frame),
    ("signed_head", heads::signed_head),
    ("statement", statements::statement),
];

/// Runs the decoder of this name.
///
/// # Panics
/// Where there is none, or where the decoder has a fault.
pub fn run(name: &str, bytes: &[u8]) {
    match DECODERS.iter().find(|(known, _)| *known == name) {
        Some((_, decoder)) => decoder(bytes),
        None => panic!("no decoder is called {name}"),
    }
}
