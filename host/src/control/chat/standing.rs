//! How far messages are that have no outcome: which one the model has, and what the others wait for.
use autopilot_core::chat;
use autopilot_events::words::MessageId;
use tonic::Status;

use super::super::Service;

/// A look at what waits.
pub(super) struct Standing {
    /// Messages without an outcome, the oldest first, each with the fact that asks.
    waiting: Vec<(u64, MessageId)>,
    /// Paid work that goes first.
    jobs: usize,
    /// The model that would answer, where it is ready.
    pub model: Option<String>,
    /// Why there is none, in words; none where it is ready or being loaded.
    problem: Option<String>,
}

impl Standing {
    pub(super) fn waiting(&self) -> u32 {
        u32::try_from(self.waiting.len()).unwrap_or(u32::MAX)
    }

    /// The message that the model has.
    pub(super) fn running(&self) -> Option<MessageId> {
        let free = self.jobs == 0 && self.problem.is_none();
        self.waiting.first().filter(|_| free).map(|(_, message)| *message)
    }

    /// Why the oldest waits; empty where none does.
    pub(super) fn because(&self) -> String {
        match (self.waiting.is_empty(), &self.problem, self.jobs) {
            (true, ..) => String::new(),
            (false, Some(problem), _) => problem.clone(),
            (false, None, 0) => String::new(),
            (false, None, 1) => "a paid job goes first".to_owned(),
            (false, None, jobs) => format!("{jobs} paid jobs go first"),
        }
    }

    /// State and words of the message that this fact asks: `queued` or `running`.
    pub(super) fn state_at(&self, sequence: u64) -> (&'static str, String) {
        let ahead = self.waiting.iter().take_while(|(asked, _)| *asked < sequence);
        match (ahead.count(), self.running()) {
            (0, Some(_)) if self.model.is_none() => ("running", "the model is being loaded".to_owned()),
            (0, Some(_)) => ("running", String::new()),
            (0, None) => ("queued", self.because()),
            (1, _) => ("queued", "one message goes first".to_owned()),
            (ahead, _) => ("queued", format!("{ahead} messages go first")),
        }
    }
}

impl Service {
    pub(super) async fn chat_standing(&self) -> Result<Standing, Status> {
        let (waiting, jobs) = self
            .look(|engine| {
                let state = engine.state();
                let waiting = state.chat.waiting();
                let waiting: Vec<_> = waiting.map(|(asked, waits)| (asked, waits.message)).collect();
                let held_up = chat::due(state).is_none() && !waiting.is_empty();
                (waiting, if held_up { state.jobs.in_flight().max(1) } else { 0 })
            })
            .await?;
        let (model, problem) = match &self.outside.model {
            None => (
                None,
                Some("no model is chosen: choose one in Settings, or `autopilotctl model pull`".to_owned()),
            ),
            Some(model) => {
                let health = model.health().await;
                let problem = health.words();
                (health.model.map(|model| model.name), problem)
            }
        };
        Ok(Standing {
            waiting,
            jobs,
            problem: problem.filter(|_| model.is_none()),
            model,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(jobs: usize, problem: Option<&str>, expected: [(&str, &str); 3]) {
        let standing = Standing {
            waiting: vec![
                (5, MessageId([1; 32])),
                (7, MessageId([2; 32])),
                (9, MessageId([3; 32])),
            ],
            jobs,
            model: problem.is_none().then(|| "llama".to_owned()),
            problem: problem.map(str::to_owned),
        };
        let found = [5, 7, 9].map(|sequence| standing.state_at(sequence));
        let found = found.each_ref().map(|(state, words)| (*state, words.as_str()));
        assert_eq!(found, expected);
    }

    #[test]
    fn one_message_runs_and_the_others_know_what_they_wait_for() {
        let behind = [
            ("queued", "one message goes first"),
            ("queued", "2 messages go first"),
        ];
        check(0, None, [("running", ""), behind[0], behind[1]]);
        check(
            2,
            None,
            [("queued", "2 paid jobs go first"), behind[0], behind[1]],
        );
        check(
            0,
            Some("the file is gone"),
            [("queued", "the file is gone"), behind[0], behind[1]],
        );
    }
}
