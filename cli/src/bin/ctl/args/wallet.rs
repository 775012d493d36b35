//! The command line of the wallet.
use autopilot_cli::money::parse_msat;
use clap::{Args, Subcommand};

use super::{Yes, withdraw::Withdrawal};

/// A sum: AMOUNT with its unit, or --sats.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct Amount {
    /// A sum with its unit: 10sat, 5000msat.
    #[arg(value_name = "AMOUNT", value_parser = parse_msat)]
    pub amount: Option<u64>,
    /// The same in whole satoshi.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=2_100_000_000_000_000))]
    pub sats: Option<u64>,
}

impl Amount {
    pub fn msat(&self) -> Option<u64> {
        // The range of --sats leaves room for the factor.
        self.amount.or(self.sats.map(|sats| sats * 1_000))
    }
}

#[derive(Debug, Subcommand)]
pub enum Wallet {
    /// Earned, spendable, reserved, receivable, closing: figures of their own.
    Balance,
    /// An invoice (BOLT11) or an offer (BOLT12) to be paid by others.
    Receive {
        #[command(flatten)]
        amount: Amount,
        /// Words on the invoice.
        #[arg(long, default_value = "", hide_default_value = true)]
        description: String,
        /// Seconds until it expires.
        #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u32).range(1..=604_800))]
        expiry: u32,
        /// A BOLT12 offer instead of an invoice; without an amount the payer chooses.
        #[arg(long)]
        offer: bool,
        /// The same key gives the same invoice again.
        #[arg(long, default_value = "", hide_default_value = true)]
        key: String,
    },
    /// Pays: the same as `autopilotctl withdraw`.
    Pay(Withdrawal),
    /// Payments as the wallet has them, oldest change first.
    History {
        /// Payments of a page.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
        /// Where the last page said to go on.
        #[arg(long, default_value = "", hide_default_value = true)]
        page: String,
    },
    /// Whether a payment of this sum would arrive now, and if not, why.
    CanReceive {
        #[command(flatten)]
        amount: Amount,
    },
    /// A fresh on-chain address to deposit to. Deposits are not earnings.
    Address,
    /// Sends on chain.
    SendOnchain {
        /// Where to.
        address: String,
        #[command(flatten)]
        amount: Amount,
        /// Everything, fees included.
        #[arg(long, conflicts_with_all = ["amount", "sats"])]
        all: bool,
        /// Seconds to wait for the wallet to hand the transaction out.
        #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(0..=600))]
        wait: u32,
        #[command(flatten)]
        yes: Yes,
    },
    /// Opens a channel with on-chain funds.
    OpenChannel {
        /// Public key of the peer.
        node_id: String,
        /// Its host:port.
        address: String,
        /// Capacity, e.g. 100000sat.
        #[arg(long, value_name = "AMOUNT", value_parser = parse_msat)]
        capacity: u64,
        /// Given to the peer at once.
        #[arg(long, value_name = "AMOUNT", value_parser = parse_msat, default_value = "0sat")]
        push: u64,
        #[command(flatten)]
        yes: Yes,
    },
    /// Closes a channel; the sats go on chain.
    CloseChannel {
        /// Its id, as `wallet balance` shows it.
        channel_id: String,
        /// Without the peer: slower, and dearer.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        yes: Yes,
    },
}
