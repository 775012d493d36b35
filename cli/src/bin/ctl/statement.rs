//! `statement`: earnings shown to others, and statements of others checked.
use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use autopilot_cli::money::show_on;
use autopilot_events::{head::MAX_NOTE_BYTES, witness::Witness};
use autopilot_host::{
    audit::{Audit, Progress as Progressed},
    home::Home,
    secrets::Secrets,
    statement::{self, Note, Reader, Seller, Wish, Written},
};
use autopilot_statement::{Heading, Level, Line, Page, StatementError, Totals};
use serde::Serialize;

use crate::{
    args::{Statement, StatementCreate, StatementVerify},
    books,
    failure::{Failure, Kind, Outcome},
    identity,
    output::{Out, Tone, at, clean_line, fields},
    progress::Progress,
    whole::{Whole, refuse_existing},
};

pub async fn statement(home: &Path, out: Out, action: Statement) -> Outcome {
    match action {
        Statement::Create(asked) => create(home, out, asked).await,
        Statement::Verify(asked) => verify(out, &asked),
    }
}

/// A page that is written beside a statement, where one was asked for.
struct Beside {
    page: Option<Page<BufWriter<File>>>,
    whole: Option<Whole>,
}

impl Beside {
    fn begin(path: Option<&Path>) -> Outcome<Beside> {
        Ok(Beside {
            page: None,
            whole: path.map(Whole::beside).transpose()?,
        })
    }

    fn heading(&mut self, heading: &Heading) -> io::Result<()> {
        if let Some(whole) = &self.whole {
            let file = BufWriter::new(whole.file.get_ref().try_clone()?);
            self.page = Some(Page::begin(file, heading)?);
        }
        Ok(())
    }

    fn line(&mut self, line: &Line) -> io::Result<()> {
        self.page.as_mut().map_or(Ok(()), |page| page.row(line))
    }

    fn keep(&mut self, totals: &Totals, force: bool) -> Outcome {
        let ended = self.page.take().map(|page| page.end(totals)?.flush());
        ended.transpose().map_err(|error| unwritable(&error))?;
        self.whole.as_mut().map_or(Ok(()), |whole| whole.keep(force))
    }
}

impl Reader for Beside {
    fn heading(&mut self, heading: &Heading) -> io::Result<()> {
        Beside::heading(self, heading)
    }

    fn line(&mut self, line: &Line) -> io::Result<()> {
        Beside::line(self, line)
    }
}

fn unwritable(error: &io::Error) -> Failure {
    Failure::new(
        Kind::Other,
        "output",
        format!("the page can't be written: {error}"),
    )
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

/// The head to rest on: the one that was named, or what the ledger is now, signed by the home's keys.
async fn head(home: &Home, secrets: &Secrets, cosigned: Option<String>) -> Outcome<Note> {
    if let Some(note) = cosigned {
        return Ok(statement::cosigned(home, secrets, &note).await?);
    }
    Ok(statement::sign_offline(home, secrets).await?)
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

fn witness(key: &String) -> Outcome<Witness> {
    let usage = |_| {
        Failure::usage(format!(
            "{key:?} is no witness's key: name+key id+base64, of type 4"
        ))
    };
    Witness::new(key).map_err(usage)
}

fn verify(out: Out, asked: &StatementVerify) -> Outcome {
    let witnesses: Vec<Witness> = asked.witness.iter().map(witness).collect::<Outcome<_>>()?;
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
    let (told, lines) = (
        std::cell::RefCell::new(&mut said),
        std::cell::RefCell::new(&mut page),
    );
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
        ("head", format!("{} facts of {}", heading.facts, heading.origin)),
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
