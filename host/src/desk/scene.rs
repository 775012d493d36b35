//! The words of each pane, over a ledger as it stands.
use autopilot_core::{input::Readiness, standing::Standing};
use autopilot_events::words::Msat;
use autopilot_projections::{
    State,
    alerts::{self, Alert},
};

use super::standing::{Kind, PaneStanding, Setting};
use crate::tailnet::Tailnet;

/// What the words are made of.
pub(super) struct Scene<'a> {
    pub(super) state: &'a State,
    pub(super) readiness: &'a Readiness,
    pub(super) earning: Standing,
    pub(super) facts: u64,
    pub(super) setting: &'a Setting,
}

fn ready(sentence: impl Into<String>) -> PaneStanding {
    PaneStanding {
        kind: Kind::Ready,
        sentence: sentence.into(),
        next: String::new(),
    }
}

/// Nothing yet, and what to do.
pub(super) fn empty(sentence: impl Into<String>, next: &str) -> PaneStanding {
    PaneStanding {
        kind: Kind::Empty,
        sentence: sentence.into(),
        next: next.to_owned(),
    }
}

/// `one job`, `2 jobs`.
fn count(number: u64, one: &str, many: &str) -> String {
    match number {
        1 => format!("One {one}"),
        number => format!("{number} {many}"),
    }
}

/// With a capital and a full stop.
fn sentence(words: &str) -> String {
    let mut letters = words.trim_end_matches('.').chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

impl Scene<'_> {
    /// What broke, and whether earning is possible all the same.
    fn error(&self, cause: &str, next: &str) -> PaneStanding {
        let earning = match (self.earning.can_earn(), self.earning.online) {
            (true, _) => "Earning goes on.",
            (false, true) => "No earning is possible until then.",
            (false, false) => "Earning is not possible now.",
        };
        PaneStanding {
            kind: Kind::Error,
            sentence: format!("{} {earning}", sentence(cause)),
            next: next.to_owned(),
        }
    }

    fn no_policy(&self) -> bool {
        self.state.provider.policy.is_none()
    }

    pub(super) fn chat(&self) -> PaneStanding {
        let chat = &self.state.chat;
        let (threads, waiting) = (chat.thread_count() as u64, chat.waiting().len() as u64);
        match (self.setting.serves, &self.readiness.model) {
            (false, _) if threads == 0 => empty(
                "No model is chosen yet, so nobody would answer.",
                "Choose a model in Settings.",
            ),
            (true, None) if threads == 0 || waiting > 0 => self.model_missing(),
            _ if threads == 0 => empty(
                "Nothing was said yet.",
                "Write to the model of this machine: paid jobs go first, and nobody else reads it.",
            ),
            _ if waiting > 0 => ready(format!(
                "{} for an answer.",
                count(waiting, "message waits", "messages wait")
            )),
            _ => ready(format!("{}.", count(threads, "conversation", "conversations"))),
        }
    }

    fn model_missing(&self) -> PaneStanding {
        match &self.readiness.model_problem {
            Some(problem) => self.error(problem, "Look at the model in Settings."),
            None => empty("The model is being loaded.", "This takes a moment."),
        }
    }

    pub(super) fn go_online(&self) -> PaneStanding {
        match (self.earning.against.as_slice(), self.earning.online) {
            _ if self.no_policy() => empty(
                "This home offers no work yet: it has no price and no model.",
                "Choose a model and a price in Settings.",
            ),
            ([], true) => ready("Online: jobs are taken, worked and paid."),
            ([], false) => ready("Everything is ready: go online."),
            ([only], _) => self.error(only, "It is put right there; then go online."),
            ([first, rest @ ..], _) => self.error(
                &format!("{first} (and {} more)", rest.len()),
                "Put these right one after the other.",
            ),
        }
    }

    pub(super) fn provider(&self) -> PaneStanding {
        let provider = &self.state.provider;
        let was_online = self.earning.online || provider.uptime_ms > 0 || provider.run_online_ms > 0;
        match self.earning.against.first() {
            _ if self.no_policy() => empty(
                "This home offers no work yet.",
                "Choose a model and a price in Settings.",
            ),
            Some(cause) if self.earning.online => self.error(cause, "Online and degraded: see Go Online."),
            _ if !was_online && self.state.earnings.jobs_accepted == 0 => {
                empty("This provider was never online yet.", "Go online.")
            }
            _ if self.earning.online => ready("Online and healthy."),
            _ => ready("Offline. What was before is shown."),
        }
    }

    pub(super) fn tailnet(&self) -> PaneStanding {
        match &self.setting.tailnet {
            Tailnet::Unknown => empty("The tailnet was not looked at yet.", "Refresh."),
            Tailnet::NotInstalled => empty(
                "Tailscale is not installed on this machine.",
                "Nothing has to be done: earning does not need it.",
            ),
            Tailnet::Trouble(cause) => self.error(cause, "Refresh; earning does not need a tailnet."),
            Tailnet::Seen(net) if !net.is_up() => empty(
                format!("Tailscale is {} here.", net.state_words()),
                "Start it with `tailscale up`.",
            ),
            Tailnet::Seen(net) => {
                let online = net.devices.iter().filter(|device| device.online).count();
                let all = count(net.devices.len() as u64, "device", "devices");
                ready(format!("{all} in {}, {online} online.", net.name))
            }
        }
    }

    fn no_relay(&self) -> Option<PaneStanding> {
        match (self.setting.relays, self.readiness.relays_connected) {
            (0, _) => Some(empty(
                "No relay is configured: jobs come over relays.",
                "Add one in Relay Connections.",
            )),
            (_, 0) => Some(self.error("no relay is connected and answers", "Retry in Relay Connections.")),
            _ => None,
        }
    }

    pub(super) fn inbox(&self) -> PaneStanding {
        let missed = &self.state.missed.total;
        if let Some(broken) = self.no_relay() {
            return broken;
        }
        let preview: u64 = missed.offline.values().map(|demand| demand.jobs).sum();
        match (missed.received, preview, self.earning.online) {
            (0, 0, true) => empty(
                "No request came yet.",
                "Nothing has to be done: this provider is online and listens.",
            ),
            (0, 0, false) => empty("No request came yet.", "Go online to take jobs."),
            (0, seen, _) => ready(format!(
                "{} seen while offline.",
                count(seen, "job was", "jobs were")
            )),
            (received, ..) => ready(format!("{} so far.", count(received, "request", "requests"))),
        }
    }

    pub(super) fn active_job(&self) -> PaneStanding {
        let running = self.state.jobs.in_flight() as u64;
        match (running, self.earning.online) {
            (0, true) => empty("No job is worked on.", "The next one begins by itself."),
            (0, false) => empty("No job is worked on.", "Go online to take jobs."),
            _ if self.setting.serves && self.readiness.model.is_none() => match &self.readiness.model_problem
            {
                Some(problem) => self.error(problem, "Its jobs end as failed unless the model comes back."),
                None => ready(format!(
                    "{} under way; the model is being loaded.",
                    count(running, "job is", "jobs are")
                )),
            },
            _ => ready(format!("{} under way.", count(running, "job is", "jobs are"))),
        }
    }

    pub(super) fn history(&self) -> PaneStanding {
        let earnings = &self.state.earnings;
        let refused = self
            .state
            .missed
            .total
            .received
            .saturating_sub(self.state.missed.total.taken);
        match (earnings.jobs_accepted, refused, self.state.purchases.paid_count) {
            (0, 0, 0) => empty("No job was done yet.", "Go online to take jobs."),
            (accepted, ..) => ready(format!(
                "{} taken so far.",
                count(accepted, "job was", "jobs were")
            )),
        }
    }

    pub(super) fn earnings(&self) -> PaneStanding {
        let earnings = &self.state.earnings;
        match earnings.jobs_settled {
            0 => empty("No sats were earned yet.", "Go online to take jobs."),
            jobs => ready(format!(
                "{} earned with {} jobs.",
                Msat(earnings.earned_msat),
                jobs
            )),
        }
    }

    /// What is wrong with the wallet, apart from having no channel, with which nothing is wrong.
    fn wallet_problem(&self) -> Option<&str> {
        self.readiness.wallet_problem.as_deref()
    }

    pub(super) fn wallet(&self) -> PaneStanding {
        let figures = &self.state.wallet.figures;
        match self.wallet_problem() {
            Some(cause) if figures.channels == 0 && cause.contains("has no channel") => empty(
                sentence(cause),
                "Ask a peer for a channel; funds on chain are shown all the same.",
            ),
            Some(cause) => self.error(cause, "Refresh; what is in the wallet is safe."),
            None => ready(format!(
                "{} can be spent, {} can be received.",
                Msat(figures.spendable_msat),
                Msat(figures.receivable_msat)
            )),
        }
    }

    pub(super) fn pay(&self) -> PaneStanding {
        let figures = &self.state.wallet.figures;
        match self.wallet_problem() {
            Some(cause) if figures.channels > 0 => {
                self.error(cause, "Payments wait until the wallet is back.")
            }
            Some(cause) if !cause.contains("has no channel") => {
                self.error(cause, "Payments wait until the wallet is back.")
            }
            _ if figures.spendable_msat == 0 => empty(
                "There is nothing to spend yet.",
                "Earn or receive some sats first.",
            ),
            _ => ready(format!("Up to {} can be sent.", Msat(figures.spendable_msat))),
        }
    }

    pub(super) fn receive(&self) -> PaneStanding {
        match self.wallet_problem() {
            Some(cause) if !cause.contains("has no channel") => self.error(cause, "Look at the Wallet."),
            _ if self.readiness.receivable == Msat::ZERO => empty(
                "Nothing can be received yet.",
                "The wallet needs a channel with room: a peer opens one.",
            ),
            _ => ready(format!("Up to {} can be received.", self.readiness.receivable)),
        }
    }

    pub(super) fn identity(&self) -> PaneStanding {
        match self.state.custody.backed_up_at_ms {
            Some(_) => ready("The words were backed up."),
            None if alerts::backup_needed(self.state).is_some() => self.error(
                "the words were never backed up, and the wallet holds too much for that",
                "Back the words up: earning goes on at once.",
            ),
            None => PaneStanding {
                next: "Back the words up: without them a lost disk loses everything.".to_owned(),
                ..ready("The words were never backed up.")
            },
        }
    }

    pub(super) fn relays(&self) -> PaneStanding {
        self.no_relay().unwrap_or_else(|| {
            ready(format!(
                "{} of {} relays answer.",
                self.readiness.relays_connected, self.setting.relays
            ))
        })
    }

    pub(super) fn purchases(&self) -> PaneStanding {
        let (open, purchases) = (self.state.purchases.open().count() as u64, &self.state.purchases);
        match (open, purchases.paid_count.saturating_add(purchases.unpaid_count)) {
            (0, 0) => empty(
                "Nothing was bought yet.",
                "Ask the network for a job, within a budget.",
            ),
            (0, over) => ready(format!(
                "{} over; none is open.",
                count(over, "request is", "requests are")
            )),
            (open, _) => match self.no_relay() {
                Some(broken) => broken,
                None => ready(format!("{} open.", count(open, "request is", "requests are"))),
            },
        }
    }

    pub(super) fn activity(&self) -> PaneStanding {
        match (&self.readiness.ledger_problem, self.facts) {
            (Some(problem), _) => self.error(problem, "See Alerts and Recovery."),
            (None, 0) => empty("Nothing has happened yet.", ""),
            (None, facts) => ready(format!("{} recorded.", count(facts, "fact is", "facts are"))),
        }
    }

    pub(super) fn alerts(&self) -> PaneStanding {
        let alerts = &self.state.alerts;
        let resolved = |alert: &Alert| alert.standing == alerts::Standing::Resolved;
        let active = alerts.all().filter(|(_, alert)| !resolved(alert)).count() as u64;
        // Having nothing to offer is a choice and nothing wrong.
        let seen = self.earning.against.first().filter(|_| !self.no_policy());
        match (active, seen) {
            (0, None) if alerts.all().next().is_none() => empty("Nothing is wrong.", ""),
            (0, None) => ready("Nothing is wrong now; what was is shown."),
            (0, Some(cause)) => ready(sentence(cause)),
            (active, _) => ready(format!(
                "{} your attention.",
                count(active, "thing needs", "things need")
            )),
        }
    }

    pub(super) fn settings(&self) -> PaneStanding {
        let read_only = |cause: &&String| cause.contains("read-only");
        match self.earning.against.iter().find(read_only) {
            Some(cause) => self.error(cause, "Nothing can be changed until then."),
            None => ready("What is set, and what takes effect when."),
        }
    }
}
