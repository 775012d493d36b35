use std::{fs, path::Path};

use super::*;
use crate::{
    config::{Config, Model, ModelServer},
    home::Home,
    models::Source,
    secrets::{Key, SecretString, Secrets},
};

/// A wish that comes true without a network.
fn wish() -> Wish {
    Wish {
        relays: vec!["ws://127.0.0.1:1".into()],
        blocks: Some(blocks_of("http://127.0.0.1:1").unwrap()),
        protect: Protect::Folder,
        ..Wish::of("regtest")
    }
}

fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("h");
    (folder, path)
}

fn fields(wish: &Wish) -> Vec<Field> {
    wish.problems().into_iter().map(|problem| problem.field).collect()
}

/// The folder as a crash after this many steps would have left it.
fn cut(home: &Path, steps: usize) {
    for last in ["config.toml", "identity.age", "passphrase"]
        .iter()
        .take(3 - steps)
    {
        fs::remove_file(home.join(last)).unwrap();
    }
}

#[test]
fn a_crash_between_any_two_steps_leaves_a_home_that_the_same_call_finishes() {
    for steps in 0..=3 {
        let (_folder, path) = folder();
        assert_eq!(inspect(&path), Standing::New);
        assert!(!path.exists(), "looking makes nothing");
        let first = prepare(&path, wish()).unwrap();
        assert!(first.made_identity);
        let words = Secrets::open(&Home::look(&path).unwrap(), &first.key).unwrap();
        cut(&path, steps);
        let standing = if steps == 3 {
            Standing::Ready
        } else {
            Standing::New
        };
        assert_eq!(inspect(&path), standing, "after {steps} steps");
        let again = prepare(&path, wish()).unwrap();
        assert_eq!(again.made_identity, steps < 2, "after {steps} steps");
        let now = Secrets::open(&Home::look(&path).unwrap(), &again.key).unwrap();
        assert_eq!(
            now.is_same(&words),
            steps >= 2,
            "an identity that was there stays"
        );
        assert_eq!(again.config, first.config);
        assert_eq!(inspect(&path), Standing::Ready);
    }
}

#[test]
fn what_a_first_try_left_does_not_say_how_the_second_is_protected() {
    let (_folder, path) = folder();
    prepare(&path, wish()).unwrap();
    cut(&path, 1);
    fs::write(path.join("keyring"), "identity-of-a-first-try").unwrap();
    let again = Wish {
        protect: Protect::Passphrase(SecretString::from("correct horse battery")),
        ..wish()
    };
    let prepared = prepare(&path, again).unwrap();
    assert!(prepared.made_identity);
    assert_eq!(inspect(&path), Standing::NeedsPassphrase { keyring: None });
    assert!(!path.join("passphrase").exists() && !path.join("keyring").exists());
}

#[test]
fn every_field_is_judged_on_its_own() {
    assert_eq!(fields(&wish()), []);
    assert_eq!(fields(&Wish::of("")), [Field::Network, Field::Blocks]);
    assert_eq!(fields(&Wish::of("regtest")), [Field::Relays, Field::Blocks]);
    let real = Wish {
        network: "bitcoin".into(),
        ..wish()
    };
    assert_eq!(fields(&real), [Field::Risks]);
    let all_wrong = Wish {
        network: "mainnet".into(),
        relays: vec!["relay.example".into()],
        blocks: Some(crate::config::Chain::Electrum {
            url: "https://e.example".into(),
        }),
        peers: vec!["somebody".into()],
        serve: Serve::File("/none.gguf".into()),
        price_msat: 0,
        protect: Protect::Passphrase(SecretString::from("short")),
        ..wish()
    };
    let problems = all_wrong.problems();
    assert_eq!(
        fields(&all_wrong),
        [
            Field::Network,
            Field::Relays,
            Field::Blocks,
            Field::Peers,
            Field::Model,
            Field::Price,
            Field::Protection
        ]
    );
    assert!(problems.iter().all(|problem| problem.sentence.len() > 20));
    let (_folder, path) = folder();
    assert_eq!(prepare(&path, all_wrong).unwrap_err().field, Field::Network);
    assert!(!path.exists(), "a wish that is refused makes nothing");
}

#[test]
fn sources_of_blocks_are_told_by_their_address() {
    assert_eq!(
        blocks_of(" https://blocks.example/api ").unwrap().name(),
        "esplora"
    );
    assert_eq!(
        blocks_of("ssl://blocks.example:50002").unwrap().name(),
        "electrum"
    );
    for wrong in [
        "",
        "blocks.example",
        "https://",
        "ssl://blocks.example",
        "ssl://:1",
        "https:///api",
    ] {
        assert!(blocks_of(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_locked_identity_is_not_a_missing_one_and_stays() {
    let (_folder, path) = folder();
    let protect = |text: &str| Wish {
        protect: Protect::Passphrase(SecretString::from(text)),
        ..wish()
    };
    let made = prepare(&path, protect("correct horse battery")).unwrap();
    let file = fs::read(path.join("identity.age")).unwrap();
    assert_eq!(inspect(&path), Standing::NeedsPassphrase { keyring: None });
    let other = prepare(&path, protect("another passphrase")).unwrap_err();
    assert_eq!(other.field, Field::Protection);
    assert_eq!(prepare(&path, wish()).unwrap_err().field, Field::Protection);
    assert_eq!(fs::read(path.join("identity.age")).unwrap(), file);
    assert!(
        !prepare(&path, protect("correct horse battery"))
            .unwrap()
            .made_identity
    );
    assert_eq!(reveal(&path, &made.key).unwrap().list().len(), 12);
    assert!(reveal(&path, &Key::Own).unwrap_err().is_locked());
}

#[test]
fn what_is_there_is_told_apart() {
    let (_folder, path) = folder();
    prepare(&path, wish()).unwrap();
    let other = Wish {
        network: "signet".into(),
        ..wish()
    };
    assert_eq!(prepare(&path, other).unwrap_err().field, Field::Network);
    fs::write(path.join("config.toml"), "network = 1").unwrap();
    assert!(matches!(inspect(&path), Standing::Broken { .. }));
    assert_eq!(
        prepare(&path, wish()).unwrap_err().field,
        Field::Home,
        "it is not written over"
    );
    // Somebody's ledger, and no identity for it.
    let (_other, path) = folder();
    let home = Home::open(&path).unwrap();
    fs::write(home.ledger_file(), "").unwrap();
    let Standing::Broken { what, next } = inspect(&path) else {
        panic!("a ledger without its identity is not new")
    };
    assert!(what.contains("identity.age") && !next.is_empty());
    assert_eq!(prepare(&path, wish()).unwrap_err().field, Field::Protection);
    assert!(!home.identity_file().exists());
}

#[test]
fn a_folder_that_thinks_again_is_protected_by_a_passphrase() {
    let (_folder, path) = folder();
    prepare(&path, wish()).unwrap();
    let words = reveal(&path, &Key::Own).unwrap().list();
    let again = Wish {
        protect: Protect::Passphrase(SecretString::from("correct horse battery")),
        ..wish()
    };
    let prepared = prepare(&path, again).unwrap();
    assert!(!prepared.made_identity && !path.join("passphrase").exists());
    assert_eq!(reveal(&path, &prepared.key).unwrap().list(), words);
}

#[test]
fn a_model_is_chosen_at_first_and_later() {
    let (_folder, path) = folder();
    let url = "https://models.example/a/b-q4.gguf?x=1";
    let address = Serve::Address {
        url: url.into(),
        sha256: [7; 32],
    };
    let prepared = prepare(
        &path,
        Wish {
            serve: address.clone(),
            ..wish()
        },
    )
    .unwrap();
    let model = prepared.config.model.unwrap();
    let expected = Model::File {
        path: path.join("models/b-q4.gguf"),
        sha256: Some("07".repeat(32)),
        url: Some(url.to_owned()),
    };
    assert_eq!(model, expected);
    let missing = model.missing(&path).unwrap();
    let source = Source::Address {
        url: url.to_owned(),
        sha256: Some([7; 32]),
    };
    assert_eq!((missing.name.as_str(), &missing.source), ("b-q4", &source));
    fs::create_dir(path.join("models")).unwrap();
    fs::write(path.join("models/b-q4.gguf"), "weights").unwrap();
    assert_eq!(model.missing(&path), None, "what is here is not fetched");
    let home = Home::open(&path).unwrap();
    let server = Serve::Server(ModelServer {
        url: "http://127.0.0.1:8080/v1".into(),
        ..ModelServer::default()
    });
    let other = with_model(&home, &server).unwrap();
    assert!(matches!(other.model, Some(Model::Server(_))));
    assert_eq!(other.relays, wish().relays, "the rest stays");
    other.write(&home.config_file()).unwrap();
    let pinned = crate::models::known().unwrap().remove(0);
    let named = with_model(&home, &Serve::Pinned(pinned.name)).unwrap();
    assert!(matches!(named.model, Some(Model::File { url: Some(_), .. })));
    let none = Serve::Pinned("no-such-model".into());
    assert_eq!(with_model(&home, &none).unwrap_err().field, Field::Model);
    let listed = models(&path, &machine(&path)).unwrap();
    assert!(
        listed
            .iter()
            .any(|choice| matches!(choice.from, From::Server(_)) && choice.recommended)
    );
}

#[tokio::test]
async fn a_fetch_tells_how_far_it_is_and_ends_with_a_file_or_a_sentence() {
    let (_folder, path) = folder();
    prepare(&path, wish()).unwrap();
    let weights = path.join("elsewhere.gguf");
    fs::write(&weights, vec![7; 100_000]).unwrap();
    let mut fetch = Fetch::begin(path.clone(), Source::File(weights), None);
    let stored = fetch.done().await.unwrap();
    assert_eq!(stored, path.join("models/elsewhere.gguf"));
    assert_eq!(fetch.watch().borrow().have_bytes, 100_000);
    let unknown = Source::Pinned("no-such-model".into());
    let problem = Fetch::begin(path.clone(), unknown, None)
        .done()
        .await
        .unwrap_err();
    assert!(!problem.resumable && problem.sentence.contains("no-such-model"));
    let listed = models(&path, &machine(&path)).unwrap();
    assert_eq!(
        listed.first().map(|choice| choice.name.as_str()),
        Some("elsewhere")
    );
}

#[tokio::test]
async fn a_backup_without_a_ledger_has_nothing_to_be_recorded_in() {
    let (_folder, path) = folder();
    let prepared = prepare(&path, wish()).unwrap();
    assert!(!record_backup(&path, &prepared.key).await.unwrap());
    assert!(
        record_backup(&path, &Key::Typed(SecretString::from("wrong passphrase")))
            .await
            .is_err()
    );
}

#[test]
fn the_risks_of_the_real_network_are_read_once() {
    let (_folder, path) = folder();
    let on = |risks_accepted| Wish {
        risks_accepted,
        network: "bitcoin".to_owned(),
        ..wish()
    };
    assert_eq!(fields(&on(false)), [Field::Risks]);
    assert!(Config::bare("bitcoin").risks_unread() && !Config::bare("signet").risks_unread());
    prepare(&path, on(true)).unwrap();
    let kept = Config::read(&path.join("config.toml")).unwrap();
    assert!(kept.risks_accepted && !kept.risks_unread());
}
