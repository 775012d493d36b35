//! Faults for crash tests, asked for through the environment variable `AUTOPILOT_WORKER_FAULT`. Each goes the
//! way that the real accident goes; nothing else in the worker knows about them.
//!
//! - `abort_after_tokens:N` aborts the process, as an assert in the runtime does.
//! - `hang_after_tokens:N` stops making progress for ever.
//! - `eat_memory` allocates until the memory bound is hit.
use std::time::Duration;

/// Name of the variable.
const VARIABLE: &str = "AUTOPILOT_WORKER_FAULT";
const BITE_BYTES: usize = 16 << 20;

/// The fault that was asked for.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    None,
    AbortAfterTokens(u32),
    HangAfterTokens(u32),
    EatMemory,
}

impl Fault {
    /// Reads the variable; anything unknown is no fault.
    pub fn from_environment() -> Fault {
        let text = std::env::var(VARIABLE).unwrap_or_default();
        let (name, count) = text.split_once(':').unwrap_or((&text, "0"));
        match (name, count.parse()) {
            ("abort_after_tokens", Ok(tokens)) => Fault::AbortAfterTokens(tokens),
            ("hang_after_tokens", Ok(tokens)) => Fault::HangAfterTokens(tokens),
            ("eat_memory", _) => Fault::EatMemory,
            _ => Fault::None,
        }
    }

    /// Called after each sampled token.
    pub fn strike(self, tokens: u32) {
        match self {
            Fault::AbortAfterTokens(after) if tokens >= after => std::process::abort(),
            Fault::HangAfterTokens(after) if tokens >= after => loop {
                std::thread::sleep(Duration::from_secs(3600));
            },
            Fault::EatMemory => {
                let mut eaten = Vec::new();
                loop {
                    eaten.push(std::hint::black_box(vec![1_u8; BITE_BYTES]));
                }
            }
            _ => {}
        }
    }
}
