//! Another model serves while the host runs; one that is missing is fetched, over a kill of the host too.
use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use autopilot_host::{
    config::{Config, Model},
    models,
    sandbox::ChainKind,
};
use autopilot_proto::control::v1 as pb;
use autopilot_world_tests::stage::{Stage, model};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use crate::{
    facts::Facts,
    model_faults::paid_job,
    model_server::status_when,
    programs::support::{ctl, json, refused},
};

/// A server of one file that knows Range. It stops in the middle until it is let go on.
struct FileServer {
    url: String,
    /// Where each answer began.
    begun: Arc<Mutex<Vec<usize>>>,
    go_on: Arc<Notify>,
}

impl FileServer {
    async fn start(bytes: Vec<u8>) -> FileServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/small.gguf", listener.local_addr().unwrap());
        let (begun, go_on) = (Arc::<Mutex<Vec<usize>>>::default(), Arc::<Notify>::default());
        let (seen, wait) = (begun.clone(), go_on.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Whoever is cut off comes back by itself.
                let _ = answer(stream, &bytes, &seen, &wait).await;
            }
        });
        FileServer { url, begun, go_on }
    }
}

async fn answer(
    mut stream: TcpStream,
    bytes: &[u8],
    begun: &Mutex<Vec<usize>>,
    go_on: &Notify,
) -> std::io::Result<()> {
    let (mut asked, mut buffer) = (Vec::new(), [0; 4_096]);
    while !asked.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            count => asked.extend_from_slice(&buffer[..count]),
        }
    }
    let asked = String::from_utf8_lossy(&asked).to_lowercase();
    let from = asked
        .split_once("range: bytes=")
        .and_then(|(_, rest)| rest.split_once('-'));
    let from: usize = from.map_or(0, |(from, _)| from.parse().unwrap());
    let first = begun.lock().unwrap().is_empty();
    begun.lock().unwrap().push(from);
    let (total, rest) = (bytes.len(), &bytes[from..]);
    let head = match from {
        0 => format!("HTTP/1.1 200 OK\r\ncontent-length: {total}\r\n\r\n"),
        _ => format!(
            "HTTP/1.1 206 Partial Content\r\ncontent-length: {}\r\ncontent-range: bytes {from}-{}/{total}\r\n\r\n",
            rest.len(),
            total - 1
        ),
    };
    stream.write_all(head.as_bytes()).await?;
    if first {
        stream.write_all(&rest[..total / 2]).await?;
        go_on.notified().await;
        return Ok(());
    }
    stream.write_all(rest).await
}

fn copied(folder: &tempfile::TempDir, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::copy(model().unwrap(), &path).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn another_model_serves_while_the_host_runs_and_a_missing_one_is_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (copied(&folder, "old.gguf"), copied(&folder, "new.gguf"));
    let chosen = Model::file(&old);
    let mut stage = Stage::build_with(ChainKind::Simulated, |options| options.model = chosen)
        .await
        .unwrap();
    stage.world.go_online().await.unwrap();
    let home = stage.world.provider.home.clone();
    paid_job(&stage, "Say one.").await;

    refused(home.path(), &["model", "choose", "no-such-model"], 5, "not-found").await;
    let mut facts = Facts::of(&mut stage.world.provider.client().unwrap()).await;
    let reply = json(home.path(), &["model", "choose", new.to_str().unwrap()]).await;
    assert_eq!(reply["effect"], "now", "{reply}");
    assert_eq!(facts.next("model.chosen").await["source"], "file");
    // Only the new one can be loaded again.
    fs::remove_file(&old).unwrap();
    assert_eq!(ctl(home.path(), &["model", "unload"]).await.code, 0);
    assert_eq!(ctl(home.path(), &["model", "warm"]).await.code, 0);
    paid_job(&stage, "Say two.").await;
    let known = stage
        .world
        .provider
        .client()
        .unwrap()
        .models(pb::ModelsRequest {})
        .await;
    let known = known.unwrap().into_inner();
    let serves: Vec<_> = known.models.iter().filter(|model| model.chosen).collect();
    assert!(
        matches!(serves[..], [one] if one.place == new.display().to_string()),
        "{known:?}"
    );

    let bytes = fs::read(&new).unwrap();
    let server = FileServer::start(bytes).await;
    let config = Config::read(&home.config_file()).unwrap();
    let missing = Config {
        model: Some(Model::File {
            path: models::models_dir(home.path()).join("small.gguf"),
            sha256: Some(models::hex(models::digest_of(&new, |_| {}).unwrap())),
            url: Some(server.url.clone()),
        }),
        ..config
    };
    assert!(stage.world.provider.stop_in_order().await);
    missing.write(&home.config_file()).unwrap();
    stage.world.provider.restart(&[]).await.unwrap();
    let mut provider = stage.world.provider.client().unwrap();
    let status = status_when(&mut provider, "a fetch under way", |status| {
        status
            .model_fetch
            .as_ref()
            .is_some_and(|fetch| fetch.have_bytes > 0)
    })
    .await;
    assert!(status.model.is_empty() && !status.can_earn, "{status:?}");
    stage.world.provider.kill().await;
    server.go_on.notify_one();
    stage.world.provider.restart(&[]).await.unwrap();
    let mut provider = stage.world.provider.client().unwrap();
    let status = status_when(&mut provider, "a model", |status| !status.model.is_empty()).await;
    assert_eq!(status.model_fetch, None);
    let begun = server.begun.lock().unwrap().clone();
    assert!(matches!(begun[..], [0, from] if from > 0), "{begun:?}");
    stage.world.go_online().await.unwrap();
    paid_job(&stage, "Say three.").await;
    stage.strike().await;
}
