//! The stranger's side of the canary: what it publishes, and what the provider says to it through the relays.
use std::time::Duration;

use autopilot_core::ports::market::{
    Bill, FeedbackStatus, Interest, Market, MarketItem, Notice, RelayState, SignedEvent,
};
use autopilot_events::{
    pb::CanaryStage,
    words::{EventId, PublicKey},
};
use autopilot_nostr::RelayMarket;
use tokio::time::{Instant, timeout_at};

use crate::clock;

/// How long a relay is waited for, and how often it is looked at: connecting gives no event.
const CONNECT: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(50);

/// How far it came, rung by rung.
#[derive(Default)]
pub(super) struct Trial {
    pub stages: Vec<CanaryStage>,
    pub accepted: bool,
    pub bill: Option<Bill>,
    pub worked: bool,
    pub refused: Option<String>,
}

impl Trial {
    pub fn reach(&mut self, name: &str, detail: impl Into<String>) {
        self.stages.push(CanaryStage {
            name: name.to_owned(),
            reached: true,
            at_ms: clock::now_ms(),
            detail: detail.into(),
        });
    }
}

/// At least one relay is there, or the patience is over: publishing tells the rest.
pub(super) async fn connected(stranger: &RelayMarket) {
    let until = Instant::now() + CONNECT;
    while Instant::now() < until {
        if stranger
            .relays()
            .await
            .iter()
            .any(|relay| relay.state == RelayState::Connected)
        {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

pub(super) async fn publish(
    stranger: &RelayMarket,
    event: &SignedEvent,
    trial: &mut Trial,
) -> Result<(), String> {
    let interest = Interest {
        own_jobs: vec![event.id],
        own_kinds: vec![event.kind],
        ..Interest::default()
    };
    stranger.watch(interest).await.map_err(|e| e.to_string())?;
    let outcomes = stranger.publish(event, |_| {}).await.map_err(|e| e.to_string())?;
    let taken = outcomes.iter().filter(|outcome| outcome.accepted).count();
    if taken == 0 {
        let why: Vec<String> = outcomes
            .iter()
            .map(|o| format!("{}: {}", o.relay, o.reason))
            .collect();
        return Err(format!("no relay took the request ({})", why.join("; ")));
    }
    trial.reach(
        "published",
        format!("{taken} of {} relays took it", outcomes.len()),
    );
    Ok(())
}

/// Takes in what the provider says through the relays, until it is enough or the time is over.
pub(super) async fn listen(
    stranger: &RelayMarket,
    job: EventId,
    provider: PublicKey,
    deadline: Instant,
    trial: &mut Trial,
    enough: impl Fn(&Trial) -> bool,
) {
    while !enough(trial) {
        let Ok(Ok(notices)) = timeout_at(deadline, stranger.next_batch(64)).await else {
            return;
        };
        for notice in notices {
            let Notice::Observed(seen) = notice else { continue };
            match seen.item {
                MarketItem::Feedback(said) if said.author == provider && said.job == job => match said.status
                {
                    FeedbackStatus::Error => trial.refused = Some(said.reason),
                    FeedbackStatus::Processing if !trial.accepted => {
                        trial.accepted = true;
                        trial.reach("accepted", seen.relay);
                    }
                    FeedbackStatus::PaymentRequired if trial.bill.is_none() => {
                        trial.reach("quoted", seen.relay);
                        trial.bill = said.bill;
                    }
                    _ => {}
                },
                MarketItem::Result(result)
                    if result.provider == provider && result.job == job && !trial.worked =>
                {
                    trial.worked = true;
                    trial.reach(
                        "worked",
                        format!("{} bytes by {}", result.content.len(), seen.relay),
                    );
                    if let Some(bill) = result.bill {
                        trial.reach("billed", bill.amount_msat.to_string());
                        trial.bill = Some(bill);
                    }
                }
                _ => {}
            }
        }
    }
}
