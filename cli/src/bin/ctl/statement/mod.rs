//! `statement`: earnings shown to others, and statements of others checked.
mod page;
mod verify;

use std::{
    fs::File,
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use autopilot_cli::money::show_on;
use autopilot_events::head::MAX_NOTE_BYTES;
use autopilot_host::{
    audit::{Audit, Progress as Progressed},
    home::Home,
    secrets::Secrets,
    statement::{self, Note, Seller, Wish, Written},
};
use autopilot_proto::control::v1::SignHeadRequest;
use autopilot_statement::Totals;
use serde::Serialize;

use self::page::{Beside, unwritable};
use crate::{
    args::{Statement, StatementCreate},
    books,
    connect::{call, connect},
    failure::{Failure, Kind, Outcome},
    identity,
    output::{Out, fields},
    progress::Progress,
    whole::{Whole, refuse_existing},
};

pub async fn statement(home: &Path, out: Out, action: Statement) -> Outcome {
    match action {
        Statement::Create(asked) => create(home, out, asked).await,
        Statement::Verify(asked) => verify::verify(out, &asked),
    }
}

#[derive(Serialize)]
struct Created {
    totals: Totals,
    /// Facts that the statement's head covers.
    facts: u64,
    /// Settlements of the window that came after that head, and are not in it.
    after_head: u64,
    file: PathBuf,
    html: Option<PathBuf>,
}

async fn create(path: &Path, out: Out, asked: StatementCreate) -> Outcome {
    let wish = match &asked.job {
        Some(job) => Wish::Job(job.clone()),
        None => Wish::Window(books::between(&asked.span)?.0),
    };
    for path in asked.output.iter().chain(&asked.html).filter(|_| !asked.force) {
        refuse_existing(path)?;
    }
    let cosigned = asked.cosigned.as_deref().map(read_note).transpose()?;
    let home = identity::existing(path)?;
    let secrets = identity::open(&home, out, asked.passphrase.passphrase_file.as_deref())?;
    let note = head(&home, &secrets, cosigned).await?;
    let audit = Audit::open(path).await?;
    let seller = Seller::new(&audit, &secrets)?;
    let mut page = Beside::begin(asked.html.as_deref())?;
    let mut progress = Progress::new();
    let mut tell = |at: Progressed| progress.count("reading", at.facts, at.of);
    let Some(file) = asked.output else {
        let stdout = BufWriter::new(io::stdout());
        let made = statement::create(&audit, &seller, &note, &wish, stdout, &mut page, &mut tell).await;
        let (mut stdout, written) = made?;
        stdout.flush().map_err(|error| unwritable(&error))?;
        return page.keep(&written.totals, asked.force);
    };
    let mut whole = Whole::beside(&file)?;
    let made = statement::create(
        &audit,
        &seller,
        &note,
        &wish,
        &mut whole.file,
        &mut page,
        &mut tell,
    )
    .await;
    let (_, written) = made?;
    drop(progress);
    whole.keep(asked.force)?;
    page.keep(&written.totals, asked.force)?;
    let Written {
        totals,
        facts,
        after_head,
    } = written;
    let created = Created {
        totals,
        facts,
        after_head,
        file,
        html: asked.html,
    };
    let network = network(&audit).await?;
    out.show(&created, |created| {
        let mut lines = sums(&created.totals, &network);
        lines.push(("head", format!("fact {}", created.facts)));
        if created.after_head > 0 {
            lines.push((
                "not in it",
                format!("{} that came after the head", created.after_head),
            ));
        }
        lines.push(("file", created.file.display().to_string()));
        let html = created.html.as_ref().map(|html| html.display().to_string());
        lines.push(("page", html.unwrap_or_default()));
        fields(&lines)
    })?;
    out.hint(&format!(
        "autopilotctl statement verify {}",
        created.file.display()
    ));
    Ok(())
}

async fn network(audit: &Audit) -> Outcome<String> {
    let first = audit.facts(0, 1).await?.pop().map(|fact| fact.event);
    Ok(match first {
        Some(autopilot_events::Event::LedgerOpened(opened)) => opened.network,
        _ => String::new(),
    })
}

fn read_note(path: &Path) -> Outcome<String> {
    let unreadable = |why: String| {
        Failure::new(
            Kind::NotFound,
            "file-unreadable",
            format!("{}: {why}", path.display()),
        )
    };
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut text = String::new();
    let mut bounded = file.take(MAX_NOTE_BYTES as u64);
    bounded
        .read_to_string(&mut text)
        .map_err(|error| unreadable(error.to_string()))?;
    Ok(text)
}

/// The head to rest on: the one that was named, or what the ledger is now, signed by the host that runs or by the home's
/// keys.
async fn head(home: &Home, secrets: &Secrets, cosigned: Option<String>) -> Outcome<Note> {
    if let Some(note) = cosigned {
        return Ok(statement::cosigned(home, secrets, &note).await?);
    }
    match connect(home.path()).await {
        Ok(mut client) => {
            let reply = call(client.sign_head(SignHeadRequest {})).await?;
            Ok(Note {
                text: reply.note,
                verifier_key: reply.verifier_key,
                cosignatures: Vec::new(),
            })
        }
        Err(_) => Ok(statement::sign_offline(home, secrets).await?),
    }
}

fn sums(totals: &Totals, network: &str) -> Vec<(&'static str, String)> {
    let sum = |sum: &autopilot_statement::Sum| match sum.lines {
        0 => String::new(),
        lines => format!("{} in {lines}", show_on(sum.amount_msat, network)),
    };
    let mut lines = vec![
        ("counterparty-attested", sum(&totals.counterparty_attested)),
        ("self-attested", sum(&totals.self_attested)),
        ("recorded", sum(&totals.recorded)),
    ];
    let all = format!(
        "{} in {}",
        show_on(totals.all.amount_msat, network),
        totals.all.lines
    );
    lines.push(("in all", all));
    let erased = if totals.erased > 0 {
        totals.erased.to_string()
    } else {
        String::new()
    };
    lines.push(("texts erased", erased));
    lines
}
