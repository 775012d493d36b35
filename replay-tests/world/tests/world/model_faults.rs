//! What can happen to a model file and to a worker: each ends in a fact with a code, in words, and in what to do.
use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::Path,
    time::Duration,
};

use autopilot_host::{config::Model, control::Client, models, sandbox::ChainKind};
use autopilot_proto::control::v1 as pb;
use autopilot_world_tests::stage::{FEE_CEILING_MSAT, PATIENCE_S, PRICE_MSAT, Stage, model, order, outcome};
use serde_json::Value;

use crate::{
    facts::Facts,
    programs::support::{ctl, refused},
};

/// `FailureClass` of `events/v1`.
const EXECUTION: i64 = 2;
const DEADLINE: i64 = 6;

pub async fn paid_job(stage: &Stage, question: &str) {
    let mut buyer = stage.world.buyer.client().unwrap();
    let id = order(&mut buyer, &stage.world.provider.pubkey, question)
        .await
        .unwrap();
    let reply = outcome(&mut buyer, &id).await.unwrap();
    assert_eq!(reply.paid_msat, PRICE_MSAT, "{reply:?}");
}

/// Orders a job that can't be worked, and returns the fact that says so.
async fn failed_job(stage: &Stage, facts: &mut Facts, question: &str, deadline_s: u32) -> Value {
    let request = pb::BuyRequest {
        input: question.to_owned(),
        kind: 5050,
        budget_msat: PRICE_MSAT,
        fee_ceiling_msat: FEE_CEILING_MSAT,
        deadline_s,
        provider: stage.world.provider.pubkey.clone(),
        max_tokens: 12,
        ..Default::default()
    };
    stage.world.buyer.client().unwrap().buy(request).await.unwrap();
    facts.next("job.failed").await
}

fn told(failed: &Value, class: i64, code: &str, words: &str) {
    assert_eq!(
        (&failed["class"], &failed["code"]),
        (&class.into(), &code.into()),
        "{failed}"
    );
    assert!(
        failed["detail"].as_str().unwrap_or_default().contains(words),
        "{failed}"
    );
}

/// What stands in the way, once something does.
async fn blocker(provider: &mut Client) -> String {
    let wait = async {
        loop {
            let status = provider.status(pb::StatusRequest {}).await.unwrap().into_inner();
            if status.state == "degraded" {
                return status.blockers.join("\n");
            }
            // Readiness is looked after every two seconds, and is no fact.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let bound = Duration::from_secs(PATIENCE_S.into());
    tokio::time::timeout(bound, wait)
        .await
        .expect("the provider says that it can't earn")
}

/// Puts a file in place of another in one step.
fn swap(path: &Path, change: impl FnOnce(&Path)) {
    let beside = path.with_extension("new");
    fs::copy(model().unwrap(), &beside).unwrap();
    change(&beside);
    fs::rename(&beside, path).unwrap();
}

fn flip_a_bit(path: &Path) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let (mut byte, at) = ([0], file.metadata().unwrap().len() / 2);
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

/// The file is swapped for one with a flipped bit while its model is loaded, then cut short in place, then taken away.
/// Each time a job fails with a reason, the provider says what to do, and a good file brings it back.
#[tokio::test(flavor = "multi_thread")]
async fn a_model_file_that_is_not_what_was_chosen_earns_nothing_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    swap(&path, |_| {});
    let sha256 = Some(models::hex(models::digest_of(&path, |_| {}).unwrap()));
    let chosen = Model::File {
        path: path.clone(),
        sha256,
        url: None,
    };
    let stage = Stage::build_with(ChainKind::Simulated, |options| options.model = chosen)
        .await
        .unwrap();
    stage.world.go_online().await.unwrap();
    let home = stage.world.provider.home.path();
    let mut provider = stage.world.provider.client().unwrap();
    let mut facts = Facts::of(&mut provider).await;
    paid_job(&stage, "Say one.").await;

    swap(&path, flip_a_bit);
    let failed = failed_job(&stage, &mut facts, "Say two.", PATIENCE_S).await;
    told(
        &failed,
        EXECUTION,
        "model-digest-mismatch",
        "not the expected one",
    );
    let words = blocker(&mut provider).await;
    assert!(
        words.contains("not the expected one") && words.contains("model pull"),
        "{words}"
    );
    let answer = refused(home, &["model", "warm"], 4, "model-digest-mismatch").await;
    assert!(answer.words.contains("autopilotctl model pull"), "{answer:?}");
    let doctor = ctl(home, &["doctor"]).await;
    assert_eq!(doctor.code, 4, "{doctor:?}");
    assert!(
        doctor.data.contains("is not the file that was admitted"),
        "{doctor:?}"
    );

    swap(&path, |_| {});
    assert_eq!(ctl(home, &["model", "warm"]).await.code, 0);
    paid_job(&stage, "Say three.").await;
    OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(1_000_000)
        .unwrap();
    let failed = failed_job(&stage, &mut facts, "Say four.", PATIENCE_S).await;
    told(
        &failed,
        EXECUTION,
        "model-digest-mismatch",
        "not the expected one",
    );

    fs::remove_file(&path).unwrap();
    let answer = refused(home, &["model", "warm"], 4, "model-missing").await;
    assert!(answer.words.contains("autopilotctl model pull"), "{answer:?}");
    let words = blocker(&mut provider).await;
    assert!(words.contains("there is no model file at"), "{words}");

    swap(&path, |_| {});
    assert_eq!(ctl(home, &["model", "warm"]).await.code, 0);
    paid_job(&stage, "Say five.").await;
    stage.strike().await;
}

/// The policy decides how many jobs are computed at a time.
async fn two_at_a_time(stage: &Stage) {
    let mut provider = stage.world.provider.client().unwrap();
    let policy = provider
        .get_policy(pb::GetPolicyRequest::default())
        .await
        .unwrap()
        .into_inner();
    let policy = policy.policy.map(|policy| pb::Policy {
        max_in_flight: 2,
        ..policy
    });
    provider
        .set_policy(pb::SetPolicyRequest { policy })
        .await
        .unwrap();
    tokio::join!(paid_job(stage, "Say one."), paid_job(stage, "Say two."));
    let request = pb::ModelRequest {
        action: "describe".to_owned(),
    };
    assert_eq!(
        provider.model(request).await.unwrap().into_inner().in_flight_max,
        2
    );
}

/// Two jobs share a worker. One that eats memory, and one that hangs, costs its job, with a reason; the next is paid.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_shared_and_a_faulty_one_costs_its_job() {
    let mut stage = Stage::build(ChainKind::Simulated).await.unwrap();
    stage.world.go_online().await.unwrap();
    two_at_a_time(&stage).await;
    for (fault, deadline_s, class, code, words) in [
        (
            "eat_memory",
            PATIENCE_S,
            EXECUTION,
            "out-of-memory",
            "ran out of its memory bound",
        ),
        ("hang_after_tokens:2", 8, DEADLINE, "deadline-exceeded", ""),
    ] {
        let environment = [("AUTOPILOT_WORKER_FAULT", fault)];
        stage.world.provider.restart(&environment).await.unwrap();
        stage.world.go_online().await.unwrap();
        let mut facts = Facts::of(&mut stage.world.provider.client().unwrap()).await;
        let failed = failed_job(&stage, &mut facts, fault, deadline_s).await;
        told(&failed, class, code, words);
        paid_job(&stage, &format!("After {fault}.")).await;
    }
    stage.strike().await;
}
