//! The pages of the format are true: test vectors, the numbers of fields, the catalogue of facts.
use std::{collections::BTreeMap, fs, path::PathBuf, process::Command};

use autopilot_events::{
    Draft, Event, Recorded,
    catalogue::CATALOGUE,
    chain::{genesis, push_frame},
    pb::{self, Source},
    tree::{Edge, leaf},
};
use autopilot_replay_tests::Pen;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Three facts in one block: a usual one, one with a clock that went back, one of an unknown type.
fn example() -> Vec<Recorded> {
    let mut pen = Pen::default();
    let mut write = |event: Event, stream: &str, source, key: &str, utc_ms| {
        let (stream, idempotency_key) = (stream.to_owned(), key.to_owned());
        pen.write(
            Draft {
                event,
                stream,
                source,
                idempotency_key,
                correlation: vec![0xc0; 4],
            },
            utc_ms,
        )
    };
    let opened = pb::LedgerOpened {
        ledger_id: (0..16).collect(),
        network: "regtest".into(),
        identity: vec![0x11; 32],
        program: "vectors".into(),
    };
    let settled = pb::JobSettled {
        job_id: vec![0x22; 32],
        payment_hash: vec![0x33; 32],
        amount_msat: 10_000,
        settled_at_ms: 1_763_600_000_000,
        payment_id: vec![0x33; 32],
        ..pb::JobSettled::default()
    };
    vec![
        write(opened.into(), "ledger", Source::Person, "", 1_763_600_000_000),
        write(
            settled.into(),
            "job/22",
            Source::Wallet,
            "settled/33",
            1_763_599_999_999,
        ),
        write(
            Event::Unknown {
                kind: "nexus.synced".into(),
                version: 4,
            },
            "nexus",
            Source::Sync,
            "",
            1_763_600_000_001,
        ),
    ]
}

fn vectors() -> String {
    let facts = example();
    let mut block = Vec::new();
    let mut text = format!("```\nchain(0)  {}\n", genesis());
    for fact in &facts {
        let n = fact.fact.sequence;
        push_frame(&mut block, &fact.bytes);
        text += &format!(
            "\nfact {n}    {}\nchain({n})  {}\n",
            hex::encode(&fact.bytes),
            fact.chain
        );
    }
    let mut edge = Edge::default();
    for fact in &facts {
        edge.push(leaf(&fact.bytes), &mut |_| {});
    }
    text += &format!("\nroot of these three\n          {}\n", edge.root());
    text += &format!(
        "\nbytes of a block of these three\n          {}\n```\n",
        hex::encode(&block)
    );
    text
}

#[test]
fn the_vectors_of_the_page_are_what_we_write() {
    let page = read("docs/BYTE_LAYOUT.md");
    let (before, rest) = page.split_once("<!-- vectors -->\n").unwrap();
    let (found, after) = rest.split_once("<!-- /vectors -->").unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let page = format!("{before}<!-- vectors -->\n{}<!-- /vectors -->{after}", vectors());
        fs::write(root().join("docs/BYTE_LAYOUT.md"), page).unwrap();
    } else {
        assert_eq!(found, vectors(), "the bytes of a fact have changed");
    }
}

/// Messages of `events.proto`: name to fields, each "name = number".
fn messages() -> BTreeMap<String, Vec<(String, u32)>> {
    let proto = read("proto/events/v1/events.proto");
    let bare: String = proto
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""))
        .collect::<Vec<_>>()
        .join(" ");
    let mut found = BTreeMap::new();
    for part in bare.split("message ").skip(1) {
        let (name, rest) = part.split_once('{').unwrap();
        let (body, _) = rest.split_once('}').unwrap();
        let fields = body.split(';').filter_map(|field| {
            let (left, number) = field.split_once('=')?;
            Some((
                left.split_whitespace().last()?.to_owned(),
                number.trim().parse().ok()?,
            ))
        });
        found.insert(name.trim().to_owned(), fields.collect());
    }
    found
}

/// Rows of a page's tables, cell by cell, without the backticks.
fn rows(page: &str) -> Vec<Vec<String>> {
    page.lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| {
            line.trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().replace('`', ""))
                .collect()
        })
        .collect()
}

#[test]
fn the_envelope_of_the_page_is_the_contracts() {
    let page = rows(&read("docs/BYTE_LAYOUT.md"));
    for (field, number) in &messages()["Fact"] {
        let row = page.iter().find(|row| row[0] == *field && row.len() == 4);
        assert_eq!(
            row.map(|row| row[1].as_str()),
            Some(number.to_string().as_str()),
            "{field}"
        );
    }
    for (field, number) in &messages()["BodyRef"] {
        assert!(
            read("docs/BYTE_LAYOUT.md").contains(&format!("{number} `{field}`"))
                || read("docs/BYTE_LAYOUT.md").contains(&format!("{number}\n`{field}`")),
            "{field}"
        );
    }
}

#[test]
fn the_catalogue_of_the_page_is_the_catalogue() {
    let page = rows(&read("docs/EVENTS.md"));
    let messages = messages();
    let mut told: Vec<&str> = Vec::new();
    for row in page.iter().filter(|row| row[0].contains('.')) {
        let (kind, version, critical, fields) = (&row[0], &row[1], &row[2], &row[3]);
        let (name, v, c) = CATALOGUE
            .iter()
            .find(|known| known.0 == kind)
            .unwrap_or_else(|| panic!("{kind}?"));
        assert_eq!((version.parse(), critical == "yes"), (Ok(*v), *c), "{kind}");
        let message: String = kind
            .split(['.', '_'])
            .map(|word| word[..1].to_uppercase() + &word[1..])
            .collect();
        let expected: Vec<&str> = messages[&message]
            .iter()
            .map(|(field, _)| field.as_str())
            .collect();
        assert_eq!(*fields, expected.join(", "), "{kind}");
        assert!(!row[4].is_empty(), "{kind} says what it means");
        told.push(name);
    }
    let all: Vec<&str> = CATALOGUE.iter().map(|known| known.0).collect();
    assert_eq!(told, all, "each type once, in the catalogue's order");
}

#[test]
fn pure_python_hashes_as_we_do() {
    let lengths = [
        0, 1, 31, 63, 64, 65, 127, 1023, 1024, 1025, 2048, 2049, 3072, 4097, 8192, 10_000,
    ];
    let input: Vec<u8> = (0..10_000_usize).map(|i| (i % 251) as u8).collect();
    let program = format!(
        "import sys; sys.path.insert(0, sys.argv[1]); import ledger_verify as v\n\
         for n in {lengths:?}: print(v.blake3_pure(bytes(i % 251 for i in range(n))).hex())"
    );
    let output = Command::new("python3")
        .args(["-B", "-c", &program])
        .arg(root().join("tools"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let ours: Vec<String> = lengths
        .iter()
        .map(|n| blake3::hash(&input[..*n]).to_hex().to_string())
        .collect();
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        ours,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
