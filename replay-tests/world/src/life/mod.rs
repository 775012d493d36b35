//! Lives of a whole world: many jobs under random restarts ([`long`]), and kills at random moments under load
//! ([`kills`]). Both draw from a seed, leave one line of JSON per round, and go on where they stopped.
pub mod customers;
pub mod draw;
pub mod growth;
pub mod journal;
pub mod kills;
pub mod long;
pub mod power;
pub mod processes;
pub mod relays;
pub mod tally;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use autopilot_host::{
    control::{Client, client},
    home::Home,
    sandbox::{Child, World},
};
use autopilot_proto::control::v1 as pb;

/// How long a world may take to be whole after whatever was done to it. Machines are shared.
pub const WHOLE_LIMIT: Duration = Duration::from_secs(300);
/// There is no event for another process's health: asked this often, within a limit.
pub const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Answers whether this process was asked to end, by Ctrl-C or SIGTERM.
///
/// # Errors
/// Signals can't be heard.
pub fn asked_to_stop() -> Result<impl FnMut() -> bool> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let asked = Arc::new(AtomicBool::new(false));
    let tell = asked.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tell.store(true, Ordering::SeqCst);
    });
    Ok(move || asked.load(Ordering::SeqCst))
}

/// A client of a host that may be down just now.
///
/// # Errors
/// No address; a host that is down shows with the first call.
pub fn reach(home: &Home) -> Result<Client> {
    client(&home.control_socket()).map_err(|error| anyhow::anyhow!("{error}"))
}

/// Allows as much as such a life asks for: several jobs at once, no hourly bounds, invoices that end soon.
///
/// # Errors
/// The provider can't be asked.
pub async fn open_the_gates(provider: &Child, in_flight: u32) -> Result<()> {
    let mut client = provider.client()?;
    let reply = client
        .get_policy(pb::GetPolicyRequest::default())
        .await?
        .into_inner();
    let policy = pb::Policy {
        max_in_flight: in_flight,
        per_buyer_per_hour: 1_000_000,
        global_per_hour: 1_000_000,
        unpaid_jobs_per_buyer: 1_000,
        unpaid_jobs_total: 1_000,
        invoice_expiry_s: 60,
        ..reply.policy.context("the provider has no policy")?
    };
    client
        .set_policy(pb::SetPolicyRequest { policy: Some(policy) })
        .await?;
    Ok(())
}

/// Sends the provider online, again after each of its starts: that is an explicit act.
///
/// # Errors
/// What stands in the way.
pub async fn go_online(provider: &Home) -> Result<()> {
    let reply = reach(provider)?
        .go_online(pb::GoOnlineRequest { wait_s: 120 })
        .await;
    reply
        .map(drop)
        .map_err(|status| anyhow::anyhow!("going online: {}", status.message()))
}

/// Whether a wallet answers and has at least so many usable channels.
pub async fn is_connected(home: &Home, channels: usize) -> bool {
    let usable = |balance: pb::BalanceReply| balance.channels.iter().filter(|c| c.usable).count();
    balance(home)
        .await
        .is_some_and(|balance| usable(balance) >= channels)
}

/// The balance; nothing where the host does not answer.
pub async fn balance(home: &Home) -> Option<pb::BalanceReply> {
    let mut client = reach(home).ok()?;
    Some(client.balance(pb::BalanceRequest {}).await.ok()?.into_inner())
}

/// Waits until provider, buyer and hub have usable channels. Where one has lost its channel, blocks are mined for what closes, and
/// the hub opens another. Returns how long it took.
///
/// # Errors
/// It was not so within [`WHOLE_LIMIT`].
pub async fn until_connected(world: &World) -> Result<Duration> {
    let since = Instant::now();
    loop {
        let (provider, buyer) = (&world.provider.home, &world.buyer.home);
        // The hub has to see both ends too: a peer that just died looks usable for a moment.
        if is_connected(provider, 1).await
            && is_connected(buyer, 1).await
            && is_connected(&world.hub.home, 2).await
        {
            return Ok(since.elapsed());
        }
        // What fails here is tried again: the host asked may be the one that is down.
        if has_no_channel(provider).await {
            world.mine(1)?;
            let _ = world.open_provider_channel().await;
        }
        if has_no_channel(buyer).await {
            world.mine(1)?;
            let _ = world.open_buyer_channel().await;
        }
        ensure!(
            since.elapsed() < WHOLE_LIMIT,
            "not connected after {} s: provider {:?}, buyer {:?}",
            WHOLE_LIMIT.as_secs(),
            balance(provider).await.map(|b| b.channels),
            balance(buyer).await.map(|b| b.channels)
        );
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

async fn has_no_channel(home: &Home) -> bool {
    balance(home)
        .await
        .is_some_and(|balance| balance.channels.is_empty())
}

/// Waits until the provider has no job at work, and has settled whatever the buyer has paid. A job that was delivered
/// and is not paid stays open until its invoice ends: nobody waits for that here, the tally counts it.
///
/// # Errors
/// It is not so after [`WHOLE_LIMIT`].
pub async fn until_settled(world: &World) -> Result<()> {
    let since = Instant::now();
    loop {
        let at_work = async {
            let jobs = reach(&world.provider.home)?
                .jobs(pb::JobsRequest {})
                .await?
                .into_inner()
                .jobs;
            let at_work: Vec<_> = jobs.into_iter().filter(|job| job.work != "delivered").collect();
            anyhow::Ok(at_work)
        };
        let at_work = at_work.await;
        let tally = tally::tally(world.provider.home.path(), world.buyer.home.path()).await?;
        if at_work.as_ref().is_ok_and(Vec::is_empty) && tally.paid_not_settled == 0 {
            return Ok(());
        }
        ensure!(
            since.elapsed() < WHOLE_LIMIT,
            "{} jobs were paid and are not settled; at work are {at_work:?}",
            tally.paid_not_settled
        );
        tokio::time::sleep(ASK_AGAIN * 5).await;
    }
}
