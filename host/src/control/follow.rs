//! Facts after a number, then live. Served from the ledger: nothing overflows and nothing is missed.
use autopilot_events::{Head, Recorded};
use autopilot_proto::control::v1::{FactLine, FollowRequest};
use autopilot_store_sqlite::ReadError;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{Service, errors};
use crate::{audit::fact_line, ledger::Ledger};

/// Facts read at once, and held for a slow reader.
pub(crate) const PAGE: u32 = 256;

/// A reader of the ledger that goes on where it was. It holds a place and no facts: who reads slowly slows nobody else.
pub(crate) struct Follower {
    ledger: Ledger,
    head: watch::Receiver<Head>,
    after: u64,
}

impl Follower {
    /// Begins with the fact after `after`.
    pub(crate) fn new(ledger: &Ledger, after: u64) -> Follower {
        Follower {
            ledger: ledger.clone(),
            head: ledger.head(),
            after,
        }
    }

    /// The next facts, at most `limit`, once there is one; none once the ledger has stopped. Can be given up while it waits.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) async fn next(&mut self, limit: u32) -> Result<Vec<Recorded>, ReadError> {
        loop {
            self.head.borrow_and_update();
            let facts = self.ledger.reader().facts(self.after, limit).await?;
            if let Some(last) = facts.last() {
                self.after = last.fact.sequence;
                return Ok(facts);
            }
            if self.head.changed().await.is_err() {
                return Ok(Vec::new());
            }
        }
    }
}

impl Service {
    pub(super) fn follow_facts(&self, request: FollowRequest) -> ReceiverStream<Result<FactLine, Status>> {
        let (lines, stream) = mpsc::channel(PAGE as usize);
        let mut follower = Follower::new(&self.outside.ledger, request.after);
        tokio::spawn(async move {
            let mut left = match request.limit {
                0 => u64::MAX,
                limit => u64::from(limit),
            };
            while left > 0 {
                let page = PAGE.min(u32::try_from(left).unwrap_or(PAGE));
                let facts = tokio::select! {
                    facts = follower.next(page) => facts,
                    () = lines.closed() => return,
                };
                let facts = match facts {
                    Ok(facts) if facts.is_empty() => return,
                    Ok(facts) => facts,
                    Err(error) => {
                        let _ = lines.send(Err(errors::read(error))).await;
                        return;
                    }
                };
                for fact in &facts {
                    if lines.send(Ok(fact_line(fact))).await.is_err() {
                        return;
                    }
                    left -= 1;
                }
            }
        });
        ReceiverStream::new(stream)
    }
}
