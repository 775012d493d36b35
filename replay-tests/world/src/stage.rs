//! A world to test in: temporary, short of path, gone at the end.
use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use autopilot_host::{
    config::Model,
    control::Client,
    sandbox::{ChainKind, Options, World},
};
use autopilot_proto::control::v1 as pb;
use tempfile::TempDir;

/// Price of a job in tests, in msat.
pub const PRICE_MSAT: u64 = 10_000;
/// Bound of one purchase, in seconds; generous, since machines are shared.
pub const PATIENCE_S: u32 = 240;
/// Fee ceiling of one payment, in msat.
pub const FEE_CEILING_MSAT: u64 = 5_000;

/// A program of this project: in `AUTOPILOT_BIN_DIR`, or beside the test's own folder.
pub fn program(name: &str) -> Result<PathBuf> {
    let places = match std::env::var_os("AUTOPILOT_BIN_DIR") {
        Some(folder) => vec![PathBuf::from(folder)],
        None => std::env::current_exe()?
            .ancestors()
            .skip(1)
            .take(2)
            .map(PathBuf::from)
            .collect(),
    };
    let found = places
        .iter()
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    found.with_context(|| {
        format!("{name} is not built: run `. scripts/build.sh && build_programs`, or use ./test")
    })
}

/// The test model.
pub fn model() -> Result<PathBuf> {
    let named = std::env::var_os("AUTOPILOT_MODEL").map(PathBuf::from);
    let cached = || {
        Some(
            PathBuf::from(std::env::var_os("HOME")?)
                .join(".cache/autopilot/models/smollm2-135m-instruct-q4_1.gguf"),
        )
    };
    let path = named.or_else(cached).context("AUTOPILOT_MODEL is not set")?;
    ensure!(
        path.is_file(),
        "there is no model at {}: run ./test, which fetches it",
        path.display()
    );
    Ok(path)
}

/// The embedding model of the tests.
pub fn embedding_model() -> Result<PathBuf> {
    let named = std::env::var_os("AUTOPILOT_EMBEDDING_MODEL").map(PathBuf::from);
    let cached = || {
        Some(
            PathBuf::from(std::env::var_os("HOME")?)
                .join(".cache/autopilot/models/all-minilm-l6-v2-f16-832d69edd8c5.gguf"),
        )
    };
    let path = named
        .or_else(cached)
        .context("AUTOPILOT_EMBEDDING_MODEL is not set")?;
    ensure!(
        path.is_file(),
        "there is no embedding model at {}: run ./test, which makes it",
        path.display()
    );
    Ok(path)
}

/// A world with one relay, work first, 10 sat a job.
pub fn options(home: PathBuf, chain: ChainKind) -> Result<Options> {
    Ok(Options {
        home,
        chain,
        relay_count: 1,
        outside_relays: Vec::new(),
        extra_relays: Vec::new(),
        price_msat: PRICE_MSAT,
        order: "work-first".to_owned(),
        model: Model::file(model()?),
        embedding: None,
        buyer_serves: false,
        program: program("autopilot-headless")?,
        window: None,
    })
}

/// A world and the folder it lives in.
pub struct Stage {
    /// The world.
    pub world: World,
    _folder: TempDir,
}

impl Stage {
    /// Builds a world of the usual options.
    pub async fn build(chain: ChainKind) -> Result<Stage> {
        Stage::build_with(chain, |_| {}).await
    }

    /// Builds a world after a change to its options.
    pub async fn build_with(chain: ChainKind, change: impl FnOnce(&mut Options)) -> Result<Stage> {
        let folder = tempfile::Builder::new().prefix("ap").tempdir_in("/tmp")?;
        let mut options = options(folder.path().join("w"), chain)?;
        change(&mut options);
        let world = World::start(options, |step| eprintln!("world: {step}")).await?;
        Ok(Stage {
            world,
            _folder: folder,
        })
    }

    /// Takes everything down.
    pub async fn strike(self) {
        self.world.stop().await;
    }
}

/// Orders a job of the provider; answers with the purchase's id.
pub async fn order(buyer: &mut Client, provider: &str, question: &str) -> Result<String> {
    let request = pb::BuyRequest {
        input: question.to_owned(),
        kind: 5050,
        budget_msat: PRICE_MSAT,
        fee_ceiling_msat: FEE_CEILING_MSAT,
        deadline_s: PATIENCE_S,
        provider: provider.to_owned(),
        pay_first_ceiling_msat: 0,
        max_tokens: 12,
        without_bid: false,
        ..Default::default()
    };
    Ok(buyer.buy(request).await?.into_inner().purchase_id)
}

/// Waits until a purchase is over.
pub async fn outcome(buyer: &mut Client, purchase_id: &str) -> Result<pb::PurchaseReply> {
    let request = pb::PurchaseRequest {
        purchase_id: purchase_id.to_owned(),
        wait_s: PATIENCE_S,
    };
    let reply = buyer.purchase(request).await?.into_inner();
    ensure!(
        reply.over,
        "the purchase is not over after {PATIENCE_S} s: {reply:?}"
    );
    Ok(reply)
}

/// The wallet's figures and the ledger's.
pub async fn balance(client: &mut Client) -> Result<pb::BalanceReply> {
    Ok(client.balance(pb::BalanceRequest {}).await?.into_inner())
}

/// Waits, within a limit, until a balance is as wished.
pub async fn balance_when(
    client: &mut Client,
    what: &str,
    holds: impl Fn(&pb::BalanceReply) -> bool,
) -> Result<pb::BalanceReply> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(120);
    loop {
        let last = balance(client).await;
        if let Ok(balance) = &last
            && holds(balance)
        {
            return Ok(balance.clone());
        }
        ensure!(
            tokio::time::Instant::now() < deadline,
            "{what} did not come true: {last:?}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Waits until the provider has this many jobs settled, as its facts say.
pub async fn settled(client: &mut Client, jobs: u64) -> Result<pb::EarningsReply> {
    let mut facts = client
        .follow(pb::FollowRequest { after: 0, limit: 0 })
        .await?
        .into_inner();
    let mut count = 0;
    let wait = async {
        while let Some(fact) = facts.message().await? {
            count += u64::from(fact.r#type == "job.settled");
            if count >= jobs {
                return Ok(());
            }
        }
        anyhow::bail!("the provider ended")
    };
    tokio::time::timeout(Duration::from_secs(PATIENCE_S.into()), wait)
        .await
        .context("not settled in time")??;
    Ok(client
        .earnings(pb::EarningsRequest {
            day_start_ms: 0,
            day_end_ms: i64::MAX,
        })
        .await?
        .into_inner())
}
