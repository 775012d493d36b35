//! Who is turned away, and how.
use super::World;

#[tokio::test]
async fn strangers_are_turned_away_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(&folder.path().join("home")).await;
    let (token, address) = (world.manifest().token.clone(), world.manifest().address.clone());
    assert_eq!(token.len(), 64);
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let asked = async |lines: &str| {
        let answer = world
            .raw(&format!("GET /v1/snapshot?views=panes HTTP/1.1\r\n{lines}"), "")
            .await;
        (answer.status, answer.code().to_owned())
    };
    assert_eq!(asked(&bearer).await, (200, String::new()));
    assert_eq!(asked("").await, (401, "unauthorized".to_owned()));
    let wrong = format!("Authorization: Bearer {}\r\n", "0".repeat(64));
    assert_eq!(asked(&wrong).await, (401, "unauthorized".to_owned()));
    let foreign = format!("Host: rebound.example\r\n{bearer}");
    assert_eq!(asked(&foreign).await, (403, "foreign-host".to_owned()));
    let page = format!("{bearer}Origin: http://{address}\r\n");
    assert_eq!(asked(&page).await, (403, "foreign-origin".to_owned()));

    assert_eq!(world.get("/v1/nothing").await.code(), "not-found");
    assert_eq!(world.get("/v1/commands").await.status, 405);
    let large = world.post(&" ".repeat(300 * 1024)).await;
    assert_eq!((large.status, large.code()), (413, "too-large"));
    let form =
        format!("POST /v1/commands HTTP/1.1\r\n{bearer}Content-Type: text/plain\r\nContent-Length: 2\r\n");
    assert_eq!(world.raw(&form, "{}").await.status, 415);
    world.stop().await;
}

#[tokio::test]
async fn the_manifest_comes_and_goes_with_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("home");
    let world = World::start(&path).await;
    let file = world.home.control_manifest();
    let said = super::Manifest::read(&file).unwrap();
    assert_eq!((&said, said.home.as_path()), (world.manifest(), path.as_path()));
    assert!(said.address.starts_with("127.0.0.1:"));
    let first = said.token;
    world.stop().await;
    assert!(!file.exists());
    let again = World::start(&path).await;
    assert_ne!(again.manifest().token, first, "a token is of one run");
    again.stop().await;
}
