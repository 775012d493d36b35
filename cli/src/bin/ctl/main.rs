//! `autopilotctl`: drives and inspects a running host over `control/v1`, and reads its ledger without one.
//! stdout is data, stderr is words, the exit code is the kind of failure. docs/CLI.md is the reference.
mod alerts;
mod args;
mod books;
mod bundle;
mod buy;
mod buy_mode;
mod canary;
mod channels;
mod chat;
mod confirm;
mod connect;
mod debts;
mod desk;
mod doctor;
mod failure;
mod forget;
mod heads;
mod identity;
mod jobs;
mod ledger;
mod logs;
mod missed;
mod model;
mod output;
mod policy;
mod progress;
mod receipt;
mod start;
mod statement;
mod status;
mod suggest;
mod uninstall;
mod wait;
mod wallet;
mod whole;
mod withdraw;

use std::{path::PathBuf, process::ExitCode};

use autopilot_cli::manual;
use autopilot_proto::control::v1 as control;
use clap::{CommandFactory, Parser};

use crate::{
    args::{Cli, Command, Ledger},
    connect::{call, connect},
    failure::{Failure, Kind, Outcome},
    output::{Out, say},
    start::Way,
};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    let out = Out::new(cli.json, cli.no_input);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return report(&Failure::new(Kind::Other, "internal", error.to_string()), out),
    };
    let outcome = runtime.block_on(run(cli, out));
    // A model file that is being copied, or a blocked read of stdin, must not hold the exit up.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure, out),
    }
}

/// clap's own words (with "did you mean"), or the same as JSON where JSON was asked for.
fn misused(error: &clap::Error) -> ExitCode {
    let help = !error.use_stderr();
    let json = std::env::args_os().any(|argument| argument == "--json");
    if help || !json {
        // Nobody is left to tell when the stream is gone.
        let _ = error.print();
        return ExitCode::from(if help { 0 } else { Kind::Usage as u8 });
    }
    let text = error.to_string();
    let message = text
        .split("\n\nUsage:")
        .next()
        .unwrap_or(&text)
        .trim_start_matches("error: ");
    let failure = Failure::usage(message.trim()).next("autopilotctl --help");
    report(&failure, Out::new(true, true))
}

fn report(failure: &Failure, out: Out) -> ExitCode {
    match (failure.kind, out.json) {
        (Kind::PipeClosed, _) => {}
        (_, true) => say(&failure.to_json()),
        (_, false) => {
            say(&format!("error: {}", output::clean(&failure.message)));
            if let Some(next) = &failure.next {
                say(&format!("next:  {next}"));
            }
        }
    }
    ExitCode::from(failure.exit_code())
}

fn home_of(cli: &Cli) -> Outcome<PathBuf> {
    autopilot_cli::home::resolve(cli.home.as_deref())
        .map_err(|error| Failure::usage(error.to_string()).next("name a home folder with --home"))
}

/// What is made of the command line alone.
fn describe(command: &Command, out: Out) -> Option<Outcome> {
    let mut text = Vec::new();
    let written = match command {
        Command::Completions { shell } => manual::completions(Cli::command(), *shell, &mut text),
        Command::Man { folder: None } => manual::page(Cli::command(), &mut text),
        Command::Man { folder: Some(folder) } => manual::pages(Cli::command(), folder).map(|pages| {
            text = pages
                .iter()
                .map(|page| format!("{}\n", page.display()))
                .collect::<String>()
                .into();
        }),
        _ => return None,
    };
    Some(match written {
        Ok(()) => out.line(&String::from_utf8_lossy(&text)),
        Err(error) => Err(Failure::new(
            Kind::Other,
            "output",
            format!("it can't be written: {error}"),
        )),
    })
}

async fn run(cli: Cli, out: Out) -> Outcome {
    if let Some(done) = describe(&cli.command, out) {
        return done;
    }
    let home = home_of(&cli)?;
    let way = Way::new(&home, !cli.no_start);
    match cli.command {
        Command::Status => status::status(&mut way.host().await?, out).await,
        Command::Provider(action) => status::provider(&mut way.host().await?, out, action).await,
        Command::Policy(action) => policy::policy(&mut way.host().await?, out, action).await,
        Command::Jobs => jobs::jobs(&mut way.host().await?, out).await,
        Command::Abort { job } => {
            let mut client = way.host().await?;
            let done = jobs::abort(&mut client, out, job.clone()).await;
            suggest::job(&mut client, "abort", &job, done).await
        }
        Command::History(query) => jobs::history(&mut way.host().await?, out, query).await,
        Command::Earnings => jobs::earnings(&mut way.host().await?, out).await,
        Command::Price(action) => books::price(&way, out, action).await,
        Command::Log(asked) => logs::log(&home, out, asked).await,
        Command::Journal(asked) => logs::journal(&home, out, asked).await,
        Command::Report(asked) => books::report(&home, out, asked).await,
        Command::Export(asked) => books::export(&home, out, asked).await,
        Command::Statement(action) => statement::statement(&home, out, action).await,
        Command::Why { job } => {
            let mut client = way.host().await?;
            let done = jobs::why(&mut client, out, job.clone()).await;
            suggest::job(&mut client, "why", &job, done).await
        }
        Command::Refusals(query) => missed::refusals(&mut way.host().await?, out, query).await,
        Command::Missed(query) => missed::missed(&mut way.host().await?, out, query).await,
        Command::Withdraw(wish) => withdraw::withdraw(&mut way.host().await?, out, wish).await,
        Command::Receipt { payment_hash } => receipt::receipt(&home, out, &payment_hash).await,
        Command::Wallet(action) => wallet::wallet(&mut way.host().await?, out, action).await,
        Command::Debts => debts::debts(&mut way.host().await?, out).await,
        Command::Refund(order) => debts::refund(&mut way.host().await?, out, order).await,
        Command::Alerts(action) => alerts::alerts(&mut way.host().await?, out, action).await,
        Command::Activity(asked) => alerts::activity(&mut way.host().await?, out, asked).await,
        Command::Forget(order) => {
            let job = order.job.clone().unwrap_or_default();
            let mut client = way.host().await?;
            let done = forget::forget(&mut client, out, order).await;
            match job.is_empty() {
                true => done,
                false => suggest::job(&mut client, "forget --job", &job, done).await,
            }
        }
        Command::Relays => status::relays(&mut way.host().await?, out).await,
        Command::Cancel { purchase } => {
            let mut client = way.host().await?;
            let done = buy::cancel(&mut client, out, purchase.clone()).await;
            suggest::job(&mut client, "cancel", &purchase, done).await
        }
        Command::Buy(order) => buy::buy(&mut way.host().await?, out, order).await,
        Command::BuyMode(action) => buy_mode::buy_mode(&mut way.host().await?, out, action).await,
        Command::Chat(action) => chat::chat(&mut way.host().await?, out, action).await,
        Command::Canary(order) => canary::canary(&mut way.host().await?, out, order).await,
        Command::Wait(wait) => wait::wait(&home, out, wait).await,
        Command::Model(action) => model::model(&home, &way, out, action).await,
        Command::Identity(action) => identity::identity(&home, out, action).await,
        Command::DebugBundle(wish) => bundle::bundle(&home, out, wish).await,
        Command::Uninstall(wish) => uninstall::uninstall(&home, out, wish).await,
        Command::Doctor => doctor::doctor(&home, out).await,
        Command::Ledger(Ledger::Head) => ledger::head(&home, out).await,
        Command::Ledger(Ledger::Verify) => ledger::verify(&home, out).await,
        Command::Ledger(Ledger::Check { wait }) => ledger::check(&mut way.host().await?, out, wait).await,
        Command::Ledger(Ledger::Replay { at, state }) => ledger::replay(&home, out, at, state).await,
        Command::Ledger(Ledger::Heads) => heads::show(&mut way.host().await?, out).await,
        Command::Ledger(Ledger::SignHead) => heads::sign(&mut way.host().await?, out).await,
        Command::Ledger(Ledger::OverruleHead(wish)) => {
            heads::overrule(&mut way.host().await?, out, wish).await
        }
        Command::Ledger(Ledger::Tail(tail)) | Command::Events(tail) => ledger::tail(&home, out, tail).await,
        Command::Pane(action) => desk::pane(&mut connect(&home).await?, out, action).await,
        Command::Perf(asked) => desk::perf(&mut connect(&home).await?, out, asked).await,
        Command::Tailnet => desk::tailnet(&mut connect(&home).await?, out).await,
        Command::Stop => {
            let reply = call(connect(&home).await?.stop(control::StopRequest {})).await?;
            out.show(&reply, |_| "The host is stopping.".to_owned())
        }
        // Answered above, from the command line alone.
        Command::Completions { .. } | Command::Man { .. } => Ok(()),
    }
}
