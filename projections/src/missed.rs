//! Jobs that were seen and not taken: why, what they would have paid, and the setting that would have taken them.
//! By the hour for two days, by the day for a month, and in all; each single one stands in the history.
use std::collections::BTreeMap;

use autopilot_events::{Event, Recorded, pb, words::JobId};
use serde::{Deserialize, Serialize};

use crate::{Projection, rows::refusal_name};

const HOUR_MS: i64 = 3_600_000;
const HOURS_OF_DAY: i64 = 24;
/// Days (UTC) before the newest one whose hours are kept one by one.
const DAYS_BY_HOUR: i64 = 2;
/// Days before the newest one that are kept one by one. Older ones stand in the totals only.
const DAYS_KEPT: i64 = 31;
/// Rules counted one by one; the owner writes them.
const MAX_RULES: usize = 4_096;

/// Refusals with one reason and one setting.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Name of the reason, e.g. `price-too-low`.
    pub reason: String,
    /// The setting that would have taken them; empty: none.
    pub setting: String,
    /// What it was at the last of them.
    pub now: String,
    /// What would have taken all of them.
    pub needed: String,
    /// How many.
    pub jobs: u64,
    /// What they would have paid.
    pub msat: u64,
}

impl Group {
    fn add(&mut self, other: &Group) {
        self.needed = match (self.jobs, number(&self.needed), number(&other.needed)) {
            (1.., Some(ours), Some(theirs)) => {
                let ours_stays = if self.setting == "min-price" {
                    ours <= theirs
                } else {
                    ours >= theirs
                };
                if ours_stays {
                    self.needed.clone()
                } else {
                    other.needed.clone()
                }
            }
            _ => other.needed.clone(),
        };
        self.reason.clone_from(&other.reason);
        self.setting.clone_from(&other.setting);
        self.now.clone_from(&other.now);
        self.jobs += other.jobs;
        self.msat = self.msat.saturating_add(other.msat);
    }
}

/// The number of a setting's value, `…msat` or bare.
fn number(value: &str) -> Option<u64> {
    value.trim_end_matches("msat").parse().ok()
}

/// Requests of one kind that could not be claimed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Demand {
    /// How many.
    pub jobs: u64,
    /// Of them: naming us.
    pub targeted: u64,
    /// Of them: naming other providers.
    pub elsewhere: u64,
    /// Of those that do not: with a bid.
    pub bids: u64,
    /// Sum of those bids.
    pub bids_msat: u64,
    /// The highest of them.
    pub highest_bid_msat: u64,
}

impl Demand {
    fn add(&mut self, other: &Demand) {
        self.jobs = self.jobs.saturating_add(other.jobs);
        self.targeted = self.targeted.saturating_add(other.targeted);
        self.elsewhere = self.elsewhere.saturating_add(other.elsewhere);
        self.bids = self.bids.saturating_add(other.bids);
        self.bids_msat = self.bids_msat.saturating_add(other.bids_msat);
        self.highest_bid_msat = self.highest_bid_msat.max(other.highest_bid_msat);
    }
}

/// What happened within one hour, or within all of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Requests recorded.
    pub received: u64,
    /// Of them: taken.
    pub taken: u64,
    /// Requests beyond the intake budget: counted, not judged.
    pub beyond_budget: u64,
    /// Refusals by reason and setting.
    pub groups: BTreeMap<String, Group>,
    /// Demand that could not be claimed, by kind: while offline.
    pub offline: BTreeMap<u32, Demand>,
    /// The same while online: kinds that are not served.
    pub other_kinds: BTreeMap<u32, Demand>,
}

impl Span {
    fn add(&mut self, other: &Span) {
        self.received += other.received;
        self.taken += other.taken;
        self.beyond_budget = self.beyond_budget.saturating_add(other.beyond_budget);
        for (key, group) in &other.groups {
            self.groups.entry(key.clone()).or_default().add(group);
        }
        for (mine, theirs) in [
            (&mut self.offline, &other.offline),
            (&mut self.other_kinds, &other.other_kinds),
        ] {
            for (kind, demand) in theirs {
                mine.entry(*kind).or_default().add(demand);
            }
        }
    }
}

/// How often a rule of the content policy refused, and how often that was wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Refusals.
    pub refused: u64,
    /// Of them marked as wrong by a person.
    pub wrong: u64,
}

/// The missed view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Missed {
    /// Over the whole life of the ledger.
    pub total: Span,
    /// When the last request came, canaries apart.
    pub last_received_at_ms: Option<i64>,
    /// When the last one was taken.
    pub last_taken_at_ms: Option<i64>,
    /// Content rules, and reasons that a person marked.
    pub rules: BTreeMap<String, Rule>,
    hours: BTreeMap<i64, Span>,
    days: BTreeMap<i64, Span>,
    /// Refusals that a person marked as wrong, with the rule.
    wrong: BTreeMap<JobId, String>,
    /// Our own trial: no demand of anybody.
    canary: Option<JobId>,
}

impl Missed {
    /// Everything from this time on, rounded down to the hour, or to the day (UTC) where that is over two days back; days
    /// older than a month are gone.
    pub fn since(&self, from_ms: i64) -> Span {
        let hour = from_ms.div_euclid(HOUR_MS);
        let days = self.days.range(hour.div_euclid(HOURS_OF_DAY)..);
        let hours = self.hours.range(hour..);
        let mut span = Span::default();
        days.chain(hours).for_each(|(_, part)| span.add(part));
        span
    }

    /// Whether a person marked this refusal as wrong.
    pub fn marked_wrong(&self, id: &JobId) -> bool {
        self.wrong.contains_key(id)
    }

    fn add(&mut self, at_ms: i64, span: Span) {
        let hour = at_ms.div_euclid(HOUR_MS);
        let today = hour.div_euclid(HOURS_OF_DAY);
        self.total.add(&span);
        self.hours.entry(hour).or_default().add(&span);
        while let Some(old) = self.hours.first_entry() {
            let day = old.key().div_euclid(HOURS_OF_DAY);
            if day >= today.saturating_sub(DAYS_BY_HOUR) {
                break;
            }
            self.days.entry(day).or_default().add(&old.remove());
        }
        let oldest = today.saturating_sub(DAYS_KEPT);
        while self.days.first_key_value().is_some_and(|(day, _)| *day < oldest) {
            self.days.pop_first();
        }
    }

    fn refuse(&mut self, m: &pb::JobRefused) -> Span {
        let reason = refusal_name(m.reason);
        if !m.rule.is_empty() && (self.rules.contains_key(&m.rule) || self.rules.len() < MAX_RULES) {
            self.rules.entry(m.rule.clone()).or_default().refused += 1;
        }
        let group = Group {
            setting: m.setting.clone(),
            now: m.setting_now.clone(),
            needed: m.setting_needed.clone(),
            jobs: 1,
            msat: m.would_pay_msat,
            reason: reason.clone(),
        };
        let groups = BTreeMap::from([(format!("{reason} {}", m.setting), group)]);
        Span {
            groups,
            ..Span::default()
        }
    }

    fn mark(&mut self, m: &pb::RefusalMarked) {
        let id = JobId::of(&m.job_id);
        let rule = match m.wrong {
            true if self.wrong.contains_key(&id) => return,
            true => {
                self.wrong.insert(id, m.rule.clone());
                Some(m.rule.clone())
            }
            false => self.wrong.remove(&id),
        };
        let Some(rule) = rule else { return };
        let count = self.rules.entry(rule).or_default();
        count.wrong = if m.wrong {
            count.wrong + 1
        } else {
            count.wrong.saturating_sub(1)
        };
    }

    fn seen(m: &pb::DemandSeen) -> Span {
        let of = |m: &pb::KindDemand| Demand {
            jobs: m.jobs,
            targeted: m.targeted,
            elsewhere: m.elsewhere,
            bids: m.bids,
            bids_msat: m.bids_msat,
            highest_bid_msat: m.highest_bid_msat,
        };
        let kinds: BTreeMap<u32, Demand> = m.kinds.iter().map(|kind| (kind.kind, of(kind))).collect();
        match m.online {
            true => Span {
                other_kinds: kinds,
                ..Span::default()
            },
            false => Span {
                offline: kinds,
                ..Span::default()
            },
        }
    }

    fn is_canary(&self, id: &[u8]) -> bool {
        self.canary == Some(JobId::of(id))
    }
}

impl Projection for Missed {
    const NAME: &'static str = "missed";
    const VERSION: u32 = 2;

    fn apply(&mut self, fact: &Recorded) {
        let at_ms = fact.fact.recorded_at_ms;
        let span = match &fact.event {
            Event::CanaryStarted(m) => {
                self.canary = Some(JobId::of(&m.job_id));
                return;
            }
            Event::JobReceived(m) if !self.is_canary(&m.job_id) => {
                self.last_received_at_ms = Some(at_ms);
                Span {
                    received: 1,
                    ..Span::default()
                }
            }
            Event::JobAccepted(m) if !self.is_canary(&m.job_id) => {
                self.last_taken_at_ms = Some(at_ms);
                Span {
                    taken: 1,
                    ..Span::default()
                }
            }
            Event::JobRefused(m) if !self.is_canary(&m.job_id) => self.refuse(m),
            Event::IntakeAggregated(m) => Span {
                beyond_budget: m.count,
                ..Span::default()
            },
            Event::DemandSeen(m) => Missed::seen(m),
            Event::RefusalMarked(m) => return self.mark(m),
            _ => return,
        };
        self.add(at_ms, span);
    }
}
