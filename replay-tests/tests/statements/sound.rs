//! Sound statements, and what they say is proven.
use autopilot_events::witness::Witness;
use autopilot_statement::{Composer, Heading, Level, Line, Page, StatementError, Totals, check};

use autopilot_replay_tests::shop::{PRICE_MSAT, Sale, Shop, signed, witness};

pub fn checked(file: &[u8], witnesses: &[Witness]) -> Result<(Heading, Vec<Line>, Totals), StatementError> {
    let mut lines = Vec::new();
    let (heading, totals) = check(file, witnesses, |_| {}, |line| lines.push(line.clone()))?;
    Ok((heading, lines, totals))
}

/// One sale of each kind.
pub fn shop() -> Shop {
    let mut shop = Shop::open();
    let usual = Sale::default();
    for sale in [
        usual,
        Sale {
            receipt: true,
            ..usual
        },
        Sale {
            erased: true,
            ..usual
        },
        Sale {
            prepaid: true,
            receipt: true,
            ..usual
        },
        Sale { old: true, ..usual },
        Sale {
            beyond_msat: 500,
            ..usual
        },
    ] {
        shop.sell(sale);
    }
    shop
}

pub const SUM_MSAT: u64 = 6 * PRICE_MSAT;

#[test]
fn each_payment_says_how_far_it_is_proven() {
    let shop = shop();
    let file = shop.file(&shop.header(), &shop.settlements(), 6, SUM_MSAT);
    let (heading, lines, totals) = checked(&file, &[]).unwrap();
    assert_eq!(heading.seller.to_string(), shop.seller_key());
    assert_eq!(heading.facts, 1 + 6 * 5);
    let levels: Vec<_> = lines.iter().map(|line| line.proven).collect();
    let (own, other) = (Level::SelfAttested, Level::CounterpartyAttested);
    assert_eq!(levels, [own, other, own, other, Level::Recorded, own]);
    let flags: Vec<_> = lines
        .iter()
        .map(|line| (line.erased, line.prepaid, line.witnessed))
        .collect();
    assert_eq!(flags[2], (true, false, false));
    assert_eq!(flags[3], (false, true, false));
    assert_eq!((lines[2].buyer, lines[2].request.clone()), (None, None), "erased");
    assert_eq!(
        lines[1].buyer.unwrap().to_string(),
        shop.buyer.public_key().to_hex()
    );
    assert_eq!(lines[0].model, Some("aa".repeat(32)));
    assert_eq!(
        (lines[5].amount_msat, lines[5].arrived_msat),
        (PRICE_MSAT, PRICE_MSAT + 500),
        "what was paid beyond the invoice is not counted"
    );
    assert_eq!((totals.all.lines, totals.all.amount_msat), (6, SUM_MSAT));
    assert_eq!(totals.counterparty_attested.amount_msat, 2 * PRICE_MSAT);
    assert_eq!(
        (totals.recorded.lines, totals.self_attested.lines, totals.erased),
        (1, 3, 1)
    );
}

#[test]
fn a_witness_counts_only_where_the_checker_names_it() {
    let shop = shop();
    let mut header = shop.header();
    let (key, line) = witness(0x55, &header.head.content);
    let (stranger, _) = witness(0x56, &header.head.content);
    header.cosignatures = vec![line];
    let file = shop.file(&header, &shop.settlements(), 6, SUM_MSAT);
    let named = |key: &str| checked(&file, &[Witness::new(key).unwrap()]).unwrap();
    let (heading, lines, _) = named(&key);
    assert_eq!(
        (heading.witnessed_by[0].by.as_str(), heading.witnessed_by[0].at_s),
        ("witness.example/w", 1_763_607_000)
    );
    assert!(lines.iter().all(|line| line.witnessed));
    for (_, lines, _) in [named(&stranger), checked(&file, &[]).unwrap()] {
        assert!(lines.iter().all(|line| !line.witnessed));
    }
    assert!(
        Witness::new(shop.signer.verifier_key()).is_err(),
        "a ledger's own key is no witness's"
    );
}

#[test]
fn the_composer_writes_what_checks_and_nothing_else() {
    let shop = shop();
    let mut composer = Composer::begin(Vec::new(), shop.header()).unwrap();
    let mut lines = Vec::new();
    for settlement in shop.settlements() {
        lines.push(composer.settled(settlement).unwrap());
    }
    let (content, tags) = composer.unsealed();
    let seal = signed(&shop.seller, 30_078, &tags, &content, 1_763_610_000);
    let (file, totals) = composer.seal(seal).unwrap();
    let (_, found, sums) = checked(&file, &[]).unwrap();
    assert_eq!((found, sums), (lines, totals));

    let mut composer = Composer::begin(Vec::new(), shop.header()).unwrap();
    let first = shop.settlements().remove(0);
    composer.settled(first.clone()).unwrap();
    assert!(composer.settled(first).is_err(), "the same payment twice");
}

#[test]
fn an_empty_window_is_a_statement_too() {
    let shop = Shop::open();
    let file = shop.file(&shop.header(), &[], 0, 0);
    let (_, lines, totals) = checked(&file, &[]).unwrap();
    assert_eq!((lines.len(), totals), (0, Totals::default()));
}

#[test]
fn the_page_has_the_figures_and_lets_nothing_through() {
    let shop = shop();
    let file = shop.file(&shop.header(), &shop.settlements(), 6, SUM_MSAT);
    let (heading, lines, totals) = checked(&file, &[]).unwrap();
    let mut page = Page::begin(Vec::new(), &heading).unwrap();
    lines.iter().for_each(|line| page.row(line).unwrap());
    let page = String::from_utf8(page.end(&totals).unwrap()).unwrap();
    assert_eq!(page.matches("<tr><td class=\"n\">").count(), 6 + 4);
    for words in [
        "60.000",
        "counterparty-attested",
        "texts erased",
        "2025-11-20 00:53:20 UTC",
        "No proof shows",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(
        page.contains("a &lt;b&gt;model&lt;/b&gt;") && !page.contains("<b>"),
        "escaped"
    );
    assert!(
        !page.contains("<script") && !page.contains("http"),
        "nothing runs, nothing is fetched"
    );
}
