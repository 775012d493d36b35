//! A model on its way: how far, how fast, how long still. Dropping it stops it; what came is kept, and the next fetch
//! goes on from there.
use std::{
    ops::ControlFlow,
    path::PathBuf,
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinHandle};

use crate::models::{self, Progress, PullOptions, Source, StoreError, StoredModel};

/// Told this often at most.
const TELL: Duration = Duration::from_millis(200);
/// The rate is one of the last seconds.
const WINDOW: Duration = Duration::from_secs(5);

/// How a fetch ended without a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What happened, and what can be done.
    pub sentence: String,
    /// Whether trying again goes on from what came.
    pub resumable: bool,
}

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Bytes that are there, those of an earlier fetch included.
    pub have_bytes: u64,
    /// Bytes of the whole file, once known.
    pub total_bytes: Option<u64>,
    /// Bytes a second, of the last seconds; 0 before that is known.
    pub bytes_per_s: u64,
    /// The file, at the end; or why there is none.
    pub ended: Option<Result<PathBuf, Problem>>,
}

impl Fetched {
    /// Seconds still to go, where that can be said.
    pub fn left_s(&self) -> Option<u64> {
        let left = self.total_bytes?.saturating_sub(self.have_bytes);
        left.checked_div(self.bytes_per_s)
    }
}

/// A fetch that is under way for as long as this is held.
#[derive(Debug)]
pub struct Fetch {
    told: watch::Receiver<Fetched>,
    task: JoinHandle<()>,
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fetch {
    /// Begins to fetch into the store of a home, under a name other than the source's own where one is given. Needs a
    /// tokio runtime.
    pub fn begin(home: PathBuf, source: Source, name: Option<String>) -> Fetch {
        let (tell, told) = watch::channel(Fetched::default());
        let task = tokio::spawn(async move {
            let mut pace = Pace::default();
            let options = PullOptions {
                name,
                ..PullOptions::default()
            };
            let pulled = models::pull(&home, &source, &options, |progress| {
                if let Some(rate) = pace.at(Instant::now(), progress.have_bytes) {
                    tell.send_modify(|fetched| look(fetched, progress, rate));
                }
                match tell.is_closed() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            });
            let ended = pulled.await;
            tell.send_modify(|fetched| end(fetched, ended));
        });
        Fetch { told, task }
    }

    /// Told as it goes, and once at the end.
    pub fn watch(&self) -> watch::Receiver<Fetched> {
        self.told.clone()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// [`Problem`].
    pub async fn done(&mut self) -> Result<PathBuf, Problem> {
        let ended = self.told.wait_for(|fetched| fetched.ended.is_some()).await;
        let ended = ended.ok().and_then(|fetched| fetched.ended.clone());
        ended.unwrap_or_else(|| {
            Err(Problem {
                sentence: "the fetch was stopped".to_owned(),
                resumable: true,
            })
        })
    }
}

fn look(fetched: &mut Fetched, progress: Progress, rate: u64) {
    fetched.have_bytes = progress.have_bytes;
    fetched.total_bytes = progress.total_bytes.or(fetched.total_bytes);
    fetched.bytes_per_s = rate;
}

fn end(fetched: &mut Fetched, ended: Result<StoredModel, StoreError>) {
    fetched.ended = Some(match ended {
        Ok(model) => {
            (fetched.have_bytes, fetched.total_bytes) = (model.bytes, Some(model.bytes));
            Ok(model.path)
        }
        Err(error) => Err(Problem {
            resumable: matches!(
                error,
                StoreError::Cut { .. }
                    | StoreError::Stopped
                    | StoreError::NoSpace { .. }
                    | StoreError::Refused { .. }
            ),
            sentence: error.to_string(),
        }),
    });
}

/// Bytes over the last seconds.
#[derive(Default)]
struct Pace {
    seen: Vec<(Instant, u64)>,
    told: Option<Instant>,
}

impl Pace {
    /// Takes a figure in; the rate, when it is time to tell.
    fn at(&mut self, now: Instant, bytes: u64) -> Option<u64> {
        if self.told.is_some_and(|told| now.duration_since(told) < TELL) {
            return None;
        }
        self.told = Some(now);
        self.seen.push((now, bytes));
        // The first within the window is what the rate is measured from.
        let keep = self
            .seen
            .iter()
            .position(|(at, _)| now.duration_since(*at) <= WINDOW);
        self.seen.drain(..keep.unwrap_or(0));
        let (since, from) = self.seen.first().copied()?;
        let ms = u64::try_from(now.duration_since(since).as_millis()).unwrap_or(u64::MAX);
        Some(
            bytes
                .saturating_sub(from)
                .saturating_mul(1_000)
                .checked_div(ms)
                .unwrap_or(0),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_one_of_the_last_seconds_and_told_in_steps() {
        let (start, mut pace) = (Instant::now(), Pace::default());
        let at = |ms: u64| start + Duration::from_millis(ms);
        // What an earlier fetch left is not speed.
        assert_eq!(pace.at(at(0), 5_000_000), Some(0));
        assert_eq!(pace.at(at(50), 5_100_000), None);
        assert_eq!(pace.at(at(1_000), 6_000_000), Some(1_000_000));
        assert_eq!(pace.at(at(20_000), 6_000_000), Some(0), "it stands still");
        let fetched = Fetched {
            have_bytes: 10,
            total_bytes: Some(110),
            bytes_per_s: 20,
            ended: None,
        };
        assert_eq!(fetched.left_s(), Some(5));
        assert_eq!(Fetched::default().left_s(), None);
    }
}
