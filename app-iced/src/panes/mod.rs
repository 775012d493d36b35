//! The panes: each a struct with a message, an update and a view of its own. A pane asks its parent for what is not its
//! own business by an [`Action`].
mod demand;
pub mod frame;
mod screen;
mod tones;

use autopilot_host::desk::Pane;
use iced::Task;

pub use screen::{Action, Scene, Screen, Wish};

use crate::design::Element;

/// Ties each pane to its screen, once: a pane without a screen does not compile.
macro_rules! screens {
    ($($pane:ident = $module:ident :: $screen:ident;)*) => {
        $(pub mod $module;)*

        /// What happened in a pane.
        #[derive(Clone, Debug)]
        #[allow(missing_docs)] // One per pane, named like it.
        pub enum Message { $($pane(<$module::$screen as Screen>::Message),)* }

        /// All panes: singletons, whether they are open or not.
        #[derive(Default)]
        pub struct Screens { $($module: $module::$screen,)* }

        impl Screens {
            /// What a pane shows.
            pub fn view<'a>(&'a self, pane: Pane, scene: &Scene<'a>) -> Element<'a, Message> {
                match pane { $(Pane::$pane => self.$module.view(scene).map(Message::$pane),)* }
            }

            /// Something happened in a pane.
            pub fn update(&mut self, message: Message, scene: &Scene<'_>) -> Action<Message> {
                match message { $(Message::$pane(message) => self.$module.update(message, scene).map(Message::$pane),)* }
            }

            /// A pane was opened.
            pub fn opened(&mut self, pane: Pane, scene: &Scene<'_>) -> Action<Message> {
                match pane { $(Pane::$pane => self.$module.opened(scene).map(Message::$pane),)* }
            }

            /// Views changed while a pane was open.
            pub fn news(&mut self, pane: Pane, scene: &Scene<'_>) -> Action<Message> {
                match pane { $(Pane::$pane => self.$module.news(scene).map(Message::$pane),)* }
            }

            /// What can be done in a pane, for the keyboard.
            pub fn actions(&self, pane: Pane, scene: &Scene<'_>) -> Vec<(String, Message)> {
                match pane {
                    $(Pane::$pane => {
                        let actions = self.$module.actions(scene).into_iter();
                        actions.map(|(label, message)| (label, Message::$pane(message))).collect()
                    })*
                }
            }

            /// The field that the keyboard is in when a pane comes to the front.
            pub fn field(pane: Pane) -> Option<&'static str> {
                match pane { $(Pane::$pane => $module::$screen::FIELD,)* }
            }

            /// Views that a pane shows, beside those that are always watched.
            pub fn views(pane: Pane) -> &'static [&'static str] {
                match pane { $(Pane::$pane => $module::$screen::VIEWS,)* }
            }
        }
    };
}

screens! {
    AutopilotChat = autopilot_chat::AutopilotChat;
    GoOnline = go_online::GoOnline;
    ProviderStatus = provider_status::ProviderStatus;
    TailnetStatus = tailnet_status::TailnetStatus;
    JobInbox = job_inbox::JobInbox;
    ActiveJob = active_job::ActiveJob;
    JobHistory = job_history::JobHistory;
    EarningsScoreboard = earnings_scoreboard::EarningsScoreboard;
    Wallet = wallet::Wallet;
    PayInvoice = pay_invoice::PayInvoice;
    CreateInvoice = create_invoice::CreateInvoice;
    IdentityKeys = identity_keys::IdentityKeys;
    RelayConnections = relay_connections::RelayConnections;
    SyncHealth = sync_health::SyncHealth;
    NetworkRequests = network_requests::NetworkRequests;
    StarterJobs = starter_jobs::StarterJobs;
    ActivityFeed = activity_feed::ActivityFeed;
    AlertsRecovery = alerts_recovery::AlertsRecovery;
    Settings = settings::Settings;
}

impl Screens {
    /// Has the history explain a job, whether its pane was open or not.
    pub fn explain(&mut self, job: String, scene: &Scene<'_>) -> Action<Message> {
        self.job_history.explain(job, scene).map(Message::JobHistory)
    }
}

impl<M> From<Task<M>> for Action<M> {
    fn from(task: Task<M>) -> Self {
        Action {
            task,
            ..Action::none()
        }
    }
}
