//! What would be lost with a home folder: its money, as the ledger last saw it.
use std::path::Path;

use autopilot_cli::money::{network_note, show_msat};
use autopilot_host::audit::{Audit, AuditError};
use serde::Serialize;

use crate::{
    failure::{Failure, Kind, Outcome},
    output::{at, fields},
};

/// What has to be typed where nobody knows what is there.
const UNKNOWN: &str = "everything";

/// The wallet's last figures. They can overlap, so the whole is an upper bound.
#[derive(Debug, Default, Serialize)]
pub struct Stake {
    network: String,
    lightning_msat: u64,
    onchain_sat: u64,
    closing_msat: u64,
    channels: usize,
    payments_under_way: usize,
    observed_at_ms: i64,
    /// Why nobody knows; empty when it is known.
    unknown: String,
}

/// Folds the ledger of a home folder. No ledger: no host ever earned here, and only a wallet can hold money.
pub async fn of(home: &Path) -> Stake {
    let unknown = |why: String| Stake {
        unknown: why,
        ..Stake::default()
    };
    let replayed = match Audit::open(home).await {
        Ok(audit) => audit.replay(None, &mut |_| {}).await,
        Err(error) => Err(error),
    };
    let state = match replayed {
        Ok(replay) => replay.state,
        Err(AuditError::Open(_)) if !holds_wallet(home) => return Stake::default(),
        Err(error) => return unknown(error.to_string()),
    };
    let (wallet, figures) = (&state.wallet, &state.wallet.figures);
    Stake {
        network: state
            .provider
            .identity
            .map(|identity| identity.network)
            .unwrap_or_default(),
        lightning_msat: figures.spendable_msat.saturating_add(figures.reserved_msat),
        onchain_sat: figures.onchain_sat,
        closing_msat: figures.closing_msat,
        channels: wallet.channels.len(),
        payments_under_way: wallet.outgoing().count() + wallet.onchain().count(),
        observed_at_ms: figures.observed_at_ms,
        unknown: String::new(),
    }
}

fn holds_wallet(home: &Path) -> bool {
    std::fs::read_dir(home.join("wallet")).is_ok_and(|mut entries| entries.next().is_some())
}

impl Stake {
    /// At most so much is there.
    fn whole_msat(&self) -> u64 {
        let onchain_msat = self.onchain_sat.saturating_mul(1_000);
        self.lightning_msat
            .saturating_add(onchain_msat)
            .saturating_add(self.closing_msat)
    }

    fn is_nothing(&self) -> bool {
        self.unknown.is_empty()
            && self.whole_msat() == 0
            && self.channels == 0
            && self.payments_under_way == 0
    }

    /// What has to be typed to lose it all.
    fn price(&self) -> String {
        match self.unknown.as_str() {
            "" => format!("{}sat", self.whole_msat().div_ceil(1_000)),
            _ => UNKNOWN.to_owned(),
        }
    }

    /// Whether it may be taken away: there is nothing, or its loss was typed in full.
    pub fn allows(&self, forfeit: Option<&str>) -> Outcome {
        let price = self.price();
        if self.is_nothing() || forfeit == Some(price.as_str()) {
            return Ok(());
        }
        let message = match self.unknown.as_str() {
            "" => format!(
                "there is money at stake: nothing was removed. To lose it all, type --forfeit {price}"
            ),
            why => format!(
                "what is at stake is not known ({why}): nothing was removed. To lose whatever there is, type --forfeit {price}"
            ),
        };
        Err(Failure::new(Kind::Refused, "money-at-stake", message).next(
            "start the host, send the sats away (autopilotctl wallet --help) and close the channels first",
        ))
    }

    pub fn text(&self) -> String {
        if !self.unknown.is_empty() {
            return format!("At stake: not known, since {}", self.unknown);
        }
        if self.is_nothing() {
            return "At stake: no money and no channel, as the ledger last saw it.".to_owned();
        }
        let note = network_note(&self.network);
        let sum = |msat: u64| format!("{} {note}", show_msat(msat));
        let figures = fields(&[
            ("in channels", sum(self.lightning_msat)),
            ("on chain", sum(self.onchain_sat.saturating_mul(1_000))),
            ("closing", sum(self.closing_msat)),
            ("open channels", self.channels.to_string()),
            ("under way", self.payments_under_way.to_string()),
            ("as of", at(self.observed_at_ms)),
        ]);
        format!("At stake:\n{figures}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_typed_in_full_or_refused() {
        assert!(Stake::default().allows(None).is_ok());
        let some = Stake {
            lightning_msat: 1_500,
            onchain_sat: 10,
            ..Stake::default()
        };
        for wrong in [None, Some("12"), Some("11sat"), Some("everything"), Some("")] {
            assert_eq!(
                some.allows(wrong).unwrap_err().code,
                "money-at-stake",
                "{wrong:?}"
            );
        }
        assert!(some.allows(Some("12sat")).is_ok());
        let channel = Stake {
            channels: 1,
            ..Stake::default()
        };
        assert!(
            channel.allows(None).is_err(),
            "a channel is something even when it holds nothing of ours"
        );
        let unknown = Stake {
            unknown: "it is locked".to_owned(),
            ..Stake::default()
        };
        assert!(unknown.allows(Some("0sat")).is_err() && unknown.allows(Some("everything")).is_ok());
    }
}
