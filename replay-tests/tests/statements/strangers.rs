//! What a stranger without a key makes of a statement, and JSON that readers take differently.
use autopilot_statement::Header;

use autopilot_replay_tests::shop::{PRICE_MSAT, Sale, Shop};

use crate::{
    mutations::{ours, parts},
    python::{self, Verdict},
    sound::{SUM_MSAT, shop},
};

/// Whoever has the file and no key: no byte can be another, none fewer, none more.
#[test]
fn every_byte_of_a_sealed_statement_counts() {
    let mut shop = Shop::open();
    shop.sell(Sale {
        receipt: true,
        ..Sale::default()
    });
    let file = shop.file(&shop.header(), &shop.settlements(), 1, PRICE_MSAT);
    let mut sample = Vec::new();
    let mut bent = file.clone();
    for place in 0..file.len() {
        bent[place] ^= 1 << (place % 8);
        let verdict = ours(&bent, &[]);
        assert!(matches!(verdict, Verdict::Fails(..)), "byte {place}");
        if place % 97 == 0 {
            sample.push((format!("byte {place}"), bent.clone(), verdict));
        }
        bent[place] = file[place];
    }
    let ends = (0..file.len())
        .step_by(211)
        .map(|end| (format!("cut at {end}"), file[..end].to_vec()));
    let lines: Vec<&[u8]> = file.split_inclusive(|byte| *byte == b'\n').collect();
    let arranged = [
        ("without a header", vec![lines[1], lines[2]]),
        ("two headers", vec![lines[0], lines[0], lines[1], lines[2]]),
        ("without the settlement", vec![lines[0], lines[2]]),
        ("without the seal", vec![lines[0], lines[1]]),
        (
            "a settlement behind the seal",
            vec![lines[0], lines[1], lines[2], lines[1]],
        ),
        ("two seals", vec![lines[0], lines[1], lines[2], lines[2]]),
        ("an empty line", vec![lines[0], b"\n", lines[1], lines[2]]),
        ("no line", vec![]),
    ];
    let arranged = arranged.map(|(name, lines)| (name.to_owned(), lines.concat()));
    for (name, bytes) in ends.chain(arranged) {
        let verdict = ours(&bytes, &[]);
        assert!(matches!(verdict, Verdict::Fails(..)), "{name}");
        sample.push((name, bytes, verdict));
    }
    python::agrees(&sample, &[]);
}

/// JSON that one reader might take and another refuse.
#[test]
fn both_read_json_alike() {
    let shop = shop();
    let parts = parts(&shop);
    let file = String::from_utf8(shop.file(&parts.header, &parts.settlements, 6, SUM_MSAT)).unwrap();
    let (text, _) = file.trim_end().rsplit_once('\n').unwrap();
    let mut files = Vec::new();
    for (name, from, to, holds) in [
        ("blanks", "{\"settled\":{", " { \"settled\" :\t{ ", true),
        (
            "null for none",
            "\"evidence\":[],",
            "\"evidence\":[],\"receipt\":null,",
            true,
        ),
        (
            "null for a list",
            "\"network\"",
            "\"cosignatures\":null,\"network\"",
            false,
        ),
        (
            "a float",
            "\"from_ms\":1763600000000",
            "\"from_ms\":1763600000000.0",
            false,
        ),
        (
            "an exponent",
            "\"from_ms\":1763600000000",
            "\"from_ms\":17636e8",
            false,
        ),
        (
            "beyond 64 bits",
            "\"from_ms\":1763600000000",
            "\"from_ms\":-9223372036854775809",
            false,
        ),
        (
            "minus nothing",
            "\"from_ms\":1763600000000",
            "\"from_ms\":-0",
            false,
        ),
        (
            "not a number",
            "\"from_ms\":1763600000000",
            "\"from_ms\":NaN",
            false,
        ),
        ("a member too many", "\"network\"", "\"net\":1,\"network\"", false),
        (
            "a member twice",
            "\"network\"",
            "\"network\":\"regtest\",\"network\"",
            false,
        ),
        ("half a character", "\"regtest\"", "\"regtest\\ud800\"", false),
        ("an escape", "\"regtest\"", "\"\\u0072egtest\"", true),
        ("text for a flag", "\"erased\":true", "\"erased\":\"true\"", false),
        ("null for a flag", "\"erased\":true", "\"erased\":null", false),
        ("base64 without its end", "==\",\"proof\"", "=\",\"proof\"", false),
    ] {
        assert!(text.contains(from), "{name}");
        let bent = format!("{}\n", text.replacen(from, to, 1));
        let file = shop.sealed(bent.into_bytes(), 6, SUM_MSAT);
        let verdict = ours(&file, &[]);
        assert_eq!(matches!(verdict, Verdict::Holds(_)), holds, "{name}: {verdict:?}");
        files.push((name.to_owned(), file, verdict));
    }
    let deep = format!("{}{}\n", "[".repeat(100_000), "]".repeat(100_000)).into_bytes();
    let long = [
        vec![b' '; autopilot_statement::MAX_LINE_BYTES + 1],
        b"\n".to_vec(),
    ]
    .concat();
    for (name, file) in [("deep", deep), ("long", long), ("no UTF-8", b"\xff\n".to_vec())] {
        let verdict = ours(&file, &[]);
        assert!(matches!(verdict, Verdict::Fails(1, None, _)), "{name}");
        files.push((name.to_owned(), file, verdict));
    }
    python::agrees(&files, &[]);
}

/// The header's window may be open on either side.
#[test]
fn a_window_may_be_open() {
    let shop = shop();
    let header = Header {
        from_ms: None,
        to_ms: None,
        ..shop.header()
    };
    let file = shop.file(&header, &shop.settlements(), 6, SUM_MSAT);
    let verdict = ours(&file, &[]);
    assert!(matches!(verdict, Verdict::Holds(_)), "{verdict:?}");
    python::agrees(&[("an open window".to_owned(), file, verdict)], &[]);
}
