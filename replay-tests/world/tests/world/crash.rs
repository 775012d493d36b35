//! The crash matrix on the simulated chain: every named point of the loop.
use autopilot_host::sandbox::ChainKind;
use autopilot_world_tests::{
    matrix::{
        JOB_COMMITS, JOB_EFFECTS, PURCHASE_COMMITS, WITHDRAWAL, buyer_during_job, child_during_job,
        host_during_withdrawal, provider_during_job, table,
    },
    stage::Stage,
};

fn points(when: &str, what: &[&str]) -> Vec<String> {
    what.iter().map(|what| format!("{when}/{what}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_is_killed_around_every_commit() {
    let mut stage = Stage::build(ChainKind::Simulated).await.unwrap();
    let mut lines = Vec::new();
    for when in ["commit.before", "commit.after"] {
        lines.extend(
            provider_during_job(&mut stage, &points(when, &JOB_COMMITS), when)
                .await
                .unwrap(),
        );
    }
    table("Host killed around commits", &lines).unwrap();
    lines = host_during_withdrawal(&mut stage, &WITHDRAWAL, 20_000)
        .await
        .unwrap();
    table("Host killed during a withdrawal", &lines).unwrap();
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_is_killed_around_every_effect() {
    let mut stage = Stage::build(ChainKind::Simulated).await.unwrap();
    let mut lines = Vec::new();
    for when in ["effect.before", "effect.after"] {
        lines.extend(
            provider_during_job(&mut stage, &points(when, &JOB_EFFECTS), when)
                .await
                .unwrap(),
        );
    }
    table("Host killed around effects", &lines).unwrap();
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_buyer_is_killed_around_every_commit_and_payment() {
    let mut stage = Stage::build(ChainKind::Simulated).await.unwrap();
    let mut lines = Vec::new();
    for (when, what) in [
        ("commit.before", &PURCHASE_COMMITS[..]),
        ("commit.after", &PURCHASE_COMMITS),
        ("effect.before", &["publish", "pay", "wallet-sent"]),
        ("effect.after", &["publish", "pay", "wallet-sent"]),
    ] {
        lines.extend(
            buyer_during_job(&mut stage, &points(when, what), when)
                .await
                .unwrap(),
        );
    }
    table("Buyer killed", &lines).unwrap();
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn worker_and_wallet_are_killed_and_replaced() {
    let mut stage = Stage::build(ChainKind::Simulated).await.unwrap();
    let mut lines = Vec::new();
    for (target, point) in [
        ("worker", "effect.during/run"),
        ("wallet", "effect.before/invoice"),
        ("wallet", "effect.after/invoice"),
        ("wallet", "commit.before/job.delivered"),
        ("wallet", "effect.before/wallet-received"),
        ("wallet", "effect.after/wallet-received"),
    ] {
        lines.push(child_during_job(&mut stage, target, point, point).await.unwrap());
    }
    table("Worker and wallet killed", &lines).unwrap();
    stage.strike().await;
}
