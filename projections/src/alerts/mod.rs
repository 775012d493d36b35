//! What is or was wrong, by the facts: how grave it is, what to do, and whether earning is possible meanwhile. What only a
//! run sees (no relay answers, the wallet is away) is no fact, and stands beside these.
mod backup;
mod rules;

use std::collections::BTreeMap;

use autopilot_events::{Event, Recorded};
use serde::{Deserialize, Serialize};

use crate::Projection;
use backup::Backup;
pub use backup::{NAG_WITHOUT_STOP_MSAT, backup_needed};
use rules::Seen;

/// Alerts kept: of more, those go that were resolved longest ago, then those that happened longest ago.
const KEPT: usize = 256;

/// How grave something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Something does not work, or will not for long.
    Warning,
    /// Money, or the ledger itself.
    Critical,
}

impl Severity {
    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// How an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It holds, and nobody has said that they know.
    Active,
    /// It holds, and a person knows.
    Acknowledged,
    /// It is over.
    Resolved,
}

impl Standing {
    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Standing::Active => "active",
            Standing::Acknowledged => "acknowledged",
            Standing::Resolved => "resolved",
        }
    }
}

/// What is said of something wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// How grave.
    pub severity: Severity,
    /// What happened.
    pub what: String,
    /// What to do.
    pub next: String,
    /// Whether earning is possible meanwhile.
    pub can_earn: bool,
}

/// Something wrong, from the fact that began it to the last one about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// As last said.
    pub said: Said,
    /// How it stands.
    pub standing: Standing,
    /// How often it happened since it began.
    pub times: u64,
    /// The fact that began it, and when.
    pub first: (u64, i64),
    /// The last fact about it, and when.
    pub last: (u64, i64),
}

/// The alerts view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Alerts {
    by_id: BTreeMap<String, Alert>,
    /// Alerts let go of, because there were too many.
    pub let_go: u64,
    seen: Seen,
    backup: Backup,
}

impl Alerts {
    /// All of them, by id.
    pub fn all(&self) -> impl Iterator<Item = (&String, &Alert)> {
        self.by_id.iter()
    }

    /// One of them.
    pub fn get(&self, id: &str) -> Option<&Alert> {
        self.by_id.get(id)
    }

    /// It happened: it is active, whatever was said of it before.
    fn raise(&mut self, id: impl Into<String>, fact: &Recorded, said: Said) {
        let (id, at) = (id.into(), place(fact));
        match self.by_id.get_mut(&id) {
            Some(alert) if alert.standing != Standing::Resolved => {
                alert.standing = Standing::Active;
                alert.times += 1;
                (alert.said, alert.last) = (said, at);
            }
            _ => {
                let alert = Alert {
                    said,
                    standing: Standing::Active,
                    times: 1,
                    first: at,
                    last: at,
                };
                self.by_id.insert(id, alert);
                self.make_room();
            }
        }
    }

    /// It is over.
    fn resolve(&mut self, id: &str, fact: &Recorded) {
        if let Some(alert) = self
            .by_id
            .get_mut(id)
            .filter(|alert| alert.standing != Standing::Resolved)
        {
            alert.standing = Standing::Resolved;
            alert.last = place(fact);
        }
    }

    /// All of this family are over.
    fn resolve_all(&mut self, prefix: &str, fact: &Recorded) {
        let family = |id: &&String| id.starts_with(prefix);
        let ids: Vec<String> = self.by_id.keys().filter(family).cloned().collect();
        ids.iter().for_each(|id| self.resolve(id, fact));
    }

    fn make_room(&mut self) {
        if self.by_id.len() <= KEPT {
            return;
        }
        let over = |alert: &Alert| alert.standing == Standing::Resolved;
        let least = self
            .by_id
            .iter()
            .min_by_key(|(_, alert)| (!over(alert), alert.said.severity, alert.last));
        if let Some(id) = least.map(|(id, _)| id.clone()) {
            self.by_id.remove(&id);
            self.let_go += 1;
        }
    }
}

fn place(fact: &Recorded) -> (u64, i64) {
    (fact.fact.sequence, fact.fact.recorded_at_ms)
}

impl Projection for Alerts {
    const NAME: &'static str = "alerts";
    const VERSION: u32 = 1;

    fn apply(&mut self, fact: &Recorded) {
        if let Event::AlertAcknowledged(m) = &fact.event {
            if let Some(alert) = self
                .by_id
                .get_mut(&m.id)
                .filter(|alert| alert.standing == Standing::Active)
            {
                alert.standing = Standing::Acknowledged;
            }
            return;
        }
        rules::apply(self, fact);
        backup::apply(self, fact);
    }
}
