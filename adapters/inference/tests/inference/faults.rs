//! What goes wrong ends in a named reason, and the next request is served.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use super::common::{World, ask, fixture, long};
use autopilot_core::ports::model::{Model, ModelError, ModelErrorCode};
use autopilot_inference::{ModelFile, WorkerConfig};
use autopilot_proto::inference::v1::{self as wire, inference_client::InferenceClient};
use hyper_util::rt::TokioIo;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::UnixStream,
};
use tonic::transport::Endpoint;

async fn check_served(world: &World) {
    let generation = world.worker.generate(ask(99, "Hi", 2), |_| {}).await.unwrap();
    assert!(generation.receipt.output_tokens > 0);
    assert_eq!(world.worker.health().await.failures, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_has_its_signal_and_the_worker_is_replaced() {
    let world = World::faulty("abort_after_tokens:3");
    let before = world.worker.describe().await.unwrap();
    let first_pid = world.worker.health().await.pid;
    let crashed = world.worker.generate(long(1), |_| {}).await;
    assert_eq!(
        crashed,
        Err(ModelError::WorkerCrashed {
            signal: Some(6),
            exit_code: None
        })
    );
    check_served(&world).await;
    assert_ne!(world.worker.health().await.pid, first_pid);
    assert_eq!(world.worker.describe().await.unwrap().digest, before.digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_during_work_and_one_while_idle() {
    let world = World::new(|_| {});
    world.worker.describe().await.unwrap();
    let pid = async || {
        Pid::from_raw(
            world
                .worker
                .health()
                .await
                .pid
                .expect("a worker runs")
                .try_into()
                .unwrap(),
        )
    };
    let victim = pid().await;
    let killed = world
        .worker
        .generate(long(1), |_| _ = kill(victim, Signal::SIGKILL))
        .await;
    assert_eq!(
        killed,
        Err(ModelError::WorkerCrashed {
            signal: Some(9),
            exit_code: None
        })
    );
    check_served(&world).await;
    // While idle nothing is lost: the next request is served as if nothing had been.
    kill(pid().await, Signal::SIGKILL).unwrap();
    check_served(&world).await;
}

/// A provider whose worker died between two jobs gets no job by which to notice: being asked how it is has to do.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_idle_is_replaced_without_a_request() {
    let world = World::new(|_| {});
    world.worker.describe().await.unwrap();
    let first = world.worker.health().await.pid.expect("a worker runs");
    kill(Pid::from_raw(first.try_into().unwrap()), Signal::SIGKILL).unwrap();
    let back = async {
        loop {
            let health = world.worker.health().await;
            if health.model.is_some() && health.pid != Some(first) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), back)
        .await
        .expect("another worker with the model loaded");
    world.worker.unload().await;
    assert_eq!(world.worker.health().await.pid, None);
    let again = world.worker.health().await;
    assert_eq!(
        (again.pid, again.model),
        (None, None),
        "one that was ended on purpose stays away"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_is_noticed_by_its_silence() {
    let world = World::new(|config| {
        config.first_fault = Some("hang_after_tokens:3".into());
        config.watchdog = Duration::from_secs(5);
    });
    let hung = world.worker.generate(long(1), |_| {}).await;
    assert_eq!(hung, Err(ModelError::WorkerHung { silent_ms: 5_000 }));
    check_served(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_beyond_the_bound_has_a_name() {
    let world = World::faulty("eat_memory");
    assert_eq!(
        world.worker.generate(long(1), |_| {}).await,
        Err(ModelError::OutOfMemory)
    );
    check_served(&world).await;
    let small = World::new(|config| config.memory_limit_bytes = 64 << 20);
    match small.worker.describe().await {
        Err(ModelError::ModelTooLarge {
            need_bytes,
            limit_bytes,
        }) => {
            assert!(need_bytes > limit_bytes && limit_bytes == 64 << 20);
        }
        other => panic!("{other:?}"),
    }
}

async fn check_refused(adapt: impl FnOnce(&Path, &mut WorkerConfig), expect: ModelErrorCode) {
    let files = tempfile::TempDir::new().unwrap();
    let world = World::new(|config| adapt(files.path(), config));
    let refused = world.worker.describe().await.expect_err("the model is refused");
    assert_eq!(refused.code(), expect, "{refused}");
    assert!(!refused.to_string().is_empty());
}

fn model(config: &mut WorkerConfig, path: &Path) {
    config.model = ModelFile {
        path: path.to_owned(),
        sha256: None,
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_no_model_are_refused_by_name() {
    check_refused(
        |dir, config| model(config, &dir.join("none.gguf")),
        ModelErrorCode::ModelMissing,
    )
    .await;
    check_refused(
        |_, config| config.model.sha256 = Some([1; 32]),
        ModelErrorCode::ModelDigestMismatch,
    )
    .await;
    check_refused(|dir, config| model(config, dir), ModelErrorCode::ModelUnreadable).await;
    let write = |dir: &Path, bytes: &[u8]| {
        let path = dir.join("model.gguf");
        fs::File::create(&path).unwrap().write_all(bytes).unwrap();
        path
    };
    let whole = fs::read(fixture()).unwrap();
    for bytes in [
        &whole[..whole.len() / 2],
        &whole[..1_000],
        &b"GGUF"[..],
        &b"no model at all"[..],
        &[],
    ] {
        check_refused(
            |dir, config| model(config, &write(dir, bytes)),
            ModelErrorCode::ModelUnreadable,
        )
        .await;
    }
    check_refused(
        |_, config| config.n_ctx = 10_000_000,
        ModelErrorCode::RequestInvalid,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_cannot_be_started_is_said_so() {
    check_refused(
        |dir, config| config.program = dir.join("none"),
        ModelErrorCode::WorkerMissing,
    )
    .await;
    check_refused(
        |_, config| config.program = "/bin/true".into(),
        ModelErrorCode::WorkerUnavailable,
    )
    .await;
    let deep = "deep/".repeat(30);
    check_refused(
        |dir, config| config.runtime_dir = dir.join(deep),
        ModelErrorCode::WorkerUnavailable,
    )
    .await;
}

/// The host is killed: its end of the worker's stdin closes with it, be the worker idle or at work.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_outlives_no_parent() {
    for at_work in [false, true] {
        let dir = tempfile::TempDir::new().unwrap();
        let socket = dir.path().join("w.sock");
        let program = autopilot_inference::worker_program().unwrap();
        let mut command = tokio::process::Command::new(program);
        command
            .arg("--socket")
            .arg(&socket)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut worker = command.spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(worker.stdout.take().unwrap())
            .read_line(&mut ready)
            .await
            .unwrap();
        assert!(ready.contains("\"ready\":true"), "{ready}");
        let stream = if at_work {
            Some(begin_work(socket).await)
        } else {
            None
        };
        drop(worker.stdin.take());
        let ended = tokio::time::timeout(Duration::from_secs(10), worker.wait())
            .await
            .expect("it ends")
            .unwrap();
        assert!(at_work || ended.success(), "{ended}");
        drop(stream);
    }
}

/// Loads the model and begins a long answer, by the contract alone.
async fn begin_work(socket: PathBuf) -> tonic::Streaming<wire::GenerateEvent> {
    let connector = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    let channel = Endpoint::from_static("http://worker.invalid")
        .connect_with_connector(connector)
        .await
        .unwrap();
    let mut client = InferenceClient::new(channel);
    let load = wire::LoadRequest {
        path: fixture().display().to_string(),
        ..Default::default()
    };
    client.load(load).await.unwrap();
    let request = wire::GenerateRequest {
        job_id: vec![1],
        input: Some(wire::generate_request::Input::Text(
            "1 2 3 4 5 6 7 8 9 10 11 12".into(),
        )),
        max_tokens: 1_500,
        ..Default::default()
    };
    let mut stream = client.generate(request).await.unwrap().into_inner();
    stream.message().await.unwrap().expect("a sign of progress");
    stream
}
