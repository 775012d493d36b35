//! What stands beside the ledger: the log of each run, and the journal of relays.
use std::path::Path;

use autopilot_host::{
    audit::{Audit, JournalQuery},
    home::Home,
    session::{self, Run},
};
use serde::Serialize;

use crate::{
    args::{Journal, Log},
    books::moment_ms,
    failure::{Failure, Kind, Outcome},
    ledger,
    output::{Out, at, clean_line, say, table},
};

#[derive(Serialize)]
struct RunLine {
    run: String,
    first_fact: u64,
    last_fact: u64,
}

/// The facts of one run, from the ledger: its file may be gone.
pub async fn log(home: &Path, out: Out, asked: Log) -> Outcome {
    let audit = Audit::open(home).await?;
    let end = audit.head().await?.sequence;
    let folder = Home::logs_of(home);
    let runs = session::runs(&folder).map_err(|error| {
        Failure::new(
            Kind::NotFound,
            "not-found",
            format!("{}: {error}", folder.display()),
        )
    })?;
    let last_of = |index: usize| runs.get(index + 1).map_or(end, |next: &Run| next.after);
    if asked.list {
        let line = |(index, run): (usize, &Run)| RunLine {
            run: run.name.clone(),
            first_fact: run.after + 1,
            last_fact: last_of(index),
        };
        let lines: Vec<RunLine> = runs.iter().enumerate().map(line).collect();
        return out.show(&lines, |lines| list(lines));
    }
    let index = match &asked.run {
        None => runs.len().checked_sub(1),
        Some(name) => runs.iter().position(|run| run.name == *name),
    };
    let Some(index) = index else {
        let message = "no such run is kept";
        return Err(Failure::new(Kind::NotFound, "not-found", message).next("autopilotctl log --list"));
    };
    ledger::print(&audit, out, runs[index].after, Some(last_of(index)))
        .await
        .map(drop)
}

fn list(lines: &[RunLine]) -> String {
    let row = |line: &RunLine| {
        let facts = match line.last_fact < line.first_fact {
            true => "-".to_owned(),
            false => format!("{}-{}", line.first_fact, line.last_fact),
        };
        vec![line.run.clone(), facts]
    };
    table(&["run", "facts"], &lines.iter().map(row).collect::<Vec<_>>())
}

#[derive(Serialize)]
struct JournalLine {
    at_ms: i64,
    kind: String,
    subject: String,
    text: String,
}

/// The newest lines of the journal, oldest of them first.
pub async fn journal(home: &Path, out: Out, asked: Journal) -> Outcome {
    let audit = Audit::open(home).await?;
    let since_ms = asked
        .since
        .as_deref()
        .map(moment_ms)
        .transpose()?
        .unwrap_or(i64::MIN);
    let query = JournalQuery {
        subject: asked.about,
        relay: asked.relay.map(|relay| relay.trim_end_matches('/').to_owned()),
        since_ms,
        limit: asked.lines,
    };
    let (lines, dropped) = audit.journal(&query).await?;
    for line in lines.into_iter().rev() {
        let line = JournalLine {
            at_ms: line.at_ms,
            kind: line.kind,
            subject: line.subject,
            text: line.text,
        };
        out.show(&line, |line| {
            let what = format!("{:<18}  {:<12.12}  {}", line.kind, line.subject, line.text);
            format!("{}  {}", at(line.at_ms), clean_line(&what))
        })?;
    }
    if dropped > 0 && !out.json {
        say(&format!(
            "{dropped} older lines were dropped: the journal is bounded"
        ));
    }
    Ok(())
}
