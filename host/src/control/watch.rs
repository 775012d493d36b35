//! Views as they change: each whole, only where it differs from what was sent, and several changes in a row as one.
use std::time::Duration;

use autopilot_proto::control::v1::{self as pb, watch_update::Answer};
use prost::Message as _;
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{Service, errors};

/// Updates held for a slow reader; the watch itself waits then, and what changed meanwhile becomes one update.
const HELD: usize = 64;
/// Views are looked at this often at most, so that a burst of facts is one change on a screen.
const SETTLE: Duration = Duration::from_millis(100);
/// Wallet and relays tell no event for everything: views are looked at this often at least.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// Ages on a screen may be this old: they alone are no change before.
const AGES_MS: u64 = 15_000;

type Updates = mpsc::Sender<Result<pb::WatchUpdate, Status>>;

/// What is watched, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    Status,
    Earnings,
    Balance,
    Jobs,
    Relays,
    Panes,
    Activity,
    Alerts,
    Provider,
    Inbox,
    Purchases,
    Tailnet,
    Chat,
    Tokens,
}

const VIEWS: [(&str, View); 14] = [
    ("status", View::Status),
    ("earnings", View::Earnings),
    ("balance", View::Balance),
    ("jobs", View::Jobs),
    ("relays", View::Relays),
    ("panes", View::Panes),
    ("activity", View::Activity),
    ("alerts", View::Alerts),
    ("provider", View::Provider),
    ("inbox", View::Inbox),
    ("purchases", View::Purchases),
    ("tailnet", View::Tailnet),
    ("chat", View::Chat),
    ("tokens", View::Tokens),
];

impl View {
    /// Pages of the ledger, which cost more than a look: without a new fact they are what they were.
    fn rests_on_facts_alone(self) -> bool {
        matches!(self, View::Activity | View::Inbox | View::Purchases | View::Chat)
    }
}

/// A view that is watched, and what was sent of it last.
struct Watched {
    name: &'static str,
    view: View,
    sent: Option<Vec<u8>>,
    /// The last fact when it was looked at last.
    looked_at: Option<u64>,
}

/// Names of the views that can be looked at once.
pub(crate) fn view_names() -> impl Iterator<Item = &'static str> {
    let looked_at = VIEWS.iter().filter(|(_, view)| *view != View::Tokens);
    looked_at.map(|(name, _)| *name)
}

impl Service {
    /// A view by its name, with ages in coarse steps, or the trouble with it.
    pub(crate) async fn view_named(&self, name: &str, request: &pb::WatchRequest) -> Result<Answer, Status> {
        let Some((_, view)) = VIEWS.iter().find(|(known, _)| *known == name) else {
            return Err(errors::invalid(format!("there is no view {name:?}")));
        };
        let mut answer = self.view(*view, request).await?;
        coarse(&mut answer);
        Ok(answer)
    }

    pub(super) fn watch_views(
        &self,
        request: pb::WatchRequest,
    ) -> Result<ReceiverStream<Result<pb::WatchUpdate, Status>>, Status> {
        let mut watched = Vec::new();
        for name in &request.views {
            let Some((name, view)) = VIEWS.iter().find(|(known, _)| known == name) else {
                return Err(errors::invalid(format!("there is no view {name:?}")));
            };
            watched.push(Watched {
                name,
                view: *view,
                sent: None,
                looked_at: None,
            });
        }
        let (updates, stream) = mpsc::channel(HELD);
        tokio::spawn(self.clone().watch_until_closed(request, watched, updates));
        Ok(ReceiverStream::new(stream))
    }

    async fn watch_until_closed(
        self,
        request: pb::WatchRequest,
        mut watched: Vec<Watched>,
        updates: Updates,
    ) {
        let _watcher = self.meters.watcher();
        let (mut head, mut desk) = (self.outside.ledger.head(), self.desk.subscribe());
        let mut tokens = self.outside.tokens.subscribe();
        let wants_tokens = watched.iter().any(|watched| watched.view == View::Tokens);
        watched.retain(|watched| watched.view != View::Tokens);
        let mut again = tokio::time::interval(LOOK_AGAIN);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut revision = 0;
        loop {
            let mut told = Vec::new();
            tokio::select! {
                () = updates.closed() => return,
                changed = head.changed() => if changed.is_err() { return },
                changed = desk.changed() => if changed.is_err() { return },
                _ = again.tick() => {}
                token = tokens.recv(), if wants_tokens => {
                    // Pieces that a slow reader missed are no loss: the result itself is recorded.
                    let Ok((job_id, text)) = token else { continue };
                    told.push(("tokens", Answer::Token(pb::Token { job_id, text })));
                }
            }
            if told.is_empty() {
                tokio::time::sleep(SETTLE).await;
                let last = head.borrow_and_update().sequence;
                desk.borrow_and_update();
                for watched in &mut watched {
                    let looked_at = watched.looked_at.replace(last);
                    let same = watched.view.rests_on_facts_alone() && looked_at == Some(last);
                    // Whether the model is at a message is no fact.
                    if same && !(watched.view == View::Chat && self.chat_waits().await) {
                        continue;
                    }
                    let answer = self.view(watched.view, &request).await;
                    let answer = answer.unwrap_or_else(|status| Answer::Trouble(trouble(&status)));
                    let bytes = lasting(&answer).encode_to_vec();
                    if watched.sent.as_ref() != Some(&bytes) {
                        watched.sent = Some(bytes);
                        told.push((watched.name, answer));
                    }
                }
            }
            for (view, answer) in told {
                revision += 1;
                let update = pb::WatchUpdate {
                    revision,
                    view: view.to_owned(),
                    answer: Some(answer),
                };
                if updates.send(Ok(update)).await.is_err() {
                    return;
                }
            }
        }
    }

    async fn view(&self, view: View, request: &pb::WatchRequest) -> Result<Answer, Status> {
        Ok(match view {
            View::Status => Answer::Status(self.answer_status(pb::StatusRequest {}).await?),
            View::Earnings => Answer::Earnings(
                self.answer_earnings(pb::EarningsRequest {
                    day_start_ms: request.day_start_ms,
                    day_end_ms: request.day_end_ms,
                })
                .await?,
            ),
            View::Balance => Answer::Balance(self.answer_balance(pb::BalanceRequest {}).await?),
            View::Jobs => Answer::Jobs(self.answer_jobs(pb::JobsRequest {}).await?),
            View::Relays => Answer::Relays(self.answer_relays(pb::RelaysRequest {}).await?),
            View::Panes => Answer::Panes(self.answer_panes(pb::PanesRequest {}).await?),
            View::Activity => Answer::Activity(self.answer_activity(pb::ActivityRequest::default()).await?),
            View::Alerts => Answer::Alerts(self.answer_alerts(pb::AlertsRequest {}).await?),
            View::Provider => Answer::Provider(
                self.answer_provider(pb::ProviderRequest {
                    day_start_ms: request.day_start_ms,
                    day_end_ms: request.day_end_ms,
                })
                .await?,
            ),
            View::Inbox => Answer::Inbox(self.answer_inbox(pb::InboxRequest::default()).await?),
            View::Purchases => {
                Answer::Purchases(self.answer_purchases(pb::PurchasesRequest::default()).await?)
            }
            View::Tailnet => Answer::Tailnet(self.watched_tailnet()),
            View::Chat => Answer::Chat(
                self.answer_chat_threads(pb::ChatThreadsRequest::default())
                    .await?,
            ),
            View::Tokens => return Err(errors::invalid("tokens are a stream and no view")),
        })
    }
}

/// Ages in coarse steps.
fn coarse(answer: &mut Answer) {
    let step = |age: &mut u64| *age -= *age % AGES_MS;
    match answer {
        Answer::Status(status) => {
            step(&mut status.uptime_ms);
            status.heartbeat_age_ms.iter_mut().for_each(step);
        }
        Answer::Provider(provider) => {
            let ages = [&mut provider.heartbeat_age_ms, &mut provider.canary_age_ms];
            ages.into_iter().flatten().for_each(step);
            [&mut provider.uptime_ms, &mut provider.uptime_today_ms]
                .into_iter()
                .for_each(step);
        }
        _ => {}
    }
}

/// The part of an answer whose change is worth telling: ages in coarse steps, and no basis, which moves with every fact.
fn lasting(answer: &Answer) -> pb::WatchUpdate {
    let mut answer = answer.clone();
    coarse(&mut answer);
    match &mut answer {
        Answer::Status(status) => status.basis = None,
        Answer::Earnings(earnings) => earnings.basis = None,
        Answer::Balance(balance) => balance.basis = None,
        Answer::Jobs(jobs) => jobs.basis = None,
        Answer::Panes(panes) => panes.basis = None,
        Answer::Activity(activity) => activity.basis = None,
        Answer::Alerts(alerts) => alerts.basis = None,
        Answer::Inbox(inbox) => inbox.basis = None,
        Answer::Provider(provider) => provider.basis = None,
        Answer::Purchases(purchases) => purchases.basis = None,
        Answer::Chat(chat) => chat.basis = None,
        Answer::Trouble(_) | Answer::Relays(_) | Answer::Token(_) | Answer::Tailnet(_) => {}
    }
    pb::WatchUpdate {
        answer: Some(answer),
        ..pb::WatchUpdate::default()
    }
}

/// An error in words, for a view that can't be answered; with the usual next step where it names none.
pub(crate) fn trouble(status: &Status) -> pb::Trouble {
    let mut told = errors::told(status);
    if told.next.is_empty() {
        told.next = errors::next_of(&told.code).unwrap_or_default().to_owned();
    }
    told
}
