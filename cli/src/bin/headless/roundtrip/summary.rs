//! What a roundtrip leaves: one JSON document, and the same as text.
use std::{collections::BTreeMap, fmt::Write, path::Path, time::Instant};

use anyhow::Context;
use autopilot_host::sandbox::Options;
use autopilot_proto::control::v1::BalanceReply;
use serde::Serialize;

use super::leg::Leg;

/// Figures of each wallet at one moment, as the hosts tell them.
#[derive(Debug, Serialize)]
pub struct Wallets {
    pub provider: BalanceReply,
    pub buyer: BalanceReply,
    pub hub: BalanceReply,
}

/// The three moments.
#[derive(Debug, Default, Serialize)]
pub struct States {
    pub before: Option<Wallets>,
    pub between: Option<Wallets>,
    pub after: Option<Wallets>,
}

/// A ledger, read without its host.
#[derive(Debug, Serialize)]
pub struct Ledger {
    pub facts: u64,
    /// Every hash holds.
    pub verified: bool,
    /// A replay gives what is stored.
    pub replayed: bool,
}

#[derive(Debug, Serialize)]
pub struct Phase {
    pub name: &'static str,
    pub duration_ms: u64,
}

/// The whole.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Nothing in it is wrong.
    pub ok: bool,
    pub problems: Vec<String>,
    pub network: &'static str,
    pub chain: &'static str,
    pub note: &'static str,
    pub order: String,
    pub price_msat: u64,
    pub jobs: u32,
    pub legs: Vec<Leg>,
    pub phases: Vec<Phase>,
    pub wallets: States,
    pub ledgers: BTreeMap<&'static str, Ledger>,
}

impl Summary {
    pub fn new(options: &Options, jobs: u32) -> Summary {
        Summary {
            ok: false,
            problems: Vec::new(),
            network: "regtest",
            chain: options.chain.name(),
            note: "regtest: these sats have no value",
            order: options.order.clone(),
            price_msat: options.price_msat,
            jobs,
            legs: Vec::new(),
            phases: Vec::new(),
            wallets: States::default(),
            ledgers: BTreeMap::new(),
        }
    }

    /// Does something and notes how long it took, whatever came of it.
    pub async fn phase<T, E>(
        &mut self,
        name: &'static str,
        doing: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let since = Instant::now();
        let done = doing.await;
        let duration_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.phases.push(Phase { name, duration_ms });
        done
    }

    pub fn problem(&mut self, what: String) {
        self.problems.push(what);
    }

    /// Says what does not add up.
    pub fn judge(&mut self) {
        let mut problems = Vec::new();
        if self.legs.len() < 2 {
            problems.push("it did not come to the way back".to_owned());
        }
        for leg in &self.legs {
            let name = leg.name;
            if leg.paid < leg.asked {
                let why = leg.not_paid.join(", ");
                problems.push(format!(
                    "{name}: {} of {} jobs were paid: {why}",
                    leg.paid, leg.asked
                ));
            }
            if leg.settled != u64::from(leg.paid) || leg.earned_msat != leg.spent_msat {
                problems.push(format!(
                    "{name}: {} jobs and {} msat were paid, {} and {} settled",
                    leg.paid, leg.spent_msat, leg.settled, leg.earned_msat
                ));
            }
        }
        if let (Some(before), Some(after)) = (&self.wallets.before, &self.wallets.after) {
            for (name, msat) in after.unexplained_since(before) {
                problems.push(format!(
                    "{name}: {msat} msat of its spendable sum are unexplained"
                ));
            }
        }
        for (name, ledger) in &self.ledgers {
            if !(ledger.verified && ledger.replayed) {
                problems.push(format!("the ledger of the {name} does not hold: {ledger:?}"));
            }
        }
        self.problems.extend(problems);
        self.ok = self.problems.is_empty();
    }

    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let json = serde_json::to_string_pretty(self)?;
        for (name, text) in [("summary.json", json), ("summary.txt", self.text())] {
            let path = folder.join(name);
            std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = self.lines(&mut text);
        text
    }

    fn lines(&self, text: &mut String) -> std::fmt::Result {
        let verdict = if self.ok {
            "as it should be"
        } else {
            "NOT as it should be"
        };
        writeln!(text, "Roundtrip, {} chain, {}: {verdict}", self.chain, self.order)?;
        for problem in &self.problems {
            writeln!(text, "  ! {problem}")?;
        }
        writeln!(
            text,
            "\n{:<6} {:>20} {:>6} {:>6} {:>10} {:>10} {:>9} {:>11} {:>11}",
            "way", "", "asked", "paid", "spent sat", "earned sat", "fees sat", "median ms", "slowest ms"
        )?;
        for leg in &self.legs {
            writeln!(
                text,
                "{:<6} {:>20} {:>6} {:>6} {:>10} {:>10} {:>9} {:>11} {:>11}",
                leg.name,
                format!("{} → {}", leg.buyer, leg.seller),
                leg.asked,
                leg.paid,
                sat(leg.spent_msat),
                sat(leg.earned_msat),
                sat(leg.fees_msat),
                leg.job_median_ms,
                leg.job_slowest_ms
            )?;
        }
        writeln!(
            text,
            "\n{:<10} {:<8} {:>10} {:>13} {:>13} {:>10} {:>10} {:>12}",
            "wallet", "when", "earned sat", "spendable sat", "receivable", "received", "sent", "on chain sat"
        )?;
        for (when, wallets) in self.wallets.moments() {
            for (name, b) in wallets.each() {
                writeln!(
                    text,
                    "{name:<10} {when:<8} {:>10} {:>13} {:>13} {:>10} {:>10} {:>12}",
                    sat(b.earned_msat),
                    sat(b.spendable_msat),
                    sat(b.receivable_msat),
                    sat(b.received_msat),
                    sat(b.sent_msat),
                    b.onchain_sat
                )?;
            }
        }
        writeln!(text)?;
        for phase in &self.phases {
            writeln!(text, "{:<10} {:>9} ms", phase.name, phase.duration_ms)?;
        }
        for (name, ledger) in &self.ledgers {
            let of = |holds: bool| if holds { "yes" } else { "NO" };
            let (verified, replayed) = (of(ledger.verified), of(ledger.replayed));
            writeln!(
                text,
                "ledger of the {name}: {} facts, verified {verified}, replay equal {replayed}",
                ledger.facts
            )?;
        }
        writeln!(text, "{}", self.note)
    }
}

impl States {
    fn moments(&self) -> impl Iterator<Item = (&'static str, &Wallets)> {
        let moments = [
            ("before", &self.before),
            ("between", &self.between),
            ("after", &self.after),
        ];
        moments
            .into_iter()
            .filter_map(|(when, wallets)| Some((when, wallets.as_ref()?)))
    }
}

impl Wallets {
    /// What the spendable sums of those who earn and spend changed by beyond what came and went, in msat.
    pub fn unexplained_since(&self, before: &Wallets) -> Vec<(&'static str, i128)> {
        let sides = [
            ("provider", unexplained_msat(&before.provider, &self.provider)),
            ("buyer", unexplained_msat(&before.buyer, &self.buyer)),
        ];
        sides.into_iter().filter(|(_, msat)| *msat != 0).collect()
    }

    fn each(&self) -> [(&'static str, &BalanceReply); 3] {
        [
            ("provider", &self.provider),
            ("buyer", &self.buyer),
            ("hub", &self.hub),
        ]
    }
}

fn unexplained_msat(before: &BalanceReply, after: &BalanceReply) -> i128 {
    let net =
        |b: &BalanceReply| i128::from(b.received_msat) - i128::from(b.sent_msat) - i128::from(b.fees_msat);
    let change = i128::from(after.spendable_msat) - i128::from(before.spendable_msat);
    change - (net(after) - net(before))
}

fn sat(msat: u64) -> String {
    match msat % 1_000 {
        0 => (msat / 1_000).to_string(),
        rest => format!("{}.{rest:03}", msat / 1_000),
    }
}
