//! Heads of a ledger, where they matter: an old copy of it is put back, and another is grown in its place.
//!
//! The wallet stays as it is: what is rolled back is the record.
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use autopilot_events::pb::KeptVerdict;
use autopilot_host::{
    config::Config,
    control::Client,
    sandbox::{ChainKind, Child},
};
use autopilot_proto::control::v1 as pb;
use autopilot_world_tests::stage::{PATIENCE_S, PRICE_MSAT, Stage, order, outcome};
use tonic::Code;

use crate::facts::Facts;

const PATIENCE: Duration = Duration::from_secs(PATIENCE_S as u64);
/// A relay that nobody runs.
const DEAD_RELAY: &str = "ws://127.0.0.1:9";

/// The files of a ledger: the database, and what SQLite keeps beside it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let of_ledger = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("ledger.sqlite") && !name.ends_with(".lock")
    };
    entries.filter(of_ledger).collect()
}

fn copy(from: &Path, to: &Path) {
    files(to).iter().for_each(|old| fs::remove_file(old).unwrap());
    for file in files(from) {
        fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}

async fn heads(client: &mut Client) -> pb::HeadsReply {
    client.heads(pb::HeadsRequest {}).await.unwrap().into_inner()
}

async fn status(client: &mut Client) -> pb::StatusReply {
    client.status(pb::StatusRequest {}).await.unwrap().into_inner()
}

/// Events are dated in seconds: of two heads of one second nobody can say which is the later.
async fn later_than(at_ms: i64) {
    let next_s = at_ms / 1_000 + 1;
    let left_ms = next_s * 1_000 - autopilot_host::clock::now_ms();
    tokio::time::sleep(Duration::from_millis(u64::try_from(left_ms).unwrap_or(0))).await;
}

/// Signs a head and waits until relays have it.
async fn publish_head(client: &mut Client) -> pb::HeadsReply {
    let mut facts = Facts::of(client).await;
    let signed = client
        .sign_head(pb::SignHeadRequest {})
        .await
        .unwrap()
        .into_inner();
    let published = facts.next("head.published").await;
    assert_eq!(published["size"], signed.size);
    signed
}

/// One job, from the order to the facts of both sides.
async fn one_job(stage: &Stage) -> String {
    let mut provider = stage.world.provider.client().unwrap();
    let mut facts = Facts::of(&mut provider).await;
    let mut buyer = stage.world.buyer.client().unwrap();
    let id = order(
        &mut buyer,
        &stage.world.provider.pubkey,
        "What is the capital of France?",
    )
    .await
    .unwrap();
    let bought = outcome(&mut buyer, &id).await.unwrap();
    assert_eq!(bought.paid_msat, PRICE_MSAT, "{bought:?}");
    let settled = facts.next("job.settled").await;
    // The buyer's own word for it comes after its payment, and is for the same invoice.
    let receipt = facts.next("job.receipted").await;
    assert_eq!(receipt["payment_hash"], settled["payment_hash"]);
    assert_eq!(receipt["amount_msat"], settled["amount_msat"]);
    assert_eq!(receipt["job_id"], settled["job_id"]);
    id
}

/// The provider does not earn, for this reason.
async fn stopped_for(provider: &Child, words: &[&str]) {
    let mut client = provider.client().unwrap();
    let refused = client
        .go_online(pb::GoOnlineRequest { wait_s: 0 })
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    let status = status(&mut client).await;
    assert!(!status.can_earn);
    for words in words {
        assert!(refused.message().contains(words), "{refused}");
        assert!(status.blockers[0].contains(words), "{:?}", status.blockers);
    }
}

/// Waits until the provider knows this many jobs and works on none.
async fn nothing_in_flight(client: &mut Client, jobs: usize) {
    let wait = async {
        loop {
            let request = pb::HistoryRequest {
                role: "provider".to_owned(),
                ..pb::HistoryRequest::default()
            };
            let known = client.history(request).await.unwrap().into_inner().rows;
            if known.len() >= jobs && status(client).await.jobs_in_flight == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .expect("the jobs come to rest");
}

async fn overrule(client: &mut Client, first_different: u64) -> Result<pb::HeadsReply, tonic::Status> {
    let request = pb::OverruleHeadRequest {
        first_different,
        reason: "the disk died".to_owned(),
        dry_run: false,
    };
    client
        .overrule_head(request)
        .await
        .map(tonic::Response::into_inner)
}

/// Facts that mean nothing to a job, until the ledger is longer than `size`.
async fn grow_beyond(client: &mut Client, size: u64) {
    while status(client).await.basis.unwrap().sequence <= size {
        let price = pb::RecordPriceRequest {
            currency: "EUR".to_owned(),
            per_btc: 5_000_000,
            decimals: 2,
            source: "a test".to_owned(),
            observed_at_ms: 1_700_000_000_000,
        };
        client.record_price(price).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_copy_of_a_ledger_is_told_from_the_heads_that_relays_and_buyers_hold() {
    let dead = |options: &mut autopilot_host::sandbox::Options| {
        options.extra_relays = vec![DEAD_RELAY.to_owned()];
    };
    let mut stage = Stage::build_with(ChainKind::Simulated, dead).await.unwrap();
    let copies = tempfile::tempdir().unwrap();
    let home = stage.world.provider.home.path().to_owned();
    let ledger = stage.world.provider.home.ledger_file();
    let ledger = ledger.parent().unwrap();

    // Neither a relay without heads nor one that can't be asked is in the way, and the second is told.
    stage.world.go_online().await.unwrap();
    let asked = heads(&mut stage.world.provider.client().unwrap()).await.asked;
    assert_eq!(asked.len(), 2);
    assert!(
        asked
            .iter()
            .any(|relay| relay.failure.is_empty() && relay.heads == 0)
    );
    assert!(
        asked
            .iter()
            .any(|relay| relay.relay.starts_with(DEAD_RELAY) && !relay.failure.is_empty())
    );
    // A head is at the relay, and once somebody bought, with the buyer.
    let zeroth = publish_head(&mut stage.world.provider.client().unwrap()).await;
    assert!(zeroth.note.contains(&zeroth.size.to_string()), "{zeroth:?}");
    let mut buyers_facts = Facts::of(&mut stage.world.buyer.client().unwrap()).await;
    one_job(&stage).await;
    let kept = buyers_facts.next("head.kept").await;
    let grew = i64::from(KeptVerdict::Grew as i32);
    assert_eq!(
        (kept["size"].as_u64(), kept["verdict"].as_i64()),
        (Some(zeroth.size), Some(grew))
    );

    // A copy is made, and the provider earns on.
    assert!(stage.world.provider.stop_in_order().await);
    copy(ledger, copies.path());
    stage.world.provider.restart(&[]).await.unwrap();
    stage.world.go_online().await.unwrap();
    let first = publish_head(&mut stage.world.provider.client().unwrap()).await;
    let status = status(&mut stage.world.provider.client().unwrap()).await;
    assert_eq!(status.heads.unwrap().published_size, first.size);
    one_job(&stage).await;
    grow_beyond(&mut stage.world.provider.client().unwrap(), first.size + 100).await;
    let second = publish_head(&mut stage.world.provider.client().unwrap()).await;
    assert!(second.size > first.size);

    // The copy is put back: its first missing fact is the one after its last.
    assert!(stage.world.provider.stop_in_order().await);
    copy(copies.path(), ledger);
    let last = autopilot_host::audit::Audit::open(&home)
        .await
        .unwrap()
        .head()
        .await
        .unwrap();
    stage.world.provider.restart(&[]).await.unwrap();
    let missing = last.sequence + 1;
    let named = format!("fact {missing} and those after it are missing here");
    stopped_for(&stage.world.provider, &[&named, "rolled back", "overrule-head"]).await;
    let mut client = stage.world.provider.client().unwrap();
    let told = heads(&mut client).await;
    assert_eq!(told.disputed.len(), 2, "{told:?}");
    assert!(
        told.disputed
            .iter()
            .all(|h| h.verdict == "rolled-back" && h.first_different == missing)
    );
    // Without another decision in between, a restart changes nothing.
    stage.world.provider.restart(&[]).await.unwrap();
    stopped_for(&stage.world.provider, &[&named]).await;

    // A person decides, by the fact's number, and it earns again.
    let mut client = stage.world.provider.client().unwrap();
    assert_eq!(
        overrule(&mut client, missing + 1).await.unwrap_err().code(),
        Code::NotFound
    );
    assert_eq!(overrule(&mut client, missing).await.unwrap().disputed, Vec::new());
    later_than(second.signed_at_ms).await;
    let third = publish_head(&mut client).await;
    stage.world.go_online().await.unwrap();
    // The relay hands out again what this ledger does not know of.
    nothing_in_flight(&mut client, 2).await;
    let bought = one_job(&stage).await;

    // Its buyer is told that the ledger went back.
    assert!(third.size < second.size, "{} {}", third.size, second.size);
    stage.world.buyer.restart(&[]).await.unwrap();
    let mut buyer = stage.world.buyer.client().unwrap();
    let wait = async {
        loop {
            let kept = heads(&mut buyer).await.kept;
            match kept.into_iter().find(|kept| !kept.trouble.is_empty()) {
                Some(kept) => return kept.trouble,
                None => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    let trouble = tokio::time::timeout(PATIENCE, wait)
        .await
        .expect("its head comes");
    assert!(trouble.contains("went back"), "{trouble}");
    let why = buyer
        .why(pb::WhyRequest { job: bought })
        .await
        .unwrap()
        .into_inner();
    assert!(why.answer.contains("went back"), "{}", why.answer);

    // The copy once more, grown beyond all heads where none can be asked, and then shown to the relay: a fork.
    let newest = publish_head(&mut client).await;
    assert!(stage.world.provider.stop_in_order().await);
    copy(copies.path(), ledger);
    let file = stage.world.provider.home.config_file();
    let config = Config::read(&file).unwrap();
    let alone = Config {
        relays: vec![DEAD_RELAY.to_owned()],
        ..config.clone()
    };
    alone.write(&file).unwrap();
    stage.world.provider.restart(&[]).await.unwrap();
    let mut client = stage.world.provider.client().unwrap();
    let lonely = heads(&mut client).await;
    assert!(lonely.disputed.is_empty() && lonely.asked.iter().all(|relay| !relay.failure.is_empty()));
    grow_beyond(&mut client, newest.size.max(second.size)).await;
    assert!(stage.world.provider.stop_in_order().await);
    config.write(&file).unwrap();
    stage.world.provider.restart(&[]).await.unwrap();
    let told = heads(&mut stage.world.provider.client().unwrap()).await;
    assert!(
        told.disputed.iter().all(|head| head.verdict == "forked"),
        "{told:?}"
    );
    assert!(
        told.disputed.iter().any(|head| head.size == newest.size),
        "{told:?}"
    );
    stopped_for(&stage.world.provider, &["replaced", "is another one here"]).await;
    stage.strike().await;
}
