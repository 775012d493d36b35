//! Which facts say that something is wrong, and which that it is over.
use std::collections::{BTreeMap, BTreeSet};

use autopilot_events::{
    Event, Recorded,
    pb::{self, FailureClass, HeadVerdict, KeptVerdict},
    words::{JobId, Msat, TreeHash},
};
use serde::{Deserialize, Serialize};

use super::{Alerts, Said, Severity};
use crate::{canaries::CanaryJobs, hexadecimal};

/// So many of a kind in a row are no accident.
pub(super) const IN_A_ROW: u32 = 3;
/// Heads of others that say otherwise and are remembered.
const DISPUTED_KEPT: usize = 16;

/// What the rules have to remember.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// The failure that came last, and how often in a row.
    failing: (String, u32),
    /// Invoices that ran out in a row.
    unpaid: u32,
    /// Paid and not delivered; `true` once that is a debt.
    prepaid: BTreeMap<JobId, (u64, bool)>,
    disputed: BTreeSet<TreeHash>,
    channels: BTreeSet<String>,
    canaries: CanaryJobs,
}

impl Seen {
    fn owed_msat(&self) -> u64 {
        let debts = self.prepaid.values().filter(|(_, debt)| *debt);
        debts.fold(0, |sum, (msat, _)| sum.saturating_add(*msat))
    }
}

fn said(severity: Severity, can_earn: bool, what: impl Into<String>, next: &str) -> Said {
    Said {
        severity,
        what: what.into(),
        next: next.to_owned(),
        can_earn,
    }
}

pub(super) fn apply(alerts: &mut Alerts, fact: &Recorded) {
    alerts.seen.canaries.apply(fact);
    match &fact.event {
        Event::JobFailed(m) => failed(alerts, fact, m),
        Event::JobExecuted(_) => alerts.resolve("model-digest-mismatch", fact),
        Event::JobDelivered(m) if !alerts.seen.canaries.contains(&m.job_id) => {
            alerts.seen.failing = Default::default();
            alerts.resolve_all("job-failures/", fact);
        }
        Event::JobPrepaid(m) => drop(
            alerts
                .seen
                .prepaid
                .insert(JobId::of(&m.job_id), (m.amount_msat, false)),
        ),
        Event::JobRefunded(m) => no_debt(alerts, fact, &m.job_id),
        Event::CanarySettled(m) => no_debt(alerts, fact, &m.job_id),
        Event::JobRefundFailed(m) => alerts.raise(
            "refund-failed",
            fact,
            said(
                Severity::Warning,
                true,
                format!("paying a buyer back failed: {}", m.reason),
                "autopilotctl debts",
            ),
        ),
        Event::JobSettled(m) => {
            alerts.seen.unpaid = 0;
            alerts.resolve("invoices-unpaid", fact);
            no_debt(alerts, fact, &m.job_id);
        }
        Event::InvoiceExpired(m) if !alerts.seen.canaries.contains(&m.job_id) => unpaid(alerts, fact),
        Event::JobAccepted(_) => alerts.resolve("intake-full", fact),
        Event::IntakeAggregated(m) => alerts.raise(
            "intake-full",
            fact,
            said(
                Severity::Info,
                false,
                format!(
                    "the day's room for requests is used up: {} more were counted and not judged",
                    m.count
                ),
                "it is free again at midnight UTC",
            ),
        ),
        Event::BuyModeStarted(_) => alerts.resolve("buy-mode-ended", fact),
        Event::BuyModeStopped(m) if m.reason == "budget-spent" => alerts.raise(
            "buy-mode-ended",
            fact,
            said(
                Severity::Info,
                true,
                format!(
                    "buying by itself ended: its budget is spent ({})",
                    Msat(m.spent_msat)
                ),
                "autopilotctl buy-mode start",
            ),
        ),
        Event::CanaryFinished(m) => canary(alerts, fact, m),
        Event::HeadCompared(m) => compared(alerts, fact, m),
        Event::HeadOverruled(m) => {
            alerts.seen.disputed.remove(&TreeHash::of(&m.held_root));
            if alerts.seen.disputed.is_empty() {
                alerts.resolve("head-disputed", fact);
            }
        }
        Event::HeadKept(m) => kept(alerts, fact, m),
        _ => money(alerts, fact),
    }
}

fn money(alerts: &mut Alerts, fact: &Recorded) {
    match &fact.event {
        Event::WalletStarted(_) => alerts.resolve("wallet-stopped", fact),
        Event::WalletStopped(m) => alerts.raise(
            "wallet-stopped",
            fact,
            said(
                Severity::Warning,
                false,
                format!("the wallet stopped: {}", m.reason),
                "it is started again by itself; `autopilotctl doctor` says more",
            ),
        ),
        Event::WalletReconciled(m) if m.difference_msat == 0 => alerts.resolve("wallet-difference", fact),
        Event::WalletReconciled(m) => alerts.raise(
            "wallet-difference",
            fact,
            said(
                Severity::Critical,
                true,
                format!(
                    "wallet and ledger differ by {} msat, and no fact explains it",
                    m.difference_msat
                ),
                "autopilotctl report, then compare with `autopilotctl wallet payments`",
            ),
        ),
        Event::WalletChannelOpened(m) => {
            alerts.seen.channels.insert(m.channel_id.clone());
            alerts.resolve("channel-closed", fact);
        }
        Event::WalletChannelClosed(m) => {
            alerts.seen.channels.remove(&m.channel_id);
            let left = alerts.seen.channels.len();
            let (severity, rest) = match left {
                0 => (
                    Severity::Critical,
                    "it was the last one: nothing can be received".to_owned(),
                ),
                left => (Severity::Warning, format!("{left} left")),
            };
            let what = format!(
                "a channel was closed ({}), {rest}; {} go on chain",
                m.reason,
                Msat(m.last_balance_msat)
            );
            alerts.raise(
                "channel-closed",
                fact,
                said(severity, left > 0, what, "autopilotctl wallet balance"),
            );
        }
        Event::WalletPaymentSent(m) => {
            alerts.resolve(&format!("payment-in-doubt/{}", hexadecimal(&m.intent_id)), fact);
            alerts.resolve("payment-failed", fact);
        }
        Event::WalletPaymentFailed(m) => alerts.raise(
            "payment-failed",
            fact,
            said(
                Severity::Info,
                true,
                format!("a payment failed: {}", m.reason),
                "nothing was paid; try again, with a higher fee ceiling where no route was found",
            ),
        ),
        Event::OfferFailed(m) if m.in_doubt => alerts.raise(
            format!("payment-in-doubt/{}", hexadecimal(&m.intent_id)),
            fact,
            said(
                Severity::Critical,
                true,
                format!("whether a payment to an offer left is in doubt: {}", m.reason),
                "ask the payee before paying again; it is never sent twice by itself",
            ),
        ),
        Event::OnchainSent(_) => alerts.resolve("onchain-failed", fact),
        Event::OnchainFailed(m) => alerts.raise(
            "onchain-failed",
            fact,
            said(
                Severity::Warning,
                true,
                format!("sending on chain failed: {}", m.reason),
                "autopilotctl wallet send",
            ),
        ),
        _ => {}
    }
}

fn failed(alerts: &mut Alerts, fact: &Recorded, m: &pb::JobFailed) {
    let id = JobId::of(&m.job_id);
    if let Some((_, debt)) = alerts.seen.prepaid.get_mut(&id) {
        *debt = true;
        let owed = Msat(alerts.seen.owed_msat());
        alerts.raise(
            "debts",
            fact,
            said(
                Severity::Warning,
                true,
                format!("{owed} are owed back to buyers who paid first and got no result"),
                "autopilotctl debts",
            ),
        );
    }
    if m.class() == FailureClass::Cancelled || m.code == "aborted" || alerts.seen.canaries.contains(&m.job_id)
    {
        return;
    }
    if m.code == "model-digest-mismatch" {
        alerts.raise(
            "model-digest-mismatch",
            fact,
            said(
                Severity::Critical,
                false,
                format!("the model's file is not the one that was chosen: {}", m.detail),
                "autopilotctl model verify",
            ),
        );
    }
    let failing = &mut alerts.seen.failing;
    match failing.0 == m.code {
        true => failing.1 = failing.1.saturating_add(1),
        false => *failing = (m.code.clone(), 1),
    }
    let times = failing.1;
    if times >= IN_A_ROW {
        alerts.raise(
            format!("job-failures/{}", m.code),
            fact,
            said(
                Severity::Warning,
                true,
                format!(
                    "{times} jobs in a row failed for the same reason ({}): {}",
                    m.code, m.detail
                ),
                "autopilotctl doctor",
            ),
        );
    }
}

/// Delivered, paid back, or a trial's own money: nobody is owed it.
fn no_debt(alerts: &mut Alerts, fact: &Recorded, job_id: &[u8]) {
    alerts.seen.prepaid.remove(&JobId::of(job_id));
    if alerts.seen.owed_msat() == 0 {
        alerts.resolve("debts", fact);
        alerts.resolve("refund-failed", fact);
    }
}

fn unpaid(alerts: &mut Alerts, fact: &Recorded) {
    alerts.seen.unpaid = alerts.seen.unpaid.saturating_add(1);
    let times = alerts.seen.unpaid;
    if times >= IN_A_ROW {
        alerts.raise(
            "invoices-unpaid",
            fact,
            said(
                Severity::Warning,
                true,
                format!("{times} invoices in a row ran out unpaid"),
                "autopilotctl policy set --order pay-first",
            ),
        );
    }
}

fn canary(alerts: &mut Alerts, fact: &Recorded, m: &pb::CanaryFinished) {
    match m.outcome.as_str() {
        "failed" => alerts.raise(
            "canary-failed",
            fact,
            said(
                Severity::Warning,
                false,
                format!("the provider tried itself as a stranger and failed: {}", m.detail),
                "autopilotctl canary",
            ),
        ),
        // The program ended meanwhile: that says nothing.
        "interrupted" => {}
        _ => alerts.resolve("canary-failed", fact),
    }
}

fn compared(alerts: &mut Alerts, fact: &Recorded, m: &pb::HeadCompared) {
    if m.verdict() == HeadVerdict::Agrees {
        return;
    }
    let disputed = &mut alerts.seen.disputed;
    if disputed.len() < DISPUTED_KEPT {
        disputed.insert(TreeHash::of(&m.held_root));
    }
    let (first, held_by) = (m.first_different, &m.held_by);
    alerts.raise("head-disputed", fact, said(
        Severity::Critical, false,
        format!("this ledger was rolled back or replaced: by the head that {held_by} holds, it is another one from fact {first} on"),
        &format!("bring back the newer ledger, or `autopilotctl ledger overrule-head {first}`"),
    ));
}

fn kept(alerts: &mut Alerts, fact: &Recorded, m: &pb::HeadKept) {
    let what = match m.verdict() {
        KeptVerdict::WentBack => "went back",
        KeptVerdict::Changed => "was exchanged",
        KeptVerdict::Grew | KeptVerdict::Unspecified => return,
    };
    let provider = hexadecimal(&m.provider);
    alerts.raise(
        format!("provider-ledger/{provider}"),
        fact,
        said(
            Severity::Info,
            true,
            format!("the ledger of provider {provider}, that we bought from, {what}"),
            "autopilotctl ledger heads",
        ),
    );
}
