//! A second engine: jobs worked by a real OpenAI-compatible server.
use std::{os::unix::fs::PermissionsExt, time::Duration};

use autopilot_core::ports::model::{
    Claim, FinishReason, GenerateRequest, Input, Model as _, ModelError, ModelErrorCode, Sampling,
    ServerFault,
};
use autopilot_events::words::{Digest, JobId};
use autopilot_host::{
    config::{Model, ModelServer as Configured},
    control::Client,
    sandbox::ChainKind,
};
use autopilot_openai::{OpenAiServer, ServerConfig};
use autopilot_proto::control::v1 as pb;
use autopilot_world_tests::{
    model_server::ModelServer,
    questions::sound,
    stage::{FEE_CEILING_MSAT, PATIENCE_S, PRICE_MSAT, Stage, order, outcome, settled},
};

use crate::facts::Facts;

fn ask(number: u8, question: &str, max_tokens: u32) -> GenerateRequest {
    GenerateRequest {
        job: JobId([number; 32]),
        input: Input::question(question),
        max_tokens,
        sampling: Sampling {
            temperature_milli: 0,
            ..Sampling::default()
        },
        stop: Vec::new(),
        deadline_ms: None,
    }
}

/// Text to continue that does not end by itself soon.
fn long(number: u8, max_tokens: u32) -> GenerateRequest {
    let mut request = ask(number, "", max_tokens);
    request.input = Input::Text("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18".into());
    request
}

fn adapter(url: &str, adapt: impl FnOnce(&mut ServerConfig)) -> OpenAiServer {
    let mut config = ServerConfig::new(url).unwrap();
    adapt(&mut config);
    OpenAiServer::new(config).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_server_answers_with_a_receipt_that_claims_no_more_than_it_knows() {
    let running = ModelServer::start(2, None, None).await.unwrap();
    let server = adapter(&running.url, |_| {});
    let model = server.describe().await.unwrap();
    assert_eq!(
        (model.name.as_str(), model.n_ctx, model.digest),
        ("fixture", 2_048, None)
    );
    assert_eq!(server.health().model, Some(model));

    let mut streamed = String::new();
    let answer = server
        .generate(ask(1, "What is a fact?", 24), |text| streamed.push_str(text))
        .await
        .unwrap();
    let receipt = &answer.receipt;
    assert!(!answer.text.trim().is_empty());
    assert_eq!(
        (&streamed, receipt.output_text_digest),
        (&answer.text, Digest::of_content(answer.text.as_bytes()))
    );
    assert_eq!(
        (receipt.engine.as_str(), receipt.model_name.as_str()),
        ("openai-compatible", "fixture")
    );
    assert_eq!(
        (receipt.claim, receipt.counts_reported, receipt.model_digest),
        (Claim::Nothing, true, None)
    );
    assert!(
        receipt.prompt_tokens > 0 && (1..=24).contains(&receipt.output_tokens),
        "{receipt:?}"
    );

    let mut stopped = long(2, 60);
    stopped.stop = vec!["21".into()];
    let stopped = server.generate(stopped, |_| {}).await.unwrap();
    assert!(!stopped.text.contains("21"), "{stopped:?}");
    let cut = server.generate(long(3, 5), |_| {}).await.unwrap();
    assert_eq!(
        (cut.receipt.finish_reason, cut.receipt.output_tokens),
        (FinishReason::Length, 5)
    );

    match server.generate(ask(4, &"word ".repeat(4_000), 8), |_| {}).await {
        Err(ModelError::PromptTooLong { tokens, limit }) => assert!(tokens > limit && limit > 0),
        other => panic!("{other:?}"),
    }
    let (one, other) = tokio::join!(
        server.generate(long(5, 12), |_| {}),
        server.generate(long(6, 12), |_| {})
    );
    assert_eq!(
        (
            one.unwrap().receipt.output_tokens,
            other.unwrap().receipt.output_tokens
        ),
        (12, 12)
    );

    let stopping = server.clone();
    let cancelled = server
        .generate(long(7, 1_000), |_| {
            let stopping = stopping.clone();
            tokio::spawn(async move { stopping.cancel(JobId([7; 32])).await });
        })
        .await;
    assert_eq!(cancelled, Err(ModelError::Cancelled { partial: None }));
    server.generate(ask(8, "Hi", 2), |_| {}).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_server_wants_its_key_and_is_found_again_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    let write = |text: &str| {
        std::fs::write(&key, text).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("right\n");
    let mut running = ModelServer::start(1, None, Some(&key)).await.unwrap();
    let server = adapter(&running.url, |config| config.key_file = Some(key.clone()));
    server.generate(ask(1, "Hi", 2), |_| {}).await.unwrap();
    write("wrong\n");
    let refused = server.generate(ask(2, "Hi", 2), |_| {}).await.unwrap_err();
    assert_eq!(
        refused.code(),
        ModelErrorCode::Server(ServerFault::Unauthorised),
        "{refused}"
    );
    assert!(refused.next_step().contains("key_file"));
    write("right\n");
    let port = running.port();
    let broken = server
        .generate(long(3, 1_000), |_| running.begin_kill().unwrap())
        .await
        .unwrap_err();
    assert_eq!(
        broken.code(),
        ModelErrorCode::Server(ServerFault::Unreachable),
        "{broken}"
    );
    running.kill().await.unwrap();
    let _again = ModelServer::start(1, port, Some(&key)).await.unwrap();
    server.generate(ask(4, "Hi", 2), |_| {}).await.unwrap();
    assert_eq!(server.health().problem, None);
}

/// The provider's status, as soon as it is as wished.
pub async fn status_when(
    provider: &mut Client,
    what: &str,
    holds: impl Fn(&pb::StatusReply) -> bool,
) -> pb::StatusReply {
    let wait = async {
        loop {
            let status = provider.status(pb::StatusRequest {}).await.unwrap().into_inner();
            if holds(&status) {
                return status;
            }
            // Nothing tells of a server that came or went.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(PATIENCE_S.into()), wait)
        .await
        .unwrap_or_else(|_| panic!("{what} did not come true"))
}

/// A job worked by a server is delivered and paid. With the server gone a job fails with a reason, the provider says
/// so and takes no more, and it goes on when the server is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_worked_by_a_server_and_paid_and_its_end_is_told() {
    let mut running = ModelServer::start(1, None, None).await.unwrap();
    let configured = Model::Server(Configured {
        url: running.url.clone(),
        ..Configured::default()
    });
    let stage = Stage::build_with(ChainKind::Simulated, |options| options.model = configured)
        .await
        .unwrap();
    let online = stage.world.go_online().await.unwrap();
    assert_eq!(online.model, "fixture");
    let (mut provider, mut buyer) = (
        stage.world.provider.client().unwrap(),
        stage.world.buyer.client().unwrap(),
    );
    let key = &stage.world.provider.pubkey;
    let mut facts = Facts::of(&mut provider).await;
    let id = order(&mut buyer, key, "Say anything.").await.unwrap();
    let reply = outcome(&mut buyer, &id).await.unwrap();
    assert_eq!(reply.paid_msat, PRICE_MSAT, "{reply:?}");
    assert_eq!(settled(&mut provider, 1).await.unwrap().earned_msat, PRICE_MSAT);
    let executed = facts.next("job.executed").await;
    let receipt = &executed["receipt"];
    assert_eq!(
        (
            &receipt["engine"],
            &receipt["claim"],
            &receipt["model"],
            &receipt["counts_reported"]
        ),
        (
            &"openai-compatible".into(),
            &"none".into(),
            &"fixture".into(),
            &true.into()
        ),
        "{executed}"
    );

    let request = pb::BuyRequest {
        input: "Count as far as you can.".to_owned(),
        kind: 5050,
        budget_msat: PRICE_MSAT,
        fee_ceiling_msat: FEE_CEILING_MSAT,
        deadline_s: PATIENCE_S,
        provider: key.clone(),
        max_tokens: 256,
        ..pb::BuyRequest::default()
    };
    // It holds the request and says nothing: then it is gone in the middle of it.
    running.freeze().await.unwrap();
    buyer.buy(request).await.unwrap();
    facts.next("job.started").await;
    running.kill().await.unwrap();
    let failed = facts.next("job.failed").await;
    let detail = failed["detail"].as_str().unwrap_or_default();
    assert_eq!(failed["class"], 2, "execution: {failed}");
    assert!(
        !failed["code"].as_str().unwrap_or_default().is_empty(),
        "{failed}"
    );
    assert!(detail.contains("the model server can't be reached"), "{failed}");
    let degraded = status_when(&mut provider, "the loss", |status| status.state == "degraded").await;
    let blocker = degraded.blockers.join("\n");
    assert!(
        blocker.contains("the model server can't be reached") && blocker.contains("start it"),
        "{blocker}"
    );

    let _again = ModelServer::start(1, running.port(), None).await.unwrap();
    status_when(&mut provider, "the return", |status| status.state == "online").await;
    let id = order(&mut buyer, key, "And again.").await.unwrap();
    assert_eq!(outcome(&mut buyer, &id).await.unwrap().paid_msat, PRICE_MSAT);
    settled(&mut provider, 2).await.unwrap();
    let mut stage = stage;
    let home = stage.world.provider.home.path().to_owned();
    stage.world.provider.stop_in_order().await;
    assert_eq!(sound(&home).await.unwrap().settled_msat, 2 * PRICE_MSAT);
    stage.strike().await;
}
