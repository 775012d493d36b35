//! Buying: one answer, or by itself within a budget.
use autopilot_cli::money::{default_fee_ceiling_msat, parse_msat};
use clap::{Args, Subcommand};

use super::Yes;

/// What holds for each purchase.
#[derive(Debug, Args)]
pub struct Terms {
    /// Most that routing of one payment may cost [default: 1 % of what an answer may cost, at least 5 sat].
    #[arg(long, value_name = "AMOUNT", value_parser = parse_msat)]
    pub fee_ceiling: Option<u64>,
    /// Seconds that a provider has.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub deadline: u32,
    /// Only this provider: public key in hexadecimal.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub provider: String,
    /// Most that is paid before there is a result; 0: nothing.
    #[arg(long, value_name = "AMOUNT", value_parser = parse_msat, default_value = "0sat")]
    pub pay_first_ceiling: u64,
    /// Collects answers for so many seconds and takes the cheapest, the earliest of equal ones; 0: the first one wins.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub window: u32,
    /// Longest answer in tokens; 0: the provider's choice.
    #[arg(long, default_value_t = 0)]
    pub max_tokens: u32,
}

impl Terms {
    /// The ceiling for routing, in msat, where an answer may cost so many msat.
    pub fn fee_ceiling_msat(&self, answer_msat: u64) -> u64 {
        self.fee_ceiling
            .unwrap_or_else(|| default_fee_ceiling_msat(answer_msat))
    }
}

#[derive(Debug, Args)]
pub struct Buy {
    /// What to ask; - reads it from stdin. Each further text is an input of its own.
    #[arg(required = true, num_args = 1..=32, value_name = "TEXT")]
    pub input: Vec<String>,
    /// Most that the answer may cost, e.g. 10sat.
    #[arg(long, value_name = "AMOUNT", value_parser = parse_msat)]
    pub budget: u64,
    /// Request kind.
    #[arg(long, default_value_t = 5050, value_parser = clap::value_parser!(u32).range(5000..=5999))]
    pub kind: u32,
    /// Buys embeddings (kind 5075): one vector per TEXT, as JSON.
    #[arg(long, conflicts_with = "kind")]
    pub embed: bool,
    /// Seals the texts for the provider, which has to be named: relays see neither question nor answer.
    #[arg(long, requires = "provider")]
    pub encrypted: bool,
    /// Where a delivery that fails after its payment is paid back to: a BOLT12 offer, or auto for one of this wallet.
    #[arg(
        long,
        value_name = "auto|OFFER",
        default_value = "",
        hide_default_value = true
    )]
    pub refund_offer: String,
    /// Leaves the bid out of the request, to be quoted a price.
    #[arg(long)]
    pub without_bid: bool,
    /// Answers with the purchase's id at once.
    #[arg(long)]
    pub no_wait: bool,
    #[command(flatten)]
    pub terms: Terms,
    #[command(flatten)]
    pub yes: Yes,
}

#[derive(Debug, Subcommand)]
pub enum BuyMode {
    /// Approves a budget that is spent by itself. It ends with this run of the host at the latest.
    Start(Box<BuyModeStart>),
    /// The kill switch: no further request, and open purchases that are not being paid are closed.
    Stop,
    /// What it did and what is left.
    Status,
}

#[derive(Debug, Args)]
pub struct BuyModeStart {
    /// What to ask each time; - reads it from stdin.
    pub input: String,
    /// Most that everything may cost, routing included, e.g. 1000sat.
    #[arg(long, value_name = "AMOUNT", value_parser = parse_msat)]
    pub budget: u64,
    /// Most that one answer may cost, e.g. 10sat.
    #[arg(long, value_name = "AMOUNT", value_parser = parse_msat)]
    pub per_job: u64,
    /// Seconds from one request to the next, at least.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub pace: u32,
    /// Requests at most [default: as many as the budget covers].
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub count: u32,
    /// Purchases that are open at once.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub at_once: u32,
    /// Seconds that it runs at most.
    #[arg(long = "for", value_name = "SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(u32).range(1..=2_592_000))]
    pub for_s: u32,
    /// Request kind.
    #[arg(long, default_value_t = 5050, value_parser = clap::value_parser!(u32).range(5000..=5999))]
    pub kind: u32,
    #[command(flatten)]
    pub terms: Terms,
    #[command(flatten)]
    pub yes: Yes,
}
