//! The command line.
pub mod alerts;
mod books;
mod buying;
mod chat;
mod desk;
mod identity;
mod market;
mod policy;
mod statement;
mod wallet;
mod withdraw;

use std::path::PathBuf;

use autopilot_cli::{manual::Shell, money::parse_msat};
use clap::{Args, Parser, Subcommand};

pub use books::{Export, Format, Journal, Log, Price, Report, Span, Worth};
pub use buying::{Buy, BuyMode, BuyModeStart, Terms};
pub use chat::{Chat, ChatPage, ChatSend};
pub use desk::{Pane, Perf};
pub use identity::{Identity, NewPassphrase};
pub use market::{Canary, ContentChange, Forget, Missed, RefusalAction, Refusals};
pub use policy::{Policy, PolicyChange};
pub use statement::{Statement, StatementCreate, StatementVerify};
pub use wallet::{Amount, Wallet};
pub use withdraw::Withdrawal;

use crate::{failure::EXIT_CODES, wait::Condition};

/// Drives and inspects Autopilot: a provider that earns sats by running NIP-90 jobs on a local model.
#[derive(Debug, Parser)]
#[command(name = "autopilotctl", version, after_help = EXIT_CODES, propagate_version = true)]
pub struct Cli {
    /// Home folder of the host [default: the XDG data folder, e.g. ~/.local/share/autopilot].
    #[arg(
        long,
        global = true,
        env = "AUTOPILOT_HOME",
        value_name = "DIR",
        hide_env_values = true
    )]
    pub home: Option<PathBuf>,
    /// Never ask: an answer that is needed is exit code 2, with the option that gives it.
    #[arg(long, global = true, env = "AUTOPILOT_NO_INPUT", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    pub no_input: bool,
    /// Never start a host: a command that needs one fails where none runs.
    #[arg(long, global = true, env = "AUTOPILOT_NO_START", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    pub no_start: bool,
    /// Answer with one JSON document (JSON Lines for tail); docs/CLI.md has the schema.
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Whether this host earns, and if not, why and what to do.
    Status,
    /// Takes part in the market, or stops to.
    #[command(subcommand)]
    Provider(Provider),
    /// What is accepted, at which price.
    #[command(subcommand)]
    Policy(Policy),
    /// Jobs that are not over.
    Jobs,
    /// Gives a job up that has not been delivered.
    Abort {
        /// Job id or market id, or a beginning of at least 8 digits.
        job: String,
    },
    /// All jobs and purchases, newest first.
    History(History),
    /// What was earned: settled payments that are bound to a job.
    Earnings,
    /// What a day or another window brought and cost, by wallet facts: works without a host.
    Report(Report),
    /// The ledger for other programs: CSV, JSON Lines, Koinly, hledger. Works without a host.
    Export(Export),
    /// Shows earnings to others, in a file that they can check with nothing else; or checks such a file.
    #[command(subcommand)]
    Statement(Statement),
    /// How far a job came, and why it is or is not paid.
    Why {
        /// Job id or market id, or a beginning of at least 8 digits.
        job: String,
    },
    /// Requests that were refused, with what was asked; or says that a refusal was wrong.
    Refusals(Refusals),
    /// What was seen and not taken: sums by reason, and the setting that would have taken it.
    Missed(Missed),
    /// Sends money away: shows payee, sum and fee ceiling first, then pays exactly that.
    Withdraw(Withdrawal),
    /// What proves that a payment of ours was made. Works without a host.
    Receipt {
        /// Its payment hash, as `wallet history --json` shows it.
        payment_hash: String,
    },
    /// Balance, payments and channels.
    #[command(subcommand)]
    Wallet(Wallet),
    /// What is owed back to buyers who paid before a delivery that failed.
    Debts,
    /// Pays such a debt back, to an offer (BOLT12) or an invoice (BOLT11).
    Refund(Refund),
    /// What is or was wrong, and what to do.
    #[command(subcommand)]
    Alerts(alerts::Alerts),
    /// Every fact in words, newest first.
    Activity(alerts::Activity),
    /// Forgets texts for good: of one job, one conversation, one buyer, or by age. What happened stays on record.
    Forget(Forget),
    /// State and counts of each relay.
    Relays,
    /// Buys one answer from a provider, and waits for it.
    Buy(Buy),
    /// Stops waiting for an answer that is bought; too late once its payment is approved.
    Cancel {
        /// Purchase id or market id, or a beginning of at least 8 digits.
        purchase: String,
    },
    /// Buys by itself, at a pace and within a budget.
    #[command(subcommand)]
    BuyMode(BuyMode),
    /// Talks with the model of this machine. What is said stays here; paid jobs go first.
    #[command(subcommand)]
    Chat(Chat),
    /// Tries the provider as a stranger would: a tiny job from a throw-away key, through the relays.
    Canary(Canary),
    /// Waits until a condition holds; exit code 6 when the time runs out.
    Wait(Wait),
    /// Models on this machine.
    #[command(subcommand)]
    Model(Model),
    /// Checks everything that earning needs, and says what to do.
    Doctor,
    /// Who this is, and how its secret is kept.
    #[command(subcommand)]
    Identity(Identity),
    /// The ledger itself: works with, without and beside a host, and changes nothing.
    #[command(subcommand)]
    Ledger(Ledger),
    /// Prices of bitcoin, recorded for the books.
    #[command(subcommand)]
    Price(Price),
    /// The panes of the window: open or not, and how each is. Works without a window.
    #[command(subcommand)]
    Pane(Pane),
    /// What the host costs: memory, processor, facts, commits, and the frames of its window.
    Perf(Perf),
    /// Devices of this machine's tailnet.
    Tailnet,
    /// The facts of one run of the host, as its session log has them.
    #[command(visible_alias = "logs")]
    Log(Log),
    /// What relays answered and connections did: bounded, and no evidence.
    Journal(Journal),
    /// Facts as they happen: the same as `ledger tail`.
    Events(Tail),
    /// Ends the host in good order.
    Stop,
    /// Everything that helps to find a fault, in one file without secrets.
    DebugBundle(DebugBundle),
    /// Takes a home folder away, after listing what is there and what would be lost. Refuses while there is money.
    Uninstall(Uninstall),
    /// Writes a completion script, e.g. for ~/.local/share/bash-completion/completions/autopilotctl.
    Completions {
        /// Whose.
        shell: Shell,
    },
    /// Writes the manual page, or with a folder one for each command.
    Man {
        /// Folder for the pages.
        folder: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Provider {
    /// Announces the service and accepts jobs, by the policy.
    Online {
        /// Seconds to wait for what is missing.
        #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=600))]
        wait: u32,
    },
    /// Withdraws the announcement; finishes or fails the job in flight.
    Offline {
        /// Why, for the record.
        #[arg(long, default_value = "")]
        reason: String,
    },
}

#[derive(Debug, Args)]
pub struct History {
    /// Rows of a page.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub limit: u32,
    /// Only rows older than this one: what the last page named as next.
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
    pub before: u64,
    /// provider or buyer.
    #[arg(long, value_parser = ["provider", "buyer"])]
    pub role: Option<String>,
    /// State of work, e.g. delivered.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub work: String,
    /// State of money, e.g. settled.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub money: String,
    /// A kind; or how a job, market id, counterparty, payment hash (6 digits at least) or model begins.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub search: String,
}

/// What spends or deletes asks first, and can be rehearsed.
#[derive(Clone, Copy, Debug, Args)]
pub struct Yes {
    /// Do it without asking.
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Check everything and say what would happen; do nothing.
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct DebugBundle {
    /// The file, which must not be there yet [default: autopilot-debug-<time>.tar.gz here].
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How many of the last facts go along, without texts.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(0..=100_000))]
    pub facts: u64,
}

#[derive(Debug, Args)]
pub struct Uninstall {
    /// Lose what is at stake: the sum that the refusal names, typed in full.
    #[arg(long, value_name = "SUM")]
    pub forfeit: Option<String>,
    /// Takes the cache of downloads and builds away too.
    #[arg(long)]
    pub cache: bool,
    /// Takes the programs beside this one away too.
    #[arg(long)]
    pub programs: bool,
    #[command(flatten)]
    pub yes: Yes,
}

#[derive(Debug, Args)]
pub struct Refund {
    /// Job id or market id, or a beginning of at least 8 digits.
    pub job: String,
    /// A BOLT12 offer (lno1…), or a BOLT11 invoice over what is owed or without an amount.
    pub destination: String,
    /// Most that routing may cost [default: 1 % of the amount, at least 5 sat].
    #[arg(long, value_name = "AMOUNT", value_parser = parse_msat)]
    pub fee_ceiling: Option<u64>,
    /// Seconds to wait for the outcome.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(0..=600))]
    pub wait: u32,
    #[command(flatten)]
    pub yes: Yes,
}

#[derive(Debug, Args)]
pub struct Wait {
    /// What to wait for.
    pub condition: Condition,
    /// The job or purchase that it is about [default: any].
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// Seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
    /// Without an ID: only jobs and purchases that began after this fact.
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
    pub after: u64,
}

#[derive(Debug, Subcommand)]
pub enum Model {
    /// Fetches a model by name, address or path; goes on where an earlier pull stopped.
    Pull {
        /// A known name, an http(s) address, or the path of a GGUF file.
        source: String,
        /// SHA-256 of the file, needed with an address.
        #[arg(long, value_name = "HEX")]
        sha256: Option<String>,
        /// Name in the store.
        #[arg(long)]
        name: Option<String>,
    },
    /// Models on this machine, and those that can be pulled by name.
    List,
    /// Has another one serve: fetched where it is missing, and from the running host's next job on.
    Choose {
        /// A name of the list, or the path of a GGUF file.
        model: String,
    },
    /// Loads the model, so that the first job does not wait for it.
    Warm,
    /// Frees its memory.
    Unload,
    /// What the host serves now.
    Show,
}

#[derive(Debug, Subcommand)]
pub enum Ledger {
    /// Number and chain value of the last fact.
    Head,
    /// Recomputes every hash from the first fact on; exit code 8 when something does not hold.
    Verify,
    /// Has the running host read every fact again, now, and hold what it goes by against it; exit code 8 when something does
    /// not hold.
    Check {
        /// How long to wait for the end; it goes on after that.
        #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(..=600))]
        wait: u32,
    },
    /// Folds every fact anew, and compares with the newest snapshot and the stored rows; exit code 8 when they differ.
    Replay {
        /// The state after this fact instead of the last one.
        #[arg(long, value_name = "SEQUENCE")]
        at: Option<u64>,
        /// Prints the folded state too, not only its digests.
        #[arg(long)]
        state: bool,
    },
    /// The last facts.
    Tail(Tail),
    /// Signed heads: the newest of this ledger, what others hold of it, and those kept of providers. Asks the host.
    Heads,
    /// Signs what the ledger is now, and publishes it to the relays.
    SignHead,
    /// Goes on with this ledger although heads that others hold say otherwise, so that it can earn again.
    OverruleHead(OverruleHead),
}

#[derive(Debug, Args)]
pub struct OverruleHead {
    /// The fact from which on they differ, as `status` names it.
    #[arg(value_name = "FACT", value_parser = clap::value_parser!(u64).range(1..))]
    pub first_different: u64,
    /// Why, for the record.
    #[arg(long, default_value = "")]
    pub reason: String,
    #[command(flatten)]
    pub yes: Yes,
}

#[derive(Debug, Args)]
pub struct Tail {
    /// How many.
    #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = 20)]
    pub lines: u64,
    /// All facts after this one instead.
    #[arg(long, value_name = "SEQUENCE", conflicts_with = "lines")]
    pub after: Option<u64>,
    /// Goes on with new facts as they come.
    #[arg(short, long)]
    pub follow: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
