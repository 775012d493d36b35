//! The paid loop and a sample of the crash matrix against a real Bitcoin Core in regtest.
use autopilot_host::sandbox::ChainKind;
use autopilot_world_tests::{
    matrix::{host_during_withdrawal, provider_during_job, table},
    stage::Stage,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_of_crashes_on_bitcoin_core() {
    let mut stage = Stage::build(ChainKind::Bitcoind).await.unwrap();
    let points = [
        "commit.after/job.executed",
        "effect.after/invoice",
        "commit.before/wallet.payment_received",
    ];
    let points: Vec<String> = points.iter().map(|point| (*point).to_owned()).collect();
    let mut lines = provider_during_job(&mut stage, &points, "on Bitcoin Core")
        .await
        .unwrap();
    lines.extend(
        host_during_withdrawal(&mut stage, &["effect.after/pay"], 10_000)
            .await
            .unwrap(),
    );
    table("Host killed, on Bitcoin Core", &lines).unwrap();
    stage.strike().await;
}
