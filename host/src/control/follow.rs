//! Facts after a number, then live. Served from the ledger: nothing overflows and nothing is missed.
use autopilot_proto::control::v1::{FactLine, FollowRequest};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{Service, errors};
use crate::audit::fact_line;

/// Facts read at once, and held for a slow reader.
const PAGE: u32 = 256;

impl Service {
    pub(super) fn follow_facts(&self, request: FollowRequest) -> ReceiverStream<Result<FactLine, Status>> {
        let (lines, stream) = mpsc::channel(PAGE as usize);
        let ledger = self.outside.ledger.clone();
        tokio::spawn(async move {
            let mut head = ledger.head();
            let mut after = request.after;
            let mut left = if request.limit == 0 {
                u64::MAX
            } else {
                u64::from(request.limit)
            };
            while left > 0 {
                head.borrow_and_update();
                let page = PAGE.min(u32::try_from(left).unwrap_or(PAGE));
                let facts = match ledger.reader().facts(after, page).await {
                    Ok(facts) => facts,
                    Err(error) => {
                        let _ = lines.send(Err(errors::read(error))).await;
                        return;
                    }
                };
                let Some(last) = facts.last() else {
                    tokio::select! {
                        changed = head.changed() => if changed.is_err() { return },
                        () = lines.closed() => return,
                    }
                    continue;
                };
                after = last.fact.sequence;
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
