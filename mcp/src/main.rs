//! `autopilot-mcp`: the running host for agents, over the Model Context Protocol on standard input and output. It has no
//! rights of its own: every tool is a command or a view of the HTTP control, and what the host refuses is told as it said it.
mod host;
mod limits;
mod manifest;
mod server;
mod tools;

use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use rmcp::{ServiceExt, transport::stdio};

use limits::Limits;
use server::Server;

/// Autopilot for agents: a running host over the Model Context Protocol, on standard input and output.
#[derive(Debug, Parser)]
#[command(name = "autopilot-mcp", version)]
struct Args {
    /// Home folder of the host [default: the XDG data folder, e.g. ~/.local/share/autopilot]
    #[arg(long, env = "AUTOPILOT_HOME", value_name = "DIR", hide_env_values = true)]
    home: Option<PathBuf>,
    /// Offers paying too; without this an agent can't spend
    #[arg(long, requires = "pay_ceiling_sats")]
    allow_pay: bool,
    /// The most that one payment may cost, routing included
    #[arg(long, value_name = "SATS", requires = "allow_pay", value_parser = clap::value_parser!(u64).range(1..=2_100_000_000_000_000))]
    pay_ceiling_sats: Option<u64>,
    /// The most that all payments until the end of this program may cost [default: the ceiling of one]
    #[arg(long, value_name = "SATS", requires = "allow_pay", value_parser = clap::value_parser!(u64).range(1..=2_100_000_000_000_000))]
    pay_session_sats: Option<u64>,
}

impl Args {
    /// What may be spent; `None`: nothing, and paying is not offered.
    fn limits(&self) -> Option<Limits> {
        let ceiling_sats = self.pay_ceiling_sats.filter(|_| self.allow_pay)?;
        Some(Limits::new(
            ceiling_sats,
            self.pay_session_sats.unwrap_or(ceiling_sats),
        ))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let home = manifest::home(args.home.as_deref()).context(
        "no home folder: neither --home nor AUTOPILOT_HOME is given, and XDG_DATA_HOME and HOME are not set",
    )?;
    let server = Server::new(host::Host::new(home)?, args.limits());
    let running = server
        .serve(stdio())
        .await
        .context("the client did not begin a session")?;
    running.waiting().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn paying_needs_both_words() {
        Args::command().debug_assert();
        let parsed = |words: &[&str]| Args::try_parse_from([&["autopilot-mcp"], words].concat());
        assert!(parsed(&[]).unwrap().limits().is_none());
        assert!(parsed(&["--allow-pay"]).is_err());
        assert!(parsed(&["--pay-ceiling-sats", "5"]).is_err());
        assert!(parsed(&["--allow-pay", "--pay-ceiling-sats", "0"]).is_err());
        assert!(
            parsed(&["--allow-pay", "--pay-ceiling-sats", "5"])
                .unwrap()
                .limits()
                .is_some()
        );
    }
}
