//! `export`: the ledger for other programs.
use std::{
    io::{self, BufWriter},
    path::{Path, PathBuf},
};

use autopilot_host::{audit::Audit, books};
use serde::Serialize;

use super::{price::valuing, span};
use crate::{
    args::{Export, Format},
    failure::Outcome,
    output::Out,
    progress::Progress,
    whole::{Whole, refuse_existing},
};

#[derive(Serialize)]
struct Line {
    window: span::Shown,
    entries: u64,
    facts: u64,
    chain: String,
    /// Absent on stdout.
    file: Option<PathBuf>,
    written: bool,
}

pub async fn export(home: &Path, out: Out, asked: Export) -> Outcome {
    let (window, shown) = span::between(&asked.span)?;
    let valuing = valuing(&asked.worth);
    if let Some(path) = asked.output.as_deref().filter(|_| !asked.force) {
        refuse_existing(path)?;
    }
    let audit = Audit::open(home).await?;
    let mut progress = Progress::new();
    let mut tell = |at: autopilot_host::audit::Progress| progress.count("reading", at.facts, at.of);
    let format = match asked.format {
        Format::Csv => books::Format::Csv,
        Format::Jsonl => books::Format::Jsonl,
        Format::Koinly => books::Format::Koinly,
        Format::Hledger => books::Format::Hledger,
    };
    let summary = match (&asked.output, asked.dry_run) {
        (_, true) => books::export(&audit, format, window, &valuing, &mut io::sink(), &mut tell).await?,
        (None, false) => {
            let mut stdout = BufWriter::new(io::stdout());
            books::export(&audit, format, window, &valuing, &mut stdout, &mut tell).await?
        }
        (Some(path), false) => {
            let mut whole = Whole::beside(path)?;
            let summary = books::export(&audit, format, window, &valuing, &mut whole.file, &mut tell).await?;
            whole.keep(asked.force)?;
            summary
        }
    };
    drop(progress);
    if asked.output.is_none() && !asked.dry_run {
        return Ok(());
    }
    let line = Line {
        window: shown,
        entries: summary.entries,
        facts: summary.head.sequence,
        chain: summary.head.chain.to_string(),
        file: asked.output,
        written: !asked.dry_run,
    };
    out.show(&line, |line| {
        let what = match line.written {
            true => "written",
            false => "would be written; nothing was",
        };
        let to = line
            .file
            .as_ref()
            .map_or("stdout".to_owned(), |file| file.display().to_string());
        format!("{} entries up to fact {} {what}: {to}", line.entries, line.facts)
    })
}
