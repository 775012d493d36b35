//! The Lightning wallet in a process of its own: ldk-node behind `wallet/v1` on a Unix socket.
//!
//! The first line of stdin is the configuration with the seed. Then stdin stays open as the leash: when it closes, or
//! SIGTERM comes, the wallet stops gracefully. One line of JSON on stdout says that it is ready, or why it is not.
#![allow(missing_docs)]

mod balances;
mod books;
mod chain;
mod channels;
mod closing;
mod config;
mod events;
mod failure;
mod log;
mod node;
mod offers;
mod onchain;
mod payments;
mod process;
mod service;
mod store;
mod wallet;

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        None => {}
        Some("--version" | "-V") => {
            println!(
                "autopilot-walletd {} (ldk-node 0.7.1, wallet/v1)",
                env!("CARGO_PKG_VERSION")
            );
            return ExitCode::SUCCESS;
        }
        Some(_) => {
            println!(
                "autopilot-walletd takes its configuration as one line of JSON on stdin, and no arguments."
            );
            return ExitCode::from(2);
        }
    }
    // A panic inside the engine would leave a node that looks alive and follows nothing. Ending is safer: the host
    // sees it and starts a new one.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tracing::error!(%panic, "the wallet process ends by a panic");
        report(panic);
        std::process::abort();
    }));
    // ldk-node needs a multi-threaded runtime.
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return process::report(&node::start_error("runtime", error.to_string())),
    };
    let outcome = runtime.block_on(process::run());
    // The node has stopped. Shutting the runtime down as well would wait for the thread that reads stdin, and panic
    // in tasks that meet it half shut: the end of the process ends both.
    std::mem::forget(runtime);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => process::report(&error),
    }
}
