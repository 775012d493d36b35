//! Conversations with the model of this machine.
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum Chat {
    /// Writes to the model. It answers when no paid job waits or runs.
    Send(ChatSend),
    /// Conversations, newest first.
    Threads(ChatPage),
    /// What was said in one.
    Show {
        /// Its id, or a beginning of at least 8 digits.
        thread: String,
        #[command(flatten)]
        page: ChatPage,
    },
    /// Wants no answer any more.
    Stop {
        /// The message's id, or a beginning of at least 8 digits.
        message: String,
    },
}

#[derive(Debug, Args)]
pub struct ChatSend {
    /// What to ask; - reads it from stdin. At most 16 KiB.
    pub text: String,
    /// Goes on with this conversation: its id, or a beginning of at least 8 digits [default: a new one].
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    pub thread: String,
    /// A key of your own: sent again with it, the same text is the same message.
    #[arg(long, value_name = "KEY", default_value = "", hide_default_value = true)]
    pub key: String,
    /// Shows the answer as it comes, and waits for its end.
    #[arg(long, short)]
    pub follow: bool,
    /// Seconds to wait for the end.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400), requires = "follow")]
    pub timeout: u64,
}

#[derive(Clone, Copy, Debug, Args)]
pub struct ChatPage {
    /// How many at most.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub limit: u32,
    /// Only older ones: what the last page named as next.
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
    pub before: u64,
}
