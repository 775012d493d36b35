//! Any view as it was after a fact: the facts up to it are folded again, and the same functions answer over the state that
//! they give. What a run saw beside the facts (relays, model, wallet) is not there, and nobody claims that it is.
use std::{collections::BTreeMap, sync::Arc};

use autopilot_core::Engine;
use autopilot_events::Head;
use autopilot_projections::State;
use autopilot_proto::control::v1::{self as pb, at_reply::Answer};
use autopilot_store_sqlite::{ReadError, Reader};
use tokio::sync::Mutex;
use tonic::Status;

use super::{Service, alerts, errors, presence, views, wallet};
use crate::audit::STATE_SNAPSHOT_VERSION;

/// Facts folded before others have their turn.
const PAGE: u32 = 4_096;
/// States kept on the way, so that going back and forth costs a part of the ledger only.
const MARKS: u64 = 8;

/// States at places of the ledger, for whoever scrubs. One replay at a time: the next one waits, and finds them.
pub(crate) type Marks = Arc<Mutex<BTreeMap<u64, Engine>>>;

impl Service {
    pub(super) async fn answer_at(&self, request: pb::AtRequest) -> Result<pb::AtReply, Status> {
        let view = match request.view.as_str() {
            known @ ("status" | "earnings" | "balance" | "jobs" | "alerts") => known.to_owned(),
            _ => {
                return Err(errors::invalid(
                    "the view is status, earnings, balance, jobs or alerts",
                ));
            }
        };
        let end = self.look(|engine| engine.head().sequence).await?;
        if request.sequence == 0 || request.sequence > end {
            return Err(errors::not_found(format!("the ledger has the facts 1 to {end}")));
        }
        let reader = self.outside.ledger.reader();
        let engine = engine_at(reader, &self.marks, request.sequence, end)
            .await
            .map_err(errors::read)?;
        let at_ms = engine.head().recorded_at_ms;
        let answer = match view.as_str() {
            "status" => Answer::Status(presence::as_recorded(&engine)),
            "earnings" => Answer::Earnings(views::earnings(
                &engine,
                request.day_start_ms,
                request.day_end_ms,
            )?),
            "balance" => Answer::Balance(pb::BalanceReply {
                network: self.config.network.clone(),
                ..wallet::as_observed(&engine)
            }),
            "jobs" => Answer::Jobs(views::jobs(&engine)),
            _ => Answer::Alerts(alerts::by_facts(&engine)),
        };
        Ok(pb::AtReply {
            basis: Some(views::basis(&engine, "ledger")),
            at_ms,
            answer: Some(answer),
        })
    }
}

/// The engine as it was after a fact, from the nearest state before it that is at hand.
pub(super) async fn engine_at(
    reader: &Reader,
    marks: &Marks,
    sequence: u64,
    end: u64,
) -> Result<Engine, ReadError> {
    let mut marks = marks.lock().await;
    let near = marks
        .range(..=sequence)
        .next_back()
        .map(|(_, engine)| engine.clone());
    let kept = reader.snapshot(&State::label(), STATE_SNAPSHOT_VERSION).await?;
    let kept = kept
        .filter(|kept| kept.head.sequence <= sequence)
        .and_then(|kept| State::from_snapshot(&kept.bytes).map(|state| Engine::new(kept.head, state)));
    let first = || Engine::new(Head::empty(), State::default());
    let from = [near, kept].into_iter().flatten();
    let mut engine = from
        .max_by_key(|engine| engine.head().sequence)
        .unwrap_or_else(first);
    let apart = (end / MARKS).max(u64::from(PAGE));
    while engine.head().sequence < sequence {
        let at = engine.head().sequence;
        let wanted = u32::try_from(sequence - at).unwrap_or(PAGE).min(PAGE);
        let page = reader.facts(at, wanted).await?;
        if page.is_empty() {
            return Err(ReadError::BeyondEnd { sequence });
        }
        page.iter().for_each(|fact| engine.replay(fact));
        let reached = engine.head().sequence;
        if reached / apart > at / apart {
            marks.insert(reached, engine.clone());
            // What lies before the first mark is folded fastest from the first fact on: that mark goes.
            while marks.len() as u64 > 2 * MARKS {
                marks.pop_first();
            }
        }
        tokio::task::yield_now().await;
    }
    Ok(engine)
}

#[cfg(test)]
mod tests {
    use autopilot_events::{Event, pb as facts};

    use super::*;
    use crate::control::tests::stored;

    #[tokio::test]
    async fn the_state_after_any_fact_is_what_the_facts_up_to_it_give_whatever_was_asked_before() {
        let folder = tempfile::tempdir().unwrap();
        let end = 3 * u64::from(PAGE) + 100;
        let events = (1..=end).map(|spendable_msat| {
            Event::from(facts::WalletBalanceObserved {
                spendable_msat,
                ..facts::WalletBalanceObserved::default()
            })
        });
        let (store, all) = stored(folder.path(), events, 1_000).await;
        let (reader, marks) = (store.reader(), Marks::default());
        for sequence in [end, 1, 5_000, 4_999, end - 1, 8_192, 8_193, 2] {
            let engine = engine_at(&reader, &marks, sequence, end).await.unwrap();
            assert_eq!(engine.head().sequence, sequence);
            assert_eq!(engine.state().wallet.figures.spendable_msat, sequence);
            let mut state = State::default();
            all.iter()
                .take(sequence as usize)
                .for_each(|fact| state.apply(fact));
            assert_eq!(engine.state().digests(), state.digests(), "after fact {sequence}");
        }
        assert!(
            !marks.lock().await.is_empty(),
            "going back costs a part of the ledger only"
        );
        store.close().await;
    }
}
