//! `report`: what a window brought and cost.
use std::{collections::BTreeMap, path::Path};

use autopilot_cli::money::{network_note, show_msat};
use autopilot_host::{
    audit::Audit,
    books::{self, Degraded, Tally},
};
use serde::Serialize;

use super::{
    price::valuing,
    span::{self, Shown},
};
use crate::{
    args::Report,
    failure::Outcome,
    output::{Out, Tone, at, clean_line, fields, short, table},
    progress::Progress,
};

#[derive(Serialize)]
struct Line {
    window: Shown,
    network: String,
    facts: u64,
    chain: String,
    #[serde(flatten)]
    report: books::Report,
    worth: books::Worth,
    unexplained_msat: i128,
    wallet: books::Differences,
}

pub async fn report(home: &Path, out: Out, asked: Report) -> Outcome {
    let unbounded = asked.span.from.is_none() && asked.span.to.is_none();
    let (window, shown) = match unbounded {
        true => span::day(asked.day.as_deref(), &asked.span)?,
        false => span::between(&asked.span)?,
    };
    let audit = Audit::open(home).await?;
    let mut progress = Progress::new();
    let reported = books::report(&audit, window, &valuing(&asked.worth), &mut |at| {
        progress.count("reading", at.facts, at.of)
    })
    .await?;
    drop(progress);
    let line = Line {
        window: shown,
        network: reported.network,
        facts: reported.sequence,
        chain: reported.chain,
        report: reported.report,
        worth: reported.worth,
        unexplained_msat: reported.differences.unexplained_msat(),
        wallet: reported.differences,
    };
    out.show(&line, |line| text(line, out))
}

fn text(line: &Line, out: Out) -> String {
    let report = &line.report;
    let tally = |tally: &Tally, what: &str| match tally.payments {
        0 => String::new(),
        count => format!("{} in {count} {what}", show_msat(tally.msat)),
    };
    let sum = |msat: u64| match msat {
        0 => String::new(),
        msat => show_msat(msat),
    };
    let edge = |edge: &Option<String>, open: &str| edge.clone().unwrap_or_else(|| open.to_owned());
    let mut parts = vec![fields(&[
        (
            "from",
            format!("{} (included)", edge(&line.window.from, "the first fact")),
        ),
        (
            "to",
            format!("{} (not included)", edge(&line.window.to, "the last fact")),
        ),
        ("time zone", line.window.time_zone.clone()),
        (
            "earned",
            format!(
                "{} in {} payments {}",
                show_msat(report.earned.msat),
                report.earned.payments,
                network_note(&line.network)
            ),
        ),
        ("paid before work", tally(&report.earned_prepaid, "payments")),
        ("worth", worth(&line.worth)),
        ("skimmed fees", sum(report.skimmed_fees_msat)),
        ("not for jobs", tally(&report.received_unbound, "payments")),
        ("bought", tally(&report.purchases, "payments")),
        ("withdrawn", tally(&report.withdrawals, "payments")),
        ("fees", sum(report.fees_msat)),
        ("rests on", format!("{} facts", line.facts)),
    ])];
    parts.extend(groups("model", &report.per_model, |name| name.to_owned()));
    parts.extend(groups("buyer", &report.per_buyer, short));
    parts.extend(groups("kind", &report.per_kind, |name| name.to_owned()));
    let degraded = [
        ("delivered and not paid", &report.delivered_unpaid),
        ("paid and not delivered: owed", &report.prepaid_undelivered),
        (
            "paid without an execution receipt",
            &report.settled_without_receipt,
        ),
    ];
    parts.extend(
        degraded
            .into_iter()
            .filter_map(|(what, rows)| apart(what, rows, out)),
    );
    for compared in line
        .wallet
        .accounts
        .iter()
        .filter(|compared| compared.unexplained_msat != 0)
    {
        let words = format!(
            "{}: the wallet shows {} msat that no fact explains",
            compared.account.name(),
            compared.unexplained_msat
        );
        parts.push(out.tone(Tone::Bad, &words));
    }
    for difference in &report.differences {
        let words = format!("wallet and ledger differed by {} msat", difference.msat);
        parts.push(format!(
            "{}: {} (fact {})",
            out.tone(Tone::Bad, &words),
            at(difference.at_ms),
            difference.sequence
        ));
    }
    parts.join("\n\n")
}

/// What it was worth, and of how many payments that is not known.
fn worth(worth: &books::Worth) -> String {
    let Some(currency) = worth
        .currency
        .as_ref()
        .filter(|_| worth.valued + worth.without_value > 0)
    else {
        return String::new();
    };
    let without = match worth.without_value {
        0 => String::new(),
        count => format!(" and {count} payments without a recorded value"),
    };
    match worth.valued {
        0 => format!("no value recorded ({currency})"),
        _ => format!("{} {currency}{without}", worth.earned),
    }
}

fn groups(of: &str, groups: &BTreeMap<String, Tally>, name: impl Fn(&str) -> String) -> Option<String> {
    let mut sorted: Vec<_> = groups.iter().collect();
    sorted.sort_by_key(|(name, tally)| (std::cmp::Reverse(tally.msat), (*name).clone()));
    let row = |(group, tally): (&String, &Tally)| {
        let name = clean_line(&name(group));
        vec![name, tally.payments.to_string(), show_msat(tally.msat)]
    };
    let rows: Vec<_> = sorted.into_iter().map(row).collect();
    (!rows.is_empty()).then(|| table(&[of, "payments", "earned"], &rows))
}

fn apart(what: &str, degraded: &Degraded, out: Out) -> Option<String> {
    if degraded.tally.payments == 0 {
        return None;
    }
    let head = format!(
        "{what}: {} jobs, {}",
        degraded.tally.payments,
        show_msat(degraded.tally.msat)
    );
    let row = |row: &books::Row| {
        vec![
            short(&row.job_id.to_string()),
            short(&row.buyer),
            at(row.at_ms),
            show_msat(row.msat),
        ]
    };
    let rows: Vec<_> = degraded.rows.iter().take(20).map(row).collect();
    let more = match degraded.tally.payments as usize - rows.len() {
        0 => String::new(),
        more => format!("\n… and {more} more (--json names {})", degraded.rows.len()),
    };
    let rows = table(&["job", "buyer", "when", "sum"], &rows);
    Some(format!("{}\n{rows}{more}", out.tone(Tone::Warn, &head)))
}
