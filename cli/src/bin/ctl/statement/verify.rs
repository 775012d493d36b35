//! `statement verify`: a statement of somebody else's, checked with nothing but the file.
use std::{cell::RefCell, fs::File, io::BufReader};

use autopilot_events::witness::Witness;
use autopilot_statement::{Heading, Level, Line, StatementError, Totals};
use serde::Serialize;

use super::{
    page::{Beside, unwritable},
    sums,
};
use crate::{
    args::StatementVerify,
    failure::{Failure, Kind, Outcome},
    output::{Out, Tone, at, clean_line, fields},
    whole::refuse_existing,
};

/// What `statement verify --json` prints, one a line.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Said<'a> {
    Statement(&'a Heading),
    Settled(&'a Line),
    #[serde(untagged)]
    Holds {
        ok: bool,
        totals: &'a Totals,
    },
    #[serde(untagged)]
    Fails {
        ok: bool,
        line: u64,
        fact: Option<u64>,
        code: &'static str,
        why: String,
    },
}

fn witness(key: &str) -> Outcome<Witness> {
    let usage = |_| {
        Failure::usage(format!(
            "{key:?} is no witness's key: name+key id+base64, of type 4"
        ))
    };
    Witness::new(key).map_err(usage)
}

/// Checks a file, and prints each settlement as far as they hold.
pub fn verify(out: Out, asked: &StatementVerify) -> Outcome {
    let witnesses: Vec<Witness> = asked
        .witness
        .iter()
        .map(|key| witness(key))
        .collect::<Outcome<_>>()?;
    if let Some(path) = asked.html.as_deref().filter(|_| !asked.force) {
        refuse_existing(path)?;
    }
    let file = File::open(&asked.file).map_err(|error| {
        let message = format!("{}: {error}", asked.file.display());
        Failure::new(Kind::NotFound, "file-unreadable", message)
    })?;
    let mut page = Beside::begin(asked.html.as_deref())?;
    let mut shown: Outcome = Ok(());
    let mut said = |outcome: Outcome| {
        if shown.is_ok() {
            shown = outcome;
        }
    };
    let (told, lines) = (RefCell::new(&mut said), RefCell::new(&mut page));
    let checked = autopilot_statement::check(
        BufReader::new(file),
        &witnesses,
        |heading| {
            let written = lines.borrow_mut().heading(heading);
            told.borrow_mut()(written.map_err(|error| unwritable(&error)));
            if out.json {
                told.borrow_mut()(out.json_line(&Said::Statement(heading)));
            }
        },
        |line| {
            let written = lines.borrow_mut().line(line);
            told.borrow_mut()(written.map_err(|error| unwritable(&error)));
            told.borrow_mut()(match out.json {
                true => out.json_line(&Said::Settled(line)),
                false => out.line(&line_text(line)),
            });
        },
    );
    shown?;
    match checked {
        Ok((heading, totals)) => {
            page.keep(&totals, asked.force)?;
            match out.json {
                true => out.json_line(&Said::Holds {
                    ok: true,
                    totals: &totals,
                }),
                false => out.line(&holds(out, &heading, &totals, &witnesses)),
            }
        }
        Err(error) => fails(out, &error),
    }
}

fn fails(out: Out, error: &StatementError) -> Outcome {
    if out.json {
        out.json_line(&Said::Fails {
            ok: false,
            line: error.line,
            fact: error.fact,
            code: error.why.code(),
            why: error.why.to_string(),
        })?;
    }
    let message = format!("the statement does not hold: {}", clean_line(&error.to_string()));
    Err(Failure::new(Kind::Refused, "statement-invalid", message)
        .next("ask whoever gave it to you for the file as autopilotctl wrote it"))
}

fn line_text(line: &Line) -> String {
    let mut marks = vec![line.proven.name()];
    for (holds, word) in [
        (line.witnessed, "witnessed"),
        (line.prepaid, "paid before the work"),
        (line.erased, "texts erased"),
    ] {
        if holds {
            marks.push(word);
        }
    }
    let sat = format!("{}.{:03}", line.amount_msat / 1_000, line.amount_msat % 1_000);
    let job: String = line.job_id.to_string().chars().take(12).collect();
    format!(
        "{}  {sat:>14} sat  job {job}  {}",
        at(line.settled_at_ms),
        marks.join(", ")
    )
}

fn holds(out: Out, heading: &Heading, totals: &Totals, witnesses: &[Witness]) -> String {
    let signed: Vec<&str> = heading
        .witnessed_by
        .iter()
        .map(|witness| witness.by.as_str())
        .collect();
    let silent = witnesses
        .iter()
        .map(Witness::name)
        .filter(|name| !signed.contains(name));
    let silent: Vec<&str> = silent.collect();
    let witnessed = match (signed.is_empty(), silent.is_empty()) {
        (true, true) => "no witness was named".to_owned(),
        (true, false) => out.tone(
            Tone::Warn,
            &format!("no: {} did not sign this head", silent.join(", ")),
        ),
        (false, true) => signed.join(", "),
        (false, false) => format!("{}; not by {}", signed.join(", "), silent.join(", ")),
    };
    let moment = |ms: Option<i64>, open: &str| ms.map_or(open.to_owned(), at);
    let mut lines = vec![
        (
            "statement",
            out.tone(Tone::Good, "holds: every signature and proof fits"),
        ),
        ("seller", heading.seller.to_string()),
        ("from", moment(heading.from_ms, "the beginning")),
        ("to", moment(heading.to_ms, "the head")),
        (
            "head",
            format!("{} facts of {}", heading.facts, clean_line(&heading.origin)),
        ),
        ("witnessed", clean_line(&witnessed)),
    ];
    lines.extend(sums(totals, &clean_line(&heading.network)));
    let mut text = format!("\n{}\n\n{}", fields(&lines), autopilot_statement::LIMITS);
    if totals.self_attested.lines > 0 {
        text += &format!(
            "\n{}: the payee always knows the preimage.",
            Level::SelfAttested.name()
        );
    }
    text
}
