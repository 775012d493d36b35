//! The model that is to serve and is not here yet: fetched while the host runs, gone on with at its next start, and
//! served once it is whole.
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use crate::{
    config::{Missing, Model},
    home::Home,
    outside::Outside,
    run::{model_file, warm},
    serving::Serving,
    setup::{Fetch, Fetched},
    treasury,
};

/// A fetch that was cut is gone on with after this.
const AGAIN: Duration = Duration::from_secs(30);

/// What is fetched now, for whoever asks how far it is.
#[derive(Clone, Default)]
pub struct Fetching(Arc<Mutex<Option<Underway>>>);

struct Underway {
    name: String,
    fetch: Fetch,
}

impl Fetching {
    /// Fetches this instead of what was fetched before; what came of that is kept.
    fn begin(&self, home: PathBuf, missing: Missing) -> watch::Receiver<Fetched> {
        let fetch = Fetch::begin(home, missing.source, Some(missing.name.clone()));
        let told = fetch.watch();
        *self.held() = Some(Underway {
            name: missing.name,
            fetch,
        });
        told
    }

    /// Stops; what came is kept.
    pub fn stop(&self) {
        *self.held() = None;
    }

    /// The model's name and how far it is; none where nothing is fetched.
    pub fn now(&self) -> Option<(String, Fetched)> {
        let held = self.held();
        let underway = held.as_ref()?;
        let fetched = underway.fetch.watch().borrow().clone();
        Some((underway.name.clone(), fetched))
    }

    /// The same in words, for who waits for a model.
    pub fn words(&self) -> Option<String> {
        let (name, fetched) = self.now()?;
        Some(match (fetched.ended, fetched.total_bytes) {
            (Some(Err(problem)), _) => format!("the model {name} could not be fetched: {}", problem.sentence),
            (_, Some(total)) if total > 0 => {
                let percent = u128::from(fetched.have_bytes) * 100 / u128::from(total);
                format!("the model {name} is being fetched: {percent} % are here")
            }
            _ => format!("the model {name} is being fetched"),
        })
    }

    /// Plain values, whole at every step: a panic elsewhere does not spoil them.
    fn held(&self) -> MutexGuard<'_, Option<Underway>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fetches a model where it is missing, has it served, and makes it ready. Another call's model takes its place.
pub async fn supply(outside: Outside, home: Home, model: Model) {
    while let Some(missing) = model.missing(home.path()) {
        let mut told = outside.fetching.begin(home.path().to_owned(), missing);
        let ended = told.wait_for(|fetched| fetched.ended.is_some()).await;
        // An end without a word: something else is fetched now, or the host stops.
        let Ok(Some(ended)) = ended.map(|fetched| fetched.ended.clone()) else {
            return;
        };
        drop(told);
        match ended {
            Ok(_) => outside.fetching.stop(),
            Err(problem) => {
                tracing::warn!(problem = problem.sentence, "the model is not fetched");
                let _ = treasury::observe(&outside).await;
                if !problem.resumable {
                    return;
                }
                tokio::time::sleep(AGAIN).await;
                if outside
                    .fetching
                    .now()
                    .is_none_or(|(_, fetched)| fetched.ended.is_none())
                {
                    return;
                }
            }
        }
    }
    let (Some(Serving::Worker(worker)), Some(file)) = (&outside.model, model_file(&model)) else {
        return;
    };
    worker.serve(file).await;
    warm(outside.clone(), Serving::Worker(worker.clone())).await;
}
