//! The rules for taking jobs.
use autopilot_cli::money::parse_msat;
use clap::{Args, Subcommand, ValueEnum};

use super::ContentChange;

#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Shows the policy and its digest.
    Get,
    /// Changes what is named, leaves the rest.
    Set(Box<PolicyChange>),
    /// Shows a policy that an earlier judgement cites.
    Show {
        /// Its digest, or a beginning of at least 8 digits.
        digest: String,
    },
}

// clap takes no members of a struct that holds another one into its group: each names it.
#[derive(Debug, Args)]
#[group(id = "change", required = true, multiple = true)]
pub struct PolicyChange {
    /// Least price of a job, e.g. 10sat.
    #[arg(long, group = "change", value_name = "AMOUNT", value_parser = parse_msat)]
    pub min_price: Option<u64>,
    /// Request kinds, e.g. 5050.
    #[arg(long, group = "change", value_name = "KIND,…", value_delimiter = ',')]
    pub kinds: Option<Vec<u32>>,
    /// Largest input in bytes.
    #[arg(long, group = "change", value_name = "BYTES")]
    pub max_input_bytes: Option<u64>,
    /// Jobs worked at once.
    #[arg(long, group = "change", value_name = "N")]
    pub max_in_flight: Option<u32>,
    /// Jobs of one buyer in an hour.
    #[arg(long, group = "change", value_name = "N")]
    pub per_buyer_per_hour: Option<u32>,
    /// Jobs of all buyers in an hour.
    #[arg(long, group = "change", value_name = "N")]
    pub global_per_hour: Option<u32>,
    /// Delivered and unpaid jobs of one buyer.
    #[arg(long, group = "change", value_name = "N")]
    pub unpaid_jobs_per_buyer: Option<u32>,
    /// Delivered and unpaid jobs of all buyers.
    #[arg(long, group = "change", value_name = "N")]
    pub unpaid_jobs_total: Option<u32>,
    /// What comes first.
    #[arg(long, group = "change")]
    pub order: Option<Order>,
    /// Jobs that name no provider.
    #[arg(long, group = "change", value_name = "true|false")]
    pub accept_open: Option<bool>,
    /// Jobs that name us.
    #[arg(long, group = "change", value_name = "true|false")]
    pub accept_targeted: Option<bool>,
    /// Longest answer in tokens.
    #[arg(long, group = "change", value_name = "N")]
    pub max_output_tokens: Option<u32>,
    /// How long an invoice can be paid.
    #[arg(long, group = "change", value_name = "SECONDS")]
    pub invoice_expiry_s: Option<u32>,
    /// Whether a request without a bid gets a quote; otherwise it is declined.
    #[arg(long, group = "change", value_name = "true|false")]
    pub quote_without_bid: Option<bool>,
    /// Forgets texts (requests, results, prompts) that are older than so many days; 0: keeps them.
    #[arg(long, group = "change", value_name = "DAYS")]
    pub keep_texts_days: Option<u32>,
    /// What the wallet may hold while its words were never backed up: from there on no job is taken; 0sat: any sum.
    #[arg(long, group = "change", value_name = "AMOUNT", value_parser = parse_msat)]
    pub backup_stop: Option<u64>,
    #[command(flatten)]
    pub content: ContentChange,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Order {
    /// Work, deliver, be paid.
    WorkFirst,
    /// Be paid, work, deliver.
    PayFirst,
}

impl Order {
    pub fn name(self) -> &'static str {
        match self {
            Order::WorkFirst => "work-first",
            Order::PayFirst => "pay-first",
        }
    }
}
