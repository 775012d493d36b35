//! Pulls against a server on loopback that knows Range, cuts connections, and lies.

use std::{
    fs,
    ops::ControlFlow,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use autopilot_inference::{ModelStore, PullOptions, Source, StoreError, store::Progress};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// How the server behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Manner {
    Honest,
    /// Closes the connection once this many bytes of body were sent, the first time.
    CutOnceAfter(usize),
    /// Knows no Range: always sends everything.
    NoRange,
    /// Answers Range with another part.
    OtherPart,
    Missing,
}

struct Server {
    url: String,
    /// Bytes of bodies sent in all.
    sent: Arc<AtomicU64>,
}

impl Server {
    async fn start(body: Vec<u8>, manner: Manner) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/some/small-model.gguf", listener.local_addr().unwrap());
        let sent = Arc::<AtomicU64>::default();
        let counter = sent.clone();
        tokio::spawn(async move {
            let mut manner = manner;
            while let Ok((stream, _)) = listener.accept().await {
                answer(stream, &body, manner, &counter).await;
                if matches!(manner, Manner::CutOnceAfter(_)) {
                    manner = Manner::Honest;
                }
            }
        });
        Server { url, sent }
    }

    fn source(&self, sha256: [u8; 32]) -> Source {
        Source::Address {
            url: self.url.clone(),
            sha256: Some(sha256),
        }
    }
}

async fn answer(mut stream: TcpStream, body: &[u8], manner: Manner, sent: &AtomicU64) {
    let mut begin = None;
    let mut lines = BufReader::new(&mut stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            begin = range.trim_end_matches('-').parse::<usize>().ok();
        }
    }
    let total = body.len();
    let begin = begin.filter(|_| manner != Manner::NoRange);
    let (head, part) = match (manner, begin) {
        (Manner::Missing, _) => ("404 Not Found\r\ncontent-length: 0".to_owned(), &[][..]),
        (_, Some(begin)) if begin >= total => (
            format!("416 Range Not Satisfiable\r\ncontent-range: bytes */{total}\r\ncontent-length: 0"),
            &[][..],
        ),
        (_, Some(begin)) => {
            let said = if manner == Manner::OtherPart {
                begin - 1
            } else {
                begin
            };
            let part = &body[begin..];
            let (length, last) = (part.len(), total - 1);
            let range = format!("content-range: bytes {said}-{last}/{total}");
            (
                format!("206 Partial Content\r\n{range}\r\ncontent-length: {length}"),
                part,
            )
        }
        (_, None) => (format!("200 OK\r\ncontent-length: {total}"), body),
    };
    let part = match manner {
        Manner::CutOnceAfter(bytes) => &part[..bytes.min(part.len())],
        _ => part,
    };
    sent.fetch_add(part.len() as u64, Ordering::SeqCst);
    // The reader may hang up on purpose.
    let _ = stream
        .write_all(format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n").as_bytes())
        .await;
    let _ = stream.write_all(part).await;
    let _ = stream.shutdown().await;
}

/// Bytes that are like no others of another length.
fn body(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| u8::try_from(at * 31 % 251).unwrap())
        .collect()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn store() -> (TempDir, ModelStore) {
    let dir = TempDir::new().unwrap();
    let store = ModelStore::open(dir.path().join("models")).unwrap();
    (dir, store)
}

fn names(store: &ModelStore) -> Vec<String> {
    let entries = fs::read_dir(store.dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.collect();
    names.sort();
    names
}

fn go_on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[tokio::test]
async fn a_pull_shows_progress_and_ends_in_the_list() {
    let (bytes, (_dir, store)) = (body(3_000_000), store());
    let server = Server::start(bytes.clone(), Manner::Honest).await;
    let mut seen = Vec::new();
    let watch = |progress: Progress| {
        seen.push(progress);
        ControlFlow::Continue(())
    };
    let model = store
        .pull(&server.source(sha256(&bytes)), &PullOptions::default(), watch)
        .await
        .unwrap();
    assert!(seen.windows(2).all(|two| two[0].have_bytes < two[1].have_bytes));
    assert_eq!(
        seen.last(),
        Some(&Progress {
            have_bytes: 3_000_000,
            total_bytes: Some(3_000_000)
        })
    );
    assert_eq!(model.name, "small-model.gguf");
    assert_eq!((model.bytes, model.sha256), (3_000_000, Some(sha256(&bytes))));
    assert_eq!(fs::read(&model.path).unwrap(), bytes);
    assert_eq!(store.list().unwrap(), vec![model.clone()]);
    assert_eq!(store.find("small-model").unwrap(), model);
    assert_eq!(names(&store), ["small-model.gguf", "small-model.gguf.sha256"]);
}

#[tokio::test]
async fn a_cut_pull_goes_on_where_it_was_cut() {
    let (bytes, (_dir, store)) = (body(2_000_000), store());
    let server = Server::start(bytes.clone(), Manner::CutOnceAfter(1_200_000)).await;
    let source = server.source(sha256(&bytes));
    match store.pull(&source, &PullOptions::default(), go_on).await {
        Err(StoreError::Cut { have_bytes, .. }) => assert_eq!(have_bytes, 1_200_000),
        other => panic!("{other:?}"),
    }
    assert_eq!(names(&store), ["small-model.gguf.part"]);
    assert_eq!(store.list().unwrap(), vec![], "a part is no model");
    let model = store.pull(&source, &PullOptions::default(), go_on).await.unwrap();
    assert_eq!(fs::read(&model.path).unwrap(), bytes);
    assert_eq!(
        server.sent.load(Ordering::SeqCst),
        2_000_000,
        "nothing came twice"
    );
}

async fn check_with_part(
    manner: Manner,
    part: &[u8],
    expect: impl FnOnce(Result<Vec<u8>, StoreError>, Vec<String>),
) {
    let (bytes, (_dir, store)) = (body(500_000), store());
    fs::write(store.dir().join("small-model.gguf.part"), part).unwrap();
    let server = Server::start(bytes.clone(), manner).await;
    let pulled = store
        .pull(&server.source(sha256(&bytes)), &PullOptions::default(), go_on)
        .await;
    expect(pulled.map(|model| fs::read(model.path).unwrap()), names(&store));
}

#[tokio::test]
async fn whatever_an_earlier_pull_left_the_whole_file_comes() {
    let bytes = body(500_000);
    let whole =
        |pulled: Result<Vec<u8>, StoreError>, _: Vec<String>| assert_eq!(pulled.unwrap(), body(500_000));
    check_with_part(Manner::NoRange, &bytes[..1_000], whole).await;
    check_with_part(Manner::Honest, &bytes, whole).await;
    check_with_part(Manner::Honest, &body(600_000), whole).await;
    check_with_part(Manner::Honest, b"quite another beginning", |pulled, names| {
        assert!(
            matches!(pulled, Err(StoreError::ChecksumMismatch { .. })),
            "{pulled:?}"
        );
        assert!(names.is_empty(), "what was wrong is gone: {names:?}");
    })
    .await;
    check_with_part(Manner::OtherPart, &bytes[..1_000], |pulled, _| {
        assert!(matches!(pulled, Err(StoreError::BadAddress { .. })), "{pulled:?}");
    })
    .await;
}

#[tokio::test]
async fn a_wrong_file_is_refused_and_removed() {
    let (bytes, (_dir, store)) = (body(100_000), store());
    let server = Server::start(bytes, Manner::Honest).await;
    let refused = store
        .pull(&server.source([7; 32]), &PullOptions::default(), go_on)
        .await;
    assert!(
        matches!(refused, Err(StoreError::ChecksumMismatch { .. })),
        "{refused:?}"
    );
    assert_eq!(names(&store), [""; 0]);
}

#[tokio::test]
async fn what_cannot_be_pulled_says_why() {
    let (bytes, (_dir, store)) = (body(100_000), store());
    let server = Server::start(bytes.clone(), Manner::Honest).await;
    let little_space = PullOptions {
        free_bytes: Some(90_000),
        ..PullOptions::default()
    };
    let full = store
        .pull(&server.source(sha256(&bytes)), &little_space, go_on)
        .await;
    assert!(
        matches!(
            full,
            Err(StoreError::NoSpace {
                free_bytes: 90_000,
                ..
            })
        ),
        "{full:?}"
    );
    let gone = Server::start(Vec::new(), Manner::Missing).await;
    let missing = store
        .pull(&gone.source([0; 32]), &PullOptions::default(), go_on)
        .await;
    assert_eq!(missing, Err(StoreError::Refused { status: 404 }));
    let stop = store
        .pull(&server.source(sha256(&bytes)), &PullOptions::default(), |_| {
            ControlFlow::Break(())
        })
        .await;
    assert_eq!(stop, Err(StoreError::Stopped));
    let unchecked = Source::Address {
        url: server.url.clone(),
        sha256: None,
    };
    assert_eq!(
        store.pull(&unchecked, &PullOptions::default(), go_on).await,
        Err(StoreError::ChecksumNeeded)
    );
    let scheme = Source::Address {
        url: "ftp://host.invalid/a.gguf".into(),
        sha256: Some([0; 32]),
    };
    let refused = store.pull(&scheme, &PullOptions::default(), go_on).await;
    assert!(
        matches!(refused, Err(StoreError::BadAddress { .. })),
        "{refused:?}"
    );
    let unknown = store
        .pull(&Source::Pinned("none".into()), &PullOptions::default(), go_on)
        .await;
    assert_eq!(unknown, Err(StoreError::Unknown { name: "none".into() }));
    let nobody = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let dead = Source::Address {
        url: format!("http://{nobody}/a.gguf"),
        sha256: Some([0; 32]),
    };
    let cut = store.pull(&dead, &PullOptions::default(), go_on).await;
    assert!(
        matches!(cut, Err(StoreError::Cut { have_bytes: 0, .. })),
        "{cut:?}"
    );
}

#[tokio::test]
async fn a_local_file_is_copied_under_a_name() {
    let (bytes, (dir, store)) = (body(10_000), store());
    let from = dir.path().join("Some Model.gguf");
    fs::write(&from, &bytes).unwrap();
    let pull = async |from: &Path, name: Option<&str>| {
        let options = PullOptions {
            name: name.map(str::to_owned),
            ..PullOptions::default()
        };
        store.pull(&Source::File(from.to_owned()), &options, go_on).await
    };
    assert!(matches!(pull(&from, None).await, Err(StoreError::BadName { .. })));
    let model = pull(&from, Some("mine")).await.unwrap();
    assert_eq!(
        (model.name.as_str(), model.sha256),
        ("mine.gguf", Some(sha256(&bytes)))
    );
    assert!(matches!(
        pull(&dir.path().join("none.gguf"), None).await,
        Err(StoreError::File { .. })
    ));
    let escape = pull(&from, Some("../mine")).await;
    assert!(matches!(escape, Err(StoreError::BadName { .. })), "{escape:?}");
}

#[tokio::test]
async fn two_pulls_of_one_model_do_not_meet() {
    let (bytes, (_dir, store)) = (body(100_000), store());
    let server = Server::start(bytes.clone(), Manner::Honest).await;
    let part = fs::File::create(store.dir().join("small-model.gguf.part")).unwrap();
    part.lock().unwrap();
    let source = server.source(sha256(&bytes));
    assert_eq!(
        store.pull(&source, &PullOptions::default(), go_on).await,
        Err(StoreError::InProgress)
    );
    drop(part);
    store.pull(&source, &PullOptions::default(), go_on).await.unwrap();
}
