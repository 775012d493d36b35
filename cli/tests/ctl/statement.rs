//! Statements of a real ledger with sealed texts: made by one program, checked by it and by the Python verifier.
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use autopilot_events::pb;
use autopilot_host::{
    home::Home as Folder,
    secrets::{Key, Secrets},
};
use autopilot_replay_tests::shop::{Deal, PRICE_MSAT, Sale, Shop, json, witness};
use autopilot_store_sqlite::{Commit, MasterKey, Vault};
use nostr::{Keys, nips::nip06::FromMnemonic};
use serde_json::Value;

use crate::support::{Home, Ran, run};

const WORDS: &str = "leader monkey parrot ring guide accident before fence cannon height naive bean";

/// A usual sale, one with a receipt, one that was erased afterwards, one that was paid first.
const SALES: [Sale; 4] = {
    let usual = Sale {
        receipt: false,
        erased: false,
        prepaid: false,
        old: false,
        beyond_msat: 0,
        own: false,
    };
    [
        usual,
        Sale {
            receipt: true,
            ..usual
        },
        Sale {
            receipt: true,
            ..usual
        },
        Sale {
            prepaid: true,
            ..usual
        },
    ]
};
const ERASED: usize = 2;

struct Sold {
    home: Home,
    jobs: Vec<String>,
    requests: Vec<String>,
}

async fn sold() -> Sold {
    let home = Home::empty();
    let folder = Folder::open(home.path()).unwrap();
    let secrets = Secrets::restore(&folder, WORDS, &Key::Own).unwrap();
    let mut store = home.open().await;
    let vault = Vault::new(store.reader(), MasterKey(secrets.body_key()));
    let mut shop = Shop::of(Keys::from_mnemonic(WORDS, None).unwrap());
    let started = pb::WalletStarted {
        node_id: shop.node_id().serialize().to_vec(),
        network: "regtest".into(),
        chain_source: "tests".into(),
    };
    shop.write("wallet", started);
    let (mut bodies, mut jobs, mut requests) = (Vec::new(), Vec::new(), Vec::new());
    for sale in SALES {
        let deal: Deal = shop.deal(sale);
        let subject = format!("job/{}", deal.id);
        let receipt = deal.receipt.as_ref().map_or("none".to_owned(), json);
        let (result, sealed) = vault.seal(&subject, json(&deal.result).as_bytes()).await.unwrap();
        bodies.push(sealed);
        let (receipt, sealed) = vault.seal(&subject, receipt.as_bytes()).await.unwrap();
        bodies.push(sealed);
        jobs.push(deal.id.to_string());
        requests.push(deal.request.id.clone());
        shop.write_down(deal, Some([result, receipt]));
    }
    let commit = Commit {
        facts: &shop.facts,
        bodies: &bodies,
        ..Commit::default()
    };
    store.append(commit).await.unwrap();
    let sold = shop.facts.len();
    shop.forget(&format!("job/{}", jobs[ERASED]));
    let commit = Commit {
        facts: &shop.facts[sold..],
        ..Commit::default()
    };
    store.append(commit).await.unwrap();
    store.close().await;
    Sold { home, jobs, requests }
}

impl Sold {
    fn run(&self, arguments: &[&str]) -> Ran {
        run(self.home.path(), arguments)
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).display().to_string()
    }
}

fn lines(ran: &Ran) -> Vec<Value> {
    assert_eq!(ran.exit, 0, "{} {}", ran.stdout, ran.stderr);
    documents(&ran.stdout)
}

fn documents(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What the Python verifier prints, and its exit code.
fn python(file: &str, witnesses: &[&str]) -> (i32, Vec<Value>) {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let packages = Command::new(root.join("scripts/python-crypto.sh"))
        .output()
        .unwrap();
    assert!(
        packages.status.success(),
        "{}",
        String::from_utf8_lossy(&packages.stderr)
    );
    let output = Command::new("python3")
        .arg("-B")
        .arg(root.join("replay-tests/verify_statement.py"))
        .arg(file)
        .args(witnesses)
        .env("PYTHONPATH", String::from_utf8(packages.stdout).unwrap().trim())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!said.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap(), documents(&said))
}

#[tokio::test]
async fn a_statement_is_made_and_checked_by_both_verifiers() {
    let sold = sold().await;
    let (file, page) = (sold.path("all.statement"), sold.path("all.html"));
    let made = sold
        .run(&["statement", "create", "-o", &file, "--html", &page, "--json"])
        .json();
    assert_eq!(made["totals"]["all"]["amount_msat"], 4 * PRICE_MSAT, "{made}");
    assert_eq!(
        (&made["totals"]["erased"], &made["after_head"]),
        (&1.into(), &0.into())
    );

    let elsewhere = Home::empty();
    let checked = lines(&run(elsewhere.path(), &["statement", "verify", &file, "--json"]));
    let proven: Vec<_> = checked[1..5]
        .iter()
        .map(|line| line["settled"]["proven"].as_str().unwrap())
        .collect();
    assert_eq!(
        proven,
        [
            "self-attested",
            "counterparty-attested",
            "self-attested",
            "self-attested"
        ]
    );
    assert_eq!(checked[3]["settled"]["erased"], true);
    assert_eq!(checked[3]["settled"]["buyer"], Value::Null, "it was erased");
    assert_eq!(checked[4]["settled"]["prepaid"], true);
    assert_eq!(checked[5]["totals"], made["totals"]);
    assert_eq!(
        python(&file, &[]),
        (0, checked),
        "the other verifier prints the same"
    );

    let text = run(elsewhere.path(), &["statement", "verify", &file]).stdout;
    for words in [
        "counterparty-attested",
        "texts erased",
        "paid before the work",
        "No proof shows",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let shown = fs::read_to_string(&page).unwrap();
    assert!(
        shown.contains("40.000") && shown.contains(&sold.requests[1]),
        "{shown}"
    );
    let again = sold.path("again.html");
    lines(&run(
        elsewhere.path(),
        &["statement", "verify", &file, "--html", &again, "--json"],
    ));
    assert_eq!(
        fs::read_to_string(&again).unwrap(),
        shown,
        "the same page from the file alone"
    );

    let facts = sold.run(&["ledger", "tail", "--json"]);
    let facts = lines(&facts);
    assert_eq!(
        facts.last().unwrap()["type"],
        "head.signed",
        "what was signed is a fact"
    );
    assert_eq!(sold.run(&["ledger", "verify", "--json"]).json()["ok"], true);
}

#[tokio::test]
async fn what_is_not_so_is_refused() {
    let sold = sold().await;
    let file = sold.path("some.statement");
    lines(&sold.run(&["statement", "create", "-o", &file, "--json"]));
    let refused = |arguments: &[&str], exit: i32, code: &str| {
        let ran = sold.run(&[arguments, &["--json"]].concat());
        assert_eq!(
            (ran.exit, ran.error_code().as_str()),
            (exit, code),
            "{arguments:?} {}",
            ran.stderr
        );
        ran
    };
    refused(&["statement", "create", "-o", &file], 4, "file-exists");
    lines(&sold.run(&["statement", "create", "-o", &file, "--force", "--json"]));

    let bent = fs::read_to_string(&file)
        .unwrap()
        .replacen("regtest", "bitcoin", 1);
    let other = sold.path("bent.statement");
    fs::write(&other, bent).unwrap();
    let ran = refused(&["statement", "verify", &other], 4, "statement-invalid");
    let verdict = documents(&ran.stdout).pop().unwrap();
    assert_eq!(
        (&verdict["line"], &verdict["code"]),
        (&2.into(), &"invoice".into()),
        "{verdict}"
    );
    let (exit, said) = python(&other, &[]);
    assert_eq!((exit, &said.last().unwrap()["code"]), (1, &verdict["code"]));
    refused(
        &["statement", "verify", &sold.path("nowhere")],
        5,
        "file-unreadable",
    );
    refused(&["statement", "verify", &file, "--witness", "nobody"], 2, "usage");
    refused(
        &[
            "statement",
            "create",
            "--job",
            "00000000",
            "-o",
            &sold.path("none"),
        ],
        5,
        "not-found",
    );
    assert!(!Path::new(&sold.path("none")).exists(), "nothing half-made stays");
}

#[tokio::test]
async fn one_payment_has_a_receipt() {
    let sold = sold().await;
    for (number, id) in [&sold.jobs[1], &sold.jobs[1][..10], &sold.requests[1]]
        .into_iter()
        .enumerate()
    {
        let file = sold.path(&format!("{number}.statement"));
        lines(&sold.run(&["statement", "create", "--job", id, "-o", &file, "--json"]));
        let checked = lines(&sold.run(&["statement", "verify", &file, "--json"]));
        assert_eq!(checked.len(), 3, "header, one payment, totals");
        assert_eq!(checked[1]["settled"]["job_id"], sold.jobs[1].as_str());
        assert_eq!(checked[1]["settled"]["proven"], "counterparty-attested");
    }
    let whole = sold.run(&["statement", "create", "--job", &sold.jobs[0]]);
    assert_eq!(
        (whole.exit, whole.stdout.lines().count()),
        (0, 3),
        "to stdout: {}",
        whole.stderr
    );
    let none = sold.path("none.statement");
    lines(&sold.run(&["statement", "create", "--to", "2020-01-01", "-o", &none, "--json"]));
    let checked = lines(&sold.run(&["statement", "verify", &none, "--json"]));
    assert_eq!(
        checked[1]["totals"]["all"]["lines"], 0,
        "an empty window is a statement too"
    );
}

#[tokio::test]
async fn a_witness_adds_its_word_to_a_head() {
    let sold = sold().await;
    let first = sold.path("first.statement");
    lines(&sold.run(&["statement", "create", "-o", &first, "--json"]));
    let facts = lines(&sold.run(&["ledger", "tail", "--json"]));
    let note = facts.last().unwrap()["payload"]["note"].as_str().expect("a note");
    let (key, line) = witness(0x55, note);
    let cosigned = sold.path("cosigned.note");
    fs::write(&cosigned, format!("{note}{line}\n")).unwrap();
    let file = sold.path("witnessed.statement");
    lines(&sold.run(&[
        "statement",
        "create",
        "--cosigned",
        &cosigned,
        "-o",
        &file,
        "--json",
    ]));
    let checked = lines(&sold.run(&["statement", "verify", &file, "--witness", &key, "--json"]));
    assert_eq!(checked[0]["statement"]["witnessed_by"][0], "witness.example/w");
    assert_eq!(checked[1]["settled"]["witnessed"], true);
    assert_eq!(python(&file, &[&key]), (0, checked));
    let unnamed = lines(&sold.run(&["statement", "verify", &file, "--json"]));
    assert_eq!(
        unnamed[1]["settled"]["witnessed"], false,
        "only a witness that the checker names counts"
    );
}
