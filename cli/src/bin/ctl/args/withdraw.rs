//! The command line of withdrawals.
use autopilot_cli::money::parse_msat;
use clap::Args;

use super::{Yes, wallet::Amount};

/// Where to, how much, at what cost.
#[derive(Debug, Args)]
pub struct Withdrawal {
    /// An invoice, an offer, a bitcoin: or lightning: link, an LNURL, a name (user@domain), or an on-chain address.
    #[arg(value_name = "DEST")]
    pub destination: String,
    #[command(flatten)]
    pub amount: Amount,
    /// Everything that can leave, with the fee set aside; what stays is explained.
    #[arg(long, conflicts_with_all = ["amount", "sats"])]
    pub all: bool,
    /// Most that routing may cost [default: 1 % of the amount, at least 5 sat].
    #[arg(long, value_name = "AMOUNT", value_parser = parse_msat)]
    pub fee_ceiling: Option<u64>,
    /// Words for the payee, where an LNURL server takes them.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub comment: String,
    /// Seconds to wait for the outcome.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(0..=600))]
    pub wait: u32,
    #[command(flatten)]
    pub yes: Yes,
}
