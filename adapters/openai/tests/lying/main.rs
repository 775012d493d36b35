//! Servers that lie, hang, send too much or refuse: each ends in a named reason, within bounds, and says nothing of
//! prompt or key.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the verdict"
)]
mod liar;

use std::{os::unix::fs::PermissionsExt, time::Duration};

use autopilot_core::ports::model::{
    GenerateRequest, Input, Model, ModelError, ModelErrorCode, Sampling, ServerFault,
};
use autopilot_events::words::JobId;
use autopilot_openai::{OpenAiServer, ServerConfig};

use crate::liar::{Liar, Reply, event, json, status};

const PROMPT: &str = "a prompt that nobody else may see";
const KEY: &str = "sk-key-that-nobody-may-see";

fn ask(number: u8) -> GenerateRequest {
    GenerateRequest {
        job: JobId([number; 32]),
        input: Input::question(PROMPT),
        max_tokens: 16,
        sampling: Sampling::default(),
        stop: Vec::new(),
        deadline_ms: None,
    }
}

fn server(liar: &Liar, adapt: impl FnOnce(&mut ServerConfig)) -> OpenAiServer {
    let mut config = ServerConfig::new(&liar.url()).unwrap();
    config.model = Some("m".to_owned());
    adapt(&mut config);
    OpenAiServer::new(config).unwrap()
}

fn fault(error: &ModelError) -> ServerFault {
    match error.code() {
        ModelErrorCode::Server(fault) => fault,
        other => panic!("{other:?}"),
    }
}

async fn check(replies: Vec<Reply>, expect: ServerFault) -> (Liar, OpenAiServer, ModelError) {
    let liar = Liar::start(replies).await;
    let server = server(&liar, |config| {
        config.silence_bound = Duration::from_millis(400);
        config.patience = Duration::from_secs(5);
        config.output_bytes_max = 4 << 10;
    });
    let error = server.generate(ask(1), |_| {}).await.expect_err("a lie");
    assert_eq!(fault(&error), expect, "{error}");
    let words = format!("{error} {}", error.next_step());
    assert!(!words.contains(PROMPT) && !words.contains(KEY), "{words}");
    (liar, server, error)
}

fn good() -> Reply {
    Reply::stream(&[
        &event(r#"{"choices":[{"delta":{"content":"yes"}}],"model":"m-claimed"}"#),
        &event(r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#),
        &event(r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":1}}"#),
        &event("[DONE]"),
    ])
}

#[tokio::test]
async fn what_makes_no_sense_is_named() {
    check(
        vec![Reply::whole(&status("200 OK", "text/html", "<p>hello</p>"))],
        ServerFault::Malformed,
    )
    .await;
    check(
        vec![Reply::stream(&[&event("{not json")])],
        ServerFault::Malformed,
    )
    .await;
    check(vec![Reply::stream(&[&event("[1]")])], ServerFault::Malformed).await;
    let called = r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#;
    check(vec![Reply::stream(&[&event(called)])], ServerFault::Malformed).await;
    check(
        vec![Reply::whole("no http at all\r\n\r\n")],
        ServerFault::Unreachable,
    )
    .await;
    let error = r#"{"error":{"message":"a prompt that nobody else may see","type":"server_error"}}"#;
    check(vec![Reply::stream(&[&event(error)])], ServerFault::Failed).await;
}

#[tokio::test]
async fn what_has_no_end_is_bounded() {
    let piece = event(r#"{"choices":[{"delta":{"content":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}}]}"#);
    check(vec![Reply::endless(&piece)], ServerFault::OutputTooLarge).await;
    check(
        vec![Reply::endless(&"x".repeat(4_096))],
        ServerFault::OutputTooLarge,
    )
    .await;
    check(
        vec![Reply::endless(": still here\n")],
        ServerFault::OutputTooLarge,
    )
    .await;
    check(vec![Reply::Silent], ServerFault::Silent).await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer_and_is_not_asked_for_twice() {
    let half = event(r#"{"choices":[{"delta":{"content":"half an ans"}}]}"#);
    let (liar, ..) = check(vec![Reply::stream(&[&half]), good()], ServerFault::Unreachable).await;
    assert_eq!(liar.calls("/v1/chat/completions"), 1);
}

#[tokio::test]
async fn a_server_without_room_is_asked_again_and_not_for_ever() {
    let full = || Reply::whole(&status("503 Service Unavailable\r\nRetry-After: 0", json(), "{}"));
    let liar = Liar::start(vec![full(), full(), good()]).await;
    let patient = server(&liar, |_| {});
    let mut streamed = String::new();
    let answer = patient
        .generate(ask(1), |text| streamed.push_str(text))
        .await
        .unwrap();
    assert_eq!((answer.text.as_str(), streamed.as_str()), ("yes", "yes"));
    let receipt = &answer.receipt;
    assert_eq!(
        (receipt.model_name.as_str(), receipt.claim.as_str()),
        ("m-claimed", "none")
    );
    assert_eq!(
        (
            receipt.prompt_tokens,
            receipt.output_tokens,
            receipt.counts_reported
        ),
        (7, 1, true)
    );
    assert_eq!((receipt.model_digest, receipt.output_tokens_digest), (None, None));
    assert_eq!(liar.calls("/v1/chat/completions"), 3);
    let tomorrow = Reply::whole(&status(
        "429 Too Many Requests\r\nRetry-After: 86400",
        json(),
        "{}",
    ));
    let (liar, ..) = check(vec![tomorrow], ServerFault::Overloaded).await;
    assert_eq!(liar.calls("/v1/chat/completions"), 1);
}

#[tokio::test]
async fn refusals_are_told_apart_and_their_sentences_are_not_repeated() {
    let said = r#"{"error":{"message":"a prompt that nobody else may see","type":"invalid_request_error"}}"#;
    let refused = |code: &str| vec![Reply::whole(&status(code, json(), said))];
    let (.., error) = check(refused("401 Unauthorized"), ServerFault::Unauthorised).await;
    assert!(error.to_string().contains("invalid_request_error"), "{error}");
    check(refused("404 Not Found"), ServerFault::ModelMissing).await;
    check(refused("500 Internal Server Error"), ServerFault::Failed).await;
    let long = r#"{"error":{"message":"This model's maximum context length is 8 tokens"}}"#;
    let long = Reply::whole(&status("400 Bad Request", json(), long));
    let (_, server, _) = check(vec![long], ServerFault::ContextTooLong).await;
    assert_eq!(
        server.health().problem,
        None,
        "the prompt's fault is not the server's"
    );
    let liar = Liar::start(refused("400 Bad Request")).await;
    let error = server_of(&liar).generate(ask(1), |_| {}).await.unwrap_err();
    assert_eq!(error.code(), ModelErrorCode::RequestInvalid, "{error}");
    assert!(!error.to_string().contains(PROMPT), "{error}");
}

fn server_of(liar: &Liar) -> OpenAiServer {
    server(liar, |_| {})
}

/// Key and prompt go to the configured server alone.
#[tokio::test]
async fn a_redirection_is_not_followed() {
    let thief = Liar::start(vec![good()]).await;
    let there = format!(
        "307 Temporary Redirect\r\nLocation: {}/chat/completions",
        thief.url()
    );
    check(
        vec![Reply::whole(&status(&there, json(), ""))],
        ServerFault::Malformed,
    )
    .await;
    assert_eq!(thief.calls("/v1/chat/completions"), 0);
}

#[tokio::test]
async fn the_key_goes_into_its_header_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, KEY).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let liar = Liar::start(vec![good()]).await;
    let server = server(&liar, |config| config.key_file = Some(path.clone()));
    server.generate(ask(1), |_| {}).await.unwrap();
    let heard = liar.heard();
    assert_eq!(heard.matches(KEY).count(), 1);
    let shown = heard.lines().find(|line| line.contains(KEY)).unwrap();
    assert_eq!(shown.to_lowercase(), format!("authorization: bearer {KEY}"));
    std::fs::remove_file(&path).unwrap();
    let error = server.generate(ask(2), |_| {}).await.unwrap_err();
    assert_eq!(fault(&error), ServerFault::Unauthorised, "{error}");
}

#[tokio::test]
async fn cancel_and_deadline_end_a_request_that_a_server_holds() {
    let liar = Liar::start(vec![Reply::Silent, Reply::Silent]).await;
    let server = server_of(&liar);
    let mut short = ask(1);
    short.deadline_ms = Some(50);
    assert_eq!(
        server.generate(short, |_| {}).await,
        Err(ModelError::DeadlineExceeded { partial: None })
    );
    let held = server.generate(ask(2), |_| {});
    let stop = async {
        liar.called("/v1/chat/completions", 2).await;
        assert_eq!(server.health().running, [JobId([2; 32])]);
        assert!(server.cancel(JobId([2; 32])).await);
    };
    let (outcome, ()) = tokio::join!(held, stop);
    assert_eq!(outcome, Err(ModelError::Cancelled { partial: None }));
    assert!(
        !server.cancel(JobId([2; 32])).await,
        "nobody is known by that name any more"
    );
}

/// Its list of models is fine, and its answers are not: it is held against it until an answer is good again.
#[tokio::test]
async fn nonsense_is_held_against_a_server_that_looks_well() {
    let (_liar, server, error) = check(
        vec![
            Reply::whole(&status("200 OK", "text/html", "<p>hello</p>")),
            good(),
        ],
        ServerFault::Malformed,
    )
    .await;
    assert_eq!(server.describe().await.unwrap().name, "m");
    let health = server.health();
    assert_eq!((health.model, health.problem), (None, Some(error)));
    server.generate(ask(2), |_| {}).await.unwrap();
    let health = server.health();
    assert_eq!(
        (health.model.map(|model| model.name), health.problem),
        (Some("m".into()), None)
    );
}

#[tokio::test]
async fn nobody_at_the_address_is_said_so() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut config = ServerConfig::new(&format!("http://{address}")).unwrap();
    config.patience = Duration::from_millis(600);
    let server = OpenAiServer::new(config).unwrap();
    let error = server.describe().await.unwrap_err();
    assert_eq!(fault(&error), ServerFault::Unreachable);
    assert!(error.to_string().contains("Connection refused"), "{error}");
    let health = server.health();
    assert_eq!((health.model, health.problem), (None, Some(error)));
}
