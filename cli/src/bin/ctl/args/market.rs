//! What is refused, what was missed, and what is bought by itself.
use autopilot_cli::money::parse_msat;
use autopilot_proto::control::v1::Topic;
use clap::{Args, Subcommand};

use super::Yes;

/// The content policy, rule by rule. Words are compared whole, whatever their case.
#[derive(Debug, Args)]
pub struct ContentChange {
    /// Refuses requests that hold this word or phrase; repeatable.
    #[arg(long, group = "change", value_name = "WORD")]
    pub refuse_word: Vec<String>,
    /// Refuses requests that hold one of these words, or whose `t` tag is the name; repeatable.
    #[arg(long, group = "change", value_name = "NAME=WORD,…", value_parser = parse_topic)]
    pub refuse_topic: Vec<Topic>,
    /// Refuses requests of this public key (hexadecimal); repeatable.
    #[arg(long, group = "change", value_name = "KEY")]
    pub refuse_requester: Vec<String>,
    /// Takes a word back; repeatable.
    #[arg(long, group = "change", value_name = "WORD")]
    pub allow_word: Vec<String>,
    /// Takes a topic back; repeatable.
    #[arg(long, group = "change", value_name = "NAME")]
    pub allow_topic: Vec<String>,
    /// Takes a requester back; repeatable.
    #[arg(long, group = "change", value_name = "KEY")]
    pub allow_requester: Vec<String>,
}

fn parse_topic(text: &str) -> Result<Topic, String> {
    let (name, words) = text
        .split_once('=')
        .ok_or_else(|| "write NAME=WORD,WORD, e.g. gambling=casino,roulette".to_owned())?;
    Ok(Topic {
        name: name.trim().to_owned(),
        words: words.split(',').map(|word| word.trim().to_owned()).collect(),
    })
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Refusals {
    #[command(subcommand)]
    pub action: Option<RefusalAction>,
    /// Rows of a page.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub limit: u32,
    /// Only those older than this one: what the last page named as next.
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
    pub before: u64,
    /// Only this reason, e.g. content-policy.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub reason: String,
    /// Only this rule of the content policy, e.g. word:casino.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub rule: String,
}

#[derive(Debug, Subcommand)]
pub enum RefusalAction {
    /// Says that a refusal was wrong (or, with --right, that it was right after all).
    Mark {
        /// Job id or market id, or a beginning of at least 8 digits.
        job: String,
        /// It should have been taken.
        #[arg(long = "false", required_unless_present = "right", conflicts_with = "right")]
        wrong: bool,
        /// It was right to refuse it.
        #[arg(long)]
        right: bool,
        /// Why, for the record.
        #[arg(long, default_value = "", hide_default_value = true)]
        note: String,
    },
}

#[derive(Debug, Args)]
pub struct Missed {
    /// Only from then on: a span (30m, 24h, 7d) or a date (2026-11-20), at most 31 days back [default: everything].
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
}

#[derive(Debug, Args)]
pub struct Canary {
    /// Seconds for the answer to come.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub wait: u32,
    /// Pays the invoice from another home folder on this machine, whose host runs: a wallet can't pay itself.
    #[arg(long, value_name = "DIR")]
    pub pay_with: Option<std::path::PathBuf>,
    /// Most that routing may cost.
    #[arg(long, value_name = "AMOUNT", value_parser = parse_msat, default_value = "5sat", requires = "pay_with")]
    pub fee_ceiling: u64,
    #[command(flatten)]
    pub yes: Yes,
}

/// Whose texts.
#[derive(Debug, Args)]
#[group(id = "whose", required = true, multiple = false, args = ["job", "chat", "buyer", "older_than"])]
pub struct Forget {
    /// A job or purchase: its id or market id, or a beginning of at least 8 digits.
    #[arg(long, value_name = "ID")]
    pub job: Option<String>,
    /// A conversation with the model: its id, or a beginning of at least 8 digits.
    #[arg(long, value_name = "ID")]
    pub chat: Option<String>,
    /// All jobs of this buyer: npub1… or hexadecimal.
    #[arg(long, value_name = "KEY")]
    pub buyer: Option<String>,
    /// Everything older than a span (90d, 24h) or a date (2026-11-20).
    #[arg(long, value_name = "WHEN")]
    pub older_than: Option<String>,
    #[command(flatten)]
    pub yes: Yes,
}
