//! Views as they change, in batches: the window takes them in at its own pace. A lost host is looked for again.
use std::{path::PathBuf, time::Duration};

use autopilot_host::control;
use autopilot_proto::control::v1::{Trouble, WatchRequest, WatchUpdate};
use iced::{
    Subscription,
    futures::{SinkExt, Stream, StreamExt, channel::mpsc},
    stream,
};

use super::{Face, trouble};

/// Updates taken in at once, at most.
const BATCH: usize = 64;
/// How long until a host that does not answer is asked again.
const AGAIN: Duration = Duration::from_millis(300);

/// "Today": its first millisecond and that of the next day.
pub type Day = (i64, i64);

/// What the watch tells.
#[derive(Clone, Debug)]
pub enum News {
    /// Views that changed.
    Updates(Vec<WatchUpdate>),
    /// The host can't be reached, or refuses.
    Lost(Trouble),
}

#[derive(Clone, Hash)]
struct Wish {
    socket: PathBuf,
    views: Vec<&'static str>,
    day: Day,
}

/// Watches views of a host for as long as the window wants them.
pub fn watch(face: &Face, views: Vec<&'static str>, day: Day) -> Subscription<News> {
    let wish = Wish {
        socket: face.socket().to_owned(),
        views,
        day,
    };
    Subscription::run_with(wish, news)
}

fn news(wish: &Wish) -> impl Stream<Item = News> + use<> {
    let wish = wish.clone();
    stream::channel(BATCH, async move |mut told| {
        loop {
            let cause = follow(&wish, &mut told).await;
            if told.send(News::Lost(cause)).await.is_err() {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
    })
}

/// Follows one connection to its end, and says why it ended.
async fn follow(wish: &Wish, told: &mut mpsc::Sender<News>) -> Trouble {
    let request = WatchRequest {
        views: wish.views.iter().map(|view| (*view).to_owned()).collect(),
        day_start_ms: wish.day.0,
        day_end_ms: wish.day.1,
    };
    let updates = match control::client(&wish.socket) {
        Ok(mut client) => client.watch(request).await,
        Err(error) => Err(tonic::Status::unavailable(error.to_string())),
    };
    let updates = match updates {
        Ok(updates) => updates.into_inner(),
        Err(status) => return trouble(&status),
    };
    let mut batches = updates.ready_chunks(BATCH);
    while let Some(batch) = batches.next().await {
        let mut good = Vec::with_capacity(batch.len());
        for update in batch {
            match update {
                Ok(update) => good.push(update),
                Err(status) => return trouble(&status),
            }
        }
        if told.send(News::Updates(good)).await.is_err() {
            break;
        }
    }
    trouble(&tonic::Status::unavailable("the stream ended"))
}
