//! What an agent may spend: a ceiling for each payment, and one for all of them until the program ends. Routing counts.
use std::collections::HashMap;

use crate::host::Trouble;

/// The ceilings, and what was set aside against them.
#[derive(Debug)]
pub struct Limits {
    ceiling_msat: u64,
    session_msat: u64,
    /// By payment hash: what was paid, or may still be.
    spent: HashMap<String, u64>,
}

impl Limits {
    pub fn new(ceiling_sats: u64, session_sats: u64) -> Limits {
        Limits {
            ceiling_msat: ceiling_sats.saturating_mul(1_000),
            session_msat: session_sats.saturating_mul(1_000),
            spent: HashMap::new(),
        }
    }

    fn left_msat(&self) -> u64 {
        let spent = self
            .spent
            .values()
            .fold(0_u64, |sum, msat| sum.saturating_add(*msat));
        self.session_msat.saturating_sub(spent)
    }

    /// Sets the most that a payment can cost aside. The same invoice again costs nothing more: it is paid once.
    ///
    /// # Errors
    /// A ceiling is in the way.
    pub fn reserve(&mut self, payment_hash: &str, most_msat: u64) -> Result<(), Trouble> {
        let next = "ask the owner: the ceilings are set where autopilot-mcp is started (--pay-ceiling-sats, --pay-session-sats)";
        if most_msat > self.ceiling_msat {
            let ceiling = self.ceiling_msat;
            let sentence = format!(
                "{most_msat} msat with routing are more than the {ceiling} msat that one payment may cost"
            );
            return Err(Trouble::new("pay-ceiling", sentence, next));
        }
        let before = self.spent.remove(payment_hash).unwrap_or(0);
        let (left, wanted) = (self.left_msat(), most_msat.max(before));
        let fits = wanted <= left;
        self.spent
            .insert(payment_hash.to_owned(), if fits { wanted } else { before });
        if fits {
            return Ok(());
        }
        let sentence = format!(
            "{most_msat} msat with routing are more than the {left} msat that are left of this session's ceiling"
        );
        Err(Trouble::new("session-ceiling", sentence, next))
    }

    /// What a payment cost in the end; 0: it failed, and nothing left.
    pub fn settle(&mut self, payment_hash: &str, cost_msat: u64) {
        self.spent.insert(payment_hash.to_owned(), cost_msat);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(reserved: Result<(), Trouble>) -> String {
        reserved.map_or_else(|trouble| trouble.code, |()| String::new())
    }

    #[test]
    fn both_ceilings_hold() {
        let mut limits = Limits::new(10, 25);
        assert_eq!(code(limits.reserve("a", 10_001)), "pay-ceiling");
        assert_eq!(code(limits.reserve("a", 10_000)), "");
        assert_eq!(code(limits.reserve("b", 10_000)), "");
        assert_eq!(code(limits.reserve("c", 5_001)), "session-ceiling");
        limits.settle("b", 4_000);
        assert_eq!(code(limits.reserve("c", 10_000)), "");
        assert_eq!(
            code(limits.reserve("a", 10_000)),
            "",
            "the same invoice is paid once"
        );
        limits.settle("c", 0);
        assert_eq!(code(limits.reserve("d", 10_000)), "");
        assert_eq!(code(limits.reserve("e", 1_001)), "session-ceiling");
        assert_eq!(code(limits.reserve("e", 1_000)), "");
    }
}
