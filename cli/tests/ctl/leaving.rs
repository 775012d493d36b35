//! Taking everything away, and passing on what helps to find a fault: what goes, what stays, what is never shown.

use std::{fs, path::Path};

use super::support::{Home, run};
use autopilot_events::{
    Draft, Event,
    envelope::seal,
    pb::{self, Source},
};
use autopilot_host::{
    config::{Chain, Config},
    home::Home as HostHome,
    secrets::{Key, Secrets},
};
use autopilot_store_sqlite::{Commit, JournalEntry};
use flate2::read::GzDecoder;

const PREIMAGE: [u8; 32] = [0xC7; 32];
const API_KEY: &str = "sk-live-81d0Tc55aQw8Zr2L";
const RPC_PASSWORD: &str = "rpc pass, word";

/// Appends facts of the wallet.
async fn wallet_facts(home: &Home, events: Vec<Event>) {
    let mut store = home.open().await;
    let mut head = store.head();
    for (number, event) in events.into_iter().enumerate() {
        let draft = Draft {
            event,
            stream: "wallet".into(),
            source: Source::Wallet,
            idempotency_key: String::new(),
            correlation: Vec::new(),
        };
        let fact = seal(&head, number as u64 + 1, draft, 0, 1_790_000_000_000);
        head = fact.head();
        let facts = [fact];
        store
            .append(Commit {
                facts: &facts,
                ..Commit::default()
            })
            .await
            .unwrap();
    }
    store.close().await;
}

#[tokio::test]
async fn what_is_there_is_listed_first_and_only_ours_goes() {
    let home = Home::with_jobs(1).await;
    let path = home.path();
    fs::write(path.join("config.toml"), "").unwrap();
    fs::write(path.join("photo.jpg"), "theirs").unwrap();
    let home_text = path.to_str().unwrap();
    let rehearsed = run(path, &["uninstall", "--dry-run"]);
    assert_eq!(rehearsed.exit, 0, "{}", rehearsed.stderr);
    for shown in [
        home_text,
        "ledger",
        "somebody else's",
        "photo.jpg",
        "autopilotctl",
        "no money and no channel",
    ] {
        assert!(
            rehearsed.stdout.contains(shown),
            "{shown} is not in {}",
            rehearsed.stdout
        );
    }
    let nobody = run(path, &["uninstall", "--json"]);
    assert_eq!(
        (nobody.exit, nobody.error_code().as_str()),
        (2, "confirmation-needed")
    );
    assert!(home.ledger().exists());
    let gone = run(path, &["uninstall", "--yes", "--json"]);
    assert_eq!(gone.exit, 0, "{}", gone.stderr);
    assert_eq!(gone.json()["removed"], true);
    let left: Vec<_> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["photo.jpg"]);
    assert!(
        Path::new(env!("CARGO_BIN_EXE_autopilotctl")).exists(),
        "programs stay without --programs"
    );
    let again = run(path, &["uninstall", "--yes", "--json"]);
    assert_eq!((again.exit, again.error_code().as_str()), (5, "not-found"));
}

#[tokio::test]
async fn money_is_lost_only_when_its_loss_is_typed_in_full() {
    let home = Home::with_jobs(1).await;
    let observed = pb::WalletBalanceObserved {
        spendable_msat: 1_000_500,
        reserved_msat: 2_000,
        onchain_sat: 40,
        channels: 1,
        ..Default::default()
    };
    wallet_facts(&home, vec![observed.into()]).await;
    for arguments in [
        &["uninstall", "--yes", "--json"][..],
        &["uninstall", "--yes", "--forfeit", "1042sat", "--json"],
    ] {
        let refused = run(home.path(), arguments);
        assert_eq!(
            (refused.exit, refused.error_code().as_str()),
            (4, "money-at-stake"),
            "{}",
            refused.stderr
        );
        assert!(refused.stderr.contains("--forfeit 1043sat"), "{}", refused.stderr);
        assert_eq!(refused.json()["stake"]["lightning_msat"], 1_002_500);
    }
    assert!(home.ledger().exists());
    assert_eq!(
        run(home.path(), &["uninstall", "--yes", "--forfeit", "1043sat"]).exit,
        0
    );
    assert!(!home.path().exists());
}

#[tokio::test]
async fn a_home_in_use_or_unreadable_is_not_taken_away() {
    let home = Home::with_jobs(1).await;
    let store = home.open().await;
    let held = run(home.path(), &["uninstall", "--yes", "--json"]);
    assert_eq!(
        (held.exit, held.error_code().as_str()),
        (4, "host-running"),
        "{}",
        held.stderr
    );
    store.close().await;
    fs::write(home.ledger(), "something else").unwrap();
    fs::create_dir(home.path().join("wallet")).unwrap();
    fs::write(home.path().join("wallet/keys"), "").unwrap();
    let unknown = run(home.path(), &["uninstall", "--yes", "--json"]);
    assert_eq!(
        (unknown.exit, unknown.error_code().as_str()),
        (4, "money-at-stake")
    );
    assert_eq!(
        run(home.path(), &["uninstall", "--yes", "--forfeit", "everything"]).exit,
        0
    );
}

/// Every file of an archive, as text.
fn unpacked(path: &Path) -> Vec<(String, String)> {
    let mut archive = tar::Archive::new(GzDecoder::new(fs::File::open(path).unwrap()));
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let text = std::io::read_to_string(&mut entry).unwrap();
        (name, text)
    });
    entries.collect()
}

#[tokio::test]
async fn a_debug_bundle_holds_what_helps_and_no_secret() {
    let home = Home::with_jobs(2).await;
    let path = home.path();
    let host_home = HostHome::open(path).unwrap();
    let donor = Home::empty();
    let words = Secrets::open_or_create(&HostHome::open(donor.path()).unwrap(), &Key::Own)
        .unwrap()
        .words();
    for file in ["identity.age", "passphrase"] {
        fs::copy(donor.path().join(file), path.join(file)).unwrap();
    }
    let passphrase = fs::read_to_string(path.join("passphrase")).unwrap();
    let config = Config {
        relays: vec!["ws://127.0.0.1:1/path?key=a9b8c7d6e5f4".into()],
        chain: Chain::Bitcoind {
            host: "127.0.0.1".into(),
            port: 1,
            user: "someone".into(),
            password: RPC_PASSWORD.into(),
        },
        ..Config::bare("regtest")
    };
    config.write(&host_home.config_file()).unwrap();
    let preimage: String = PREIMAGE.iter().map(|byte| format!("{byte:02x}")).collect();
    // Every secret at every place that somebody could have put it, the error texts of strangers included.
    let planted = format!(
        "chain said {words}; preimage {preimage}; key {API_KEY}; {passphrase}; {RPC_PASSWORD}; http://u:{API_KEY}@h/\npassphrase: {passphrase}\n{}\n",
        words.replace(' ', "\n")
    );
    fs::write(
        host_home.logs_dir().join("host.log"),
        format!("a line that helps\n{planted}"),
    )
    .unwrap();
    fs::write(host_home.wallet_dir().join("walletd.log"), &planted).unwrap();
    let sent = pb::WalletPaymentSent {
        payment_hash: vec![3; 32],
        amount_msat: 77,
        preimage: PREIMAGE.to_vec(),
        ..Default::default()
    };
    let failed = pb::WalletPaymentFailed {
        payment_hash: vec![4; 32],
        reason: planted.clone(),
        ..Default::default()
    };
    wallet_facts(&home, vec![sent.into(), failed.into()]).await;
    let mut store = home.open().await;
    let line = JournalEntry {
        at_ms: 1,
        kind: "relay.notice".into(),
        subject: "r".into(),
        text: planted.clone(),
    };
    store
        .append(Commit {
            journal: &[line],
            ..Commit::default()
        })
        .await
        .unwrap();
    store.close().await;

    let file = path.join("bundle.tar.gz");
    let wish = ["debug-bundle", "--output", file.to_str().unwrap(), "--json"];
    let made = run(path, &wish);
    assert_eq!(made.exit, 0, "{}", made.stderr);
    let parts = unpacked(&file);
    let of = |name: &str| {
        let part = parts
            .iter()
            .find(|(path, _)| path == &format!("autopilot-debug/{name}"));
        part.map(|(_, text)| text.as_str())
            .unwrap_or_else(|| panic!("{name} is missing"))
    };
    assert!(of("logs/host.log").contains("a line that helps"));
    assert!(of("facts.jsonl").contains("wallet.payment_sent") && of("facts.jsonl").contains("77"));
    assert!(of("journal.jsonl").contains("relay.notice"));
    assert!(of("config.json").contains("regtest") && of("config.json").contains("ws://127.0.0.1:1"));
    assert!(of("digests.json").contains("wallet/"));
    assert!(of("doctor.json").contains("socket path") && of("versions.json").contains("system"));
    let in_pairs: Vec<String> = words
        .split(' ')
        .collect::<Vec<_>>()
        .windows(3)
        .map(|words| words.join(" "))
        .collect();
    let mut secrets = vec![
        passphrase,
        preimage,
        API_KEY.to_owned(),
        RPC_PASSWORD.to_owned(),
        "a9b8c7d6e5f4".to_owned(),
    ];
    secrets.extend(in_pairs);
    for (name, text) in &parts {
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{name} holds {secret}: {text}");
        }
    }
    assert_eq!(run(path, &wish).exit, 1, "a bundle overwrites nothing");
}
