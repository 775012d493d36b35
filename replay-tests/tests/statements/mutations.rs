//! What a dishonest seller makes of a statement is found, at its line and by its name, by our verifier and by the
//! Python one.
use autopilot_events::witness::Witness;
use autopilot_statement::check;

use autopilot_replay_tests::shop::{PRICE_MSAT, Sale, Shop, witness};

use crate::{
    bends::{Parts, USUAL, mutations},
    python::{self, Verdict},
    sound::{SUM_MSAT, shop},
};

pub fn parts(shop: &Shop) -> Parts {
    Parts {
        header: shop.header(),
        settlements: shop.settlements(),
        lines: 6,
        msat: SUM_MSAT,
    }
}

/// What our verifier says.
pub fn ours(file: &[u8], witnesses: &[Witness]) -> Verdict {
    match check(file, witnesses, |_| {}, |_| {}) {
        Ok((_, totals)) => Verdict::Holds(serde_json::to_value(totals).unwrap()),
        Err(error) => Verdict::Fails(error.line, error.fact, error.why.code().to_owned()),
    }
}

#[test]
fn what_a_dishonest_seller_changes_is_found_where_it_is() {
    let shop = shop();
    let (mut files, mut wrong) = (Vec::new(), Vec::new());
    for (name, line, code, bend) in mutations() {
        let mut parts = parts(&shop);
        bend(&shop, &mut parts);
        let file = shop.file(&parts.header, &parts.settlements, parts.lines, parts.msat);
        let verdict = ours(&file, &[]);
        if !matches!(&verdict, Verdict::Fails(at, _, found) if (*at, found.as_str()) == (line, code)) {
            wrong.push(format!("{name}: {verdict:?} and not line {line}, {code}"));
        }
        files.push((name.to_owned(), file, verdict));
    }
    let sound = parts(&shop);
    let file = shop.file(&sound.header, &sound.settlements, sound.lines, sound.msat);
    let verdict = ours(&file, &[]);
    assert!(matches!(verdict, Verdict::Holds(_)));
    files.push(("sound".to_owned(), file, verdict));
    assert!(wrong.is_empty(), "{wrong:#?}");
    python::agrees(&files, &[]);
}

#[test]
fn a_ledger_that_was_written_dishonestly_proves_no_more() {
    let (mut files, usual) = (Vec::new(), Sale::default());
    let mut case = |name: &str, sale: Sale, bend: fn(&mut autopilot_events::pb::JobSettled), code: &str| {
        let mut shop = Shop::open();
        shop.bend = Some(bend);
        shop.sell(sale);
        let file = shop.file(&shop.header(), &shop.settlements(), 1, PRICE_MSAT);
        let verdict = ours(&file, &[]);
        assert_eq!(verdict, Verdict::Fails(2, Some(6), code.to_owned()), "{name}");
        files.push((name.to_owned(), file, verdict));
    };
    case(
        "a preimage of something else",
        usual,
        |m| m.preimage = vec![1; 32],
        "preimage",
    );
    case("half a preimage", usual, |m| m.preimage.truncate(16), "preimage");
    case(
        "a link with another number",
        usual,
        |m| m.evidence[0].sequence += 1,
        "evidence",
    );
    case("another job", usual, |m| m.job_id = vec![3; 32], "evidence");
    case(
        "another job, of an old ledger",
        Sale { old: true, ..usual },
        |m| m.job_id = vec![3; 32],
        "request",
    );
    case(
        "another payment",
        usual,
        |m| m.payment_hash = vec![3; 32],
        "invoice",
    );
    case("a job of its own", Sale { own: true, ..usual }, |_| {}, "own-job");

    let mut shop = shop();
    shop.settle_again(USUAL);
    let file = shop.file(&shop.header(), &shop.settlements(), 7, SUM_MSAT + PRICE_MSAT);
    let verdict = ours(&file, &[]);
    assert_eq!(
        verdict,
        Verdict::Fails(8, Some(32), "repeated".to_owned()),
        "a payment counted twice"
    );
    files.push(("a payment counted twice".to_owned(), file, verdict));
    python::agrees(&files, &[]);
}

#[test]
fn a_witness_that_did_not_sign_this_head_is_told() {
    let shop = shop();
    let mut header = shop.header();
    let (key, line) = witness(0x55, &header.head.content);
    let (_, elsewhere) = witness(0x55, "another text\n\n");
    let named = [Witness::new(&key).unwrap()];
    let mut files = Vec::new();
    for (name, line, found) in [
        ("of this head", line, true),
        ("of another head", elsewhere, false),
    ] {
        header.cosignatures = vec![line];
        let file = shop.file(&header, &shop.settlements(), 6, SUM_MSAT);
        let verdict = ours(&file, &named);
        assert_eq!(matches!(verdict, Verdict::Holds(_)), found, "{name}");
        files.push((name.to_owned(), file, verdict));
    }
    python::agrees(&files, &[key]);
}
