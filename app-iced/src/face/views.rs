//! The newest answer of each view. Nothing here is computed: the host folds, the window shows.
use std::collections::BTreeMap;

use autopilot_proto::control::v1::{
    ActivityReply, AlertsReply, BalanceReply, ChatThreadsReply, EarningsReply, InboxReply, JobsReply,
    PanesReply, ProviderReply, PurchasesReply, RelaysReply, StatusReply, TailnetReply, Trouble, WatchUpdate,
    watch_update::Answer,
};

use super::{News, ways};

/// Bytes of output kept of each running job, the newest.
const TOKENS_BYTES: usize = 16 * 1024;
/// Jobs whose output is kept, the newest.
const TOKENS_JOBS: usize = 4;

/// Whether the host answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Link {
    /// It was never heard.
    #[default]
    Starting,
    /// It was heard, and nothing said otherwise since.
    Up,
    /// It was heard, and is gone.
    Lost(Trouble),
}

/// A view as it is known: its newest answer, and what stands against a newer one.
#[derive(Clone, Debug)]
pub struct Shown<T> {
    /// The newest answer.
    pub value: Option<T>,
    /// Why it can't be answered now.
    pub trouble: Option<Trouble>,
}

impl<T> Default for Shown<T> {
    fn default() -> Self {
        Shown {
            value: None,
            trouble: None,
        }
    }
}

impl<T> Shown<T> {
    fn answered(&mut self, value: T) {
        *self = Shown {
            value: Some(value),
            trouble: None,
        };
    }
}

/// Declares each view that is kept whole, once: its name, its answer and that answer's type.
macro_rules! views {
    ($($view:ident: $answer:ident($reply:ty);)*) => {
        /// All views that are watched.
        #[derive(Clone, Debug, Default)]
        pub struct Views {
            /// Whether the host answers.
            pub link: Link,
            $(
                #[doc = concat!("`", stringify!($view), "`.")]
                pub $view: Shown<$reply>,
            )*
            /// `tokens`: the end of what each running job or message has put out.
            pub tokens: BTreeMap<String, String>,
        }

        impl Views {
            fn answered(&mut self, answer: Answer) {
                match answer {
                    $(Answer::$answer(value) => self.$view.answered(value),)*
                    Answer::Token(token) => self.token(token.job_id, &token.text),
                    // It names its view beside itself.
                    Answer::Trouble(_) => {}
                }
            }

            fn troubled(&mut self, view: &str, trouble: Trouble) {
                match view {
                    $(stringify!($view) => self.$view.trouble = Some(trouble),)*
                    _ => {}
                }
            }
        }
    };
}

views! {
    status: Status(StatusReply);
    earnings: Earnings(EarningsReply);
    balance: Balance(BalanceReply);
    jobs: Jobs(JobsReply);
    relays: Relays(RelaysReply);
    panes: Panes(PanesReply);
    activity: Activity(ActivityReply);
    alerts: Alerts(AlertsReply);
    inbox: Inbox(InboxReply);
    provider: Provider(ProviderReply);
    purchases: Purchases(PurchasesReply);
    tailnet: Tailnet(TailnetReply);
    chat: Chat(ChatThreadsReply);
}

impl Views {
    /// Takes news in.
    pub fn take(&mut self, news: News) {
        match news {
            News::Updates(updates) => {
                self.link = Link::Up;
                updates.into_iter().for_each(|update| self.update(update));
            }
            News::Lost(trouble) if self.link == Link::Starting => drop(trouble),
            News::Lost(trouble) => {
                self.link = Link::Lost(trouble);
                // A host that comes back counts anew.
                self.panes = Shown::default();
            }
        }
    }

    /// Number of the newest fact that the feed shows: any view may have moved with it.
    pub fn newest_fact(&self) -> u64 {
        let lines = self.activity.value.iter().flat_map(|feed| &feed.lines);
        lines.map(|line| line.sequence).max().unwrap_or(0)
    }

    fn update(&mut self, mut update: WatchUpdate) {
        update.answer.iter_mut().for_each(ways::answer_here);
        match update.answer {
            Some(Answer::Trouble(trouble)) => self.troubled(&update.view, trouble),
            Some(Answer::Panes(panes)) => self.newer_panes(panes),
            Some(Answer::Status(status)) => self.newer_status(status),
            Some(answer) => {
                let jobs = matches!(answer, Answer::Jobs(_));
                self.answered(answer);
                if jobs {
                    self.forget_output();
                }
            }
            None => {}
        }
    }

    /// Answers and updates overtake each other: the layout that was changed last stands.
    pub fn newer_panes(&mut self, mut panes: PanesReply) {
        let known = self.panes.value.as_ref().map_or(0, |panes| panes.revision);
        if panes.revision >= known {
            ways::panes_here(&mut panes);
            self.panes.answered(panes);
        }
    }

    /// How the host is by now.
    pub fn newer_status(&mut self, mut status: StatusReply) {
        ways::status_here(&mut status);
        self.status.answered(status);
    }

    /// Output of jobs that are open no more is of no use. Messages that the model answers are no jobs.
    fn forget_output(&mut self) {
        let chats = self.chat.value.as_ref().is_some_and(|chat| chat.waiting > 0);
        if let Some(jobs) = self.jobs.value.as_ref().filter(|_| !chats) {
            self.tokens
                .retain(|job, _| jobs.jobs.iter().any(|open| &open.job_id == job));
        }
    }

    fn token(&mut self, job_id: String, text: &str) {
        let output = self.tokens.entry(job_id).or_default();
        if text.is_empty() {
            output.clear(); // The model begins anew.
        }
        output.push_str(text);
        if output.len() > TOKENS_BYTES {
            let mut cut = output.len() - TOKENS_BYTES / 2;
            while !output.is_char_boundary(cut) {
                cut += 1;
            }
            output.drain(..cut);
        }
        while self.tokens.len() > TOKENS_JOBS {
            self.tokens.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use autopilot_proto::control::v1::Token;

    use super::*;

    fn update(view: &str, answer: Answer) -> News {
        News::Updates(vec![WatchUpdate {
            revision: 1,
            view: view.to_owned(),
            answer: Some(answer),
        }])
    }

    #[test]
    fn trouble_keeps_the_last_answer_and_the_next_answer_ends_the_trouble() {
        let mut views = Views::default();
        views.take(News::Lost(Trouble::default()));
        assert_eq!(views.link, Link::Starting, "it has not started yet");
        views.take(update("balance", Answer::Balance(BalanceReply::default())));
        views.take(update("balance", Answer::Trouble(Trouble::default())));
        assert!(views.balance.value.is_some() && views.balance.trouble.is_some());
        views.take(update("balance", Answer::Balance(BalanceReply::default())));
        assert!(views.balance.trouble.is_none());
        views.take(News::Lost(Trouble::default()));
        assert!(matches!(views.link, Link::Lost(_)));
    }

    #[test]
    fn output_is_bounded_however_long_a_job_talks() {
        let mut views = Views::default();
        for _ in 0..10_000 {
            let token = Token {
                job_id: "a".into(),
                text: "né".into(),
            };
            views.take(update("tokens", Answer::Token(token)));
        }
        assert!(views.tokens["a"].len() <= TOKENS_BYTES);
        for job in 0..10 {
            let token = Token {
                job_id: job.to_string(),
                text: "x".into(),
            };
            views.take(update("tokens", Answer::Token(token)));
        }
        assert_eq!(views.tokens.len(), TOKENS_JOBS);
    }
}
