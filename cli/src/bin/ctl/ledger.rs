//! The ledger itself, read without a host or beside one.
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use autopilot_cli::money::show_msat;
use autopilot_host::audit::{Audit, FactDocument, Replay, Verdict, fact_line};
use autopilot_proto::control::v1::{CheckLedgerRequest, FactLine};
use serde::Serialize;
use serde_json::Value;
use tokio::time::sleep;

use crate::{
    args::Tail,
    connect::{Client, call},
    failure::{Failure, Kind, Outcome},
    output::{Out, Tone, at, clean_line, fields},
    progress::Progress,
};

/// How often a followed ledger's files are looked at: a host may or may not be there to tell.
const LOOK: Duration = Duration::from_millis(200);
/// How often it is read even though its files look the same.
const READ: Duration = Duration::from_secs(5);
const PAGE: u32 = 512;

#[derive(Serialize)]
struct HeadLine {
    facts: u64,
    chain: String,
    /// `null` for an empty ledger.
    recorded_at_ms: Option<i64>,
}

pub async fn head(home: &Path, out: Out) -> Outcome {
    let head = Audit::open(home).await?.head().await?;
    let recorded_at_ms = (head.sequence > 0).then_some(head.recorded_at_ms);
    out.show(
        &HeadLine {
            facts: head.sequence,
            chain: head.chain.to_string(),
            recorded_at_ms,
        },
        |head| {
            fields(&[
                ("facts", head.facts.to_string()),
                ("chain", head.chain.clone()),
                ("recorded", head.recorded_at_ms.map(at).unwrap_or_default()),
            ])
        },
    )
}

#[derive(Serialize)]
struct Bodies {
    valid: u64,
    invalid: u64,
    erased: u64,
    missing: u64,
}

#[derive(Serialize)]
struct VerifyLine {
    ok: bool,
    /// Facts that hold, from the first on.
    facts: u64,
    chain: String,
    /// The first fact that does not hold; 0: the facts are whole, an index or a view beside them is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    broken_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    bodies: Bodies,
    /// Facts of types that this program does not know.
    unknown: u64,
}

impl From<Verdict> for VerifyLine {
    fn from(verdict: Verdict) -> VerifyLine {
        let (broken_at, why) = verdict.broken.unzip();
        let found = verdict.bodies;
        let Verdict {
            ok,
            facts,
            head,
            unknown,
            ..
        } = verdict;
        let bodies = Bodies {
            valid: found.valid,
            invalid: found.invalid,
            erased: found.erased,
            missing: found.missing,
        };
        VerifyLine {
            ok,
            facts,
            chain: head.chain.to_string(),
            broken_at,
            why,
            bodies,
            unknown,
        }
    }
}

pub async fn verify(home: &Path, out: Out) -> Outcome {
    let audit = Audit::open(home).await?;
    let mut shown = Progress::new();
    let verdict = audit
        .verify(&mut |progress| shown.count("verifying", progress.facts, progress.of))
        .await?;
    drop(shown);
    let line = VerifyLine::from(verdict);
    out.show(&line, |line| {
        let bodies = &line.bodies;
        let texts = format!(
            "{} valid, {} erased on purpose, {} missing, {} invalid",
            bodies.valid, bodies.erased, bodies.missing, bodies.invalid
        );
        let verdict = match line.ok {
            true => out.tone(Tone::Good, "whole: every hash holds"),
            false => out.tone(Tone::Bad, "BROKEN"),
        };
        let unknown = if line.unknown > 0 {
            line.unknown.to_string()
        } else {
            String::new()
        };
        fields(&[
            ("ledger", verdict),
            ("facts", line.facts.to_string()),
            ("chain", line.chain.clone()),
            (
                "broken at",
                line.broken_at.map(|at| format!("fact {at}")).unwrap_or_default(),
            ),
            ("why", line.why.as_deref().map(clean_line).unwrap_or_default()),
            ("texts", texts),
            ("unknown", unknown),
        ])
    })?;
    if line.ok {
        return Ok(());
    }
    let why = line
        .why
        .unwrap_or_else(|| "texts beside the facts are missing or altered".to_owned());
    let message = match line.broken_at {
        Some(fact) if fact > 0 => format!("the ledger is broken at fact {fact}: {why}"),
        _ => format!("the ledger is damaged beside its facts: {why}"),
    };
    Err(broken(message))
}

fn broken(message: String) -> Failure {
    Failure::new(Kind::LedgerBroken, "ledger-broken", message).next(
        "change nothing, copy the home folder aside, and restore the ledger from a copy whose head you know",
    )
}

/// The same by the running host, which holds its live state against the facts too.
pub async fn check(client: &mut Client, out: Out, wait_s: u32) -> Outcome {
    let reply = call(client.check_ledger(CheckLedgerRequest { wait_s })).await?;
    out.show(&reply, |reply| clean_line(&reply.sentence))?;
    match reply.over && !reply.whole {
        true => Err(broken(reply.sentence)),
        false => Ok(()),
    }
}

#[derive(Serialize)]
struct ComparisonLine {
    what: &'static str,
    sequence: u64,
    /// `null`: not compared.
    equal: Option<bool>,
    detail: String,
}

#[derive(Serialize)]
struct ReplayLine {
    facts: u64,
    chain: String,
    /// Nothing stored differs from what the facts give.
    agrees: bool,
    digests: BTreeMap<String, String>,
    comparisons: Vec<ComparisonLine>,
    earned_msat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<Value>,
}

fn replay_line(replay: Replay, with_state: bool) -> Outcome<ReplayLine> {
    let state = with_state
        .then(|| serde_json::to_value(&replay.state))
        .transpose();
    let state = state.map_err(|error| Failure::new(Kind::Other, "internal", error.to_string()))?;
    let comparisons = replay.comparisons.iter().map(|comparison| ComparisonLine {
        what: comparison.what,
        sequence: comparison.sequence,
        equal: comparison.equal,
        detail: comparison.detail.clone(),
    });
    Ok(ReplayLine {
        facts: replay.head.sequence,
        chain: replay.head.chain.to_string(),
        agrees: replay.agrees(),
        digests: replay
            .digests
            .iter()
            .map(|(label, digest)| (label.clone(), digest.to_string()))
            .collect(),
        comparisons: comparisons.collect(),
        earned_msat: replay.state.earnings.earned_msat,
        state,
    })
}

pub async fn replay(home: &Path, out: Out, at: Option<u64>, with_state: bool) -> Outcome {
    let audit = Audit::open(home).await?;
    let mut shown = Progress::new();
    let replay = audit
        .replay(at, &mut |progress| {
            shown.count("replaying", progress.facts, progress.of)
        })
        .await?;
    drop(shown);
    let line = replay_line(replay, with_state)?;
    out.show(&line, |line| replay_text(line, out))?;
    match line.agrees {
        true => Ok(()),
        false => Err(Failure::new(
            Kind::LedgerBroken,
            "replay-differs",
            "what is stored beside the facts is not what the facts give",
        )
        .next("autopilotctl ledger verify")),
    }
}

fn replay_text(line: &ReplayLine, out: Out) -> String {
    let mut pairs: Vec<(&str, String)> = vec![
        ("facts", line.facts.to_string()),
        ("chain", line.chain.clone()),
        ("earned", show_msat(line.earned_msat)),
    ];
    pairs.extend(
        line.digests
            .iter()
            .map(|(label, digest)| (label.as_str(), digest.clone())),
    );
    let mut text = fields(&pairs);
    for comparison in &line.comparisons {
        let word = match comparison.equal {
            Some(true) => out.tone(Tone::Good, "equal"),
            Some(false) => out.tone(Tone::Bad, "DIFFERENT"),
            None => out.tone(Tone::Dim, "not compared"),
        };
        let stands = if comparison.sequence > 0 {
            format!(" at fact {}", comparison.sequence)
        } else {
            String::new()
        };
        text += &format!("\n{}{stands}: {word}: {}", comparison.what, comparison.detail);
    }
    if let Some(state) = &line.state {
        text += &format!("\n{state:#}");
    }
    text
}

pub async fn tail(home: &Path, out: Out, tail: Tail) -> Outcome {
    let audit = Audit::open(home).await?;
    let end = audit.head().await?.sequence;
    let mut after = tail.after.unwrap_or_else(|| end.saturating_sub(tail.lines));
    loop {
        let marks = Marks::of(audit.path());
        after = print(&audit, out, after, (!tail.follow).then_some(end)).await?;
        if !tail.follow {
            return Ok(());
        }
        tokio::select! {
            () = changed(&audit, &marks) => {}
            // Ctrl-C is the way to end this, and so no failure.
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

/// Prints what is there after a fact, to `end` if that is given, and returns the last one printed.
pub async fn print(audit: &Audit, out: Out, mut after: u64, end: Option<u64>) -> Outcome<u64> {
    loop {
        let facts = audit.facts(after, PAGE).await?;
        let full = facts.len() == PAGE as usize;
        for fact in facts {
            if end.is_some_and(|end| fact.fact.sequence > end) {
                return Ok(after);
            }
            after = fact.fact.sequence;
            let line = fact_line(&fact);
            match out.json {
                true => out.json_line(&FactDocument::from(line))?,
                false => out.line(&text(&line, out))?,
            }
        }
        if !full {
            return Ok(after);
        }
    }
}

fn text(line: &FactLine, out: Out) -> String {
    let stream = match line.stream.split_once('/') {
        Some((kind, id)) => format!("{kind}/{}", id.chars().take(12).collect::<String>()),
        None => line.stream.clone(),
    };
    let place = format!("{:>7}  {}", line.sequence, at(line.at_ms));
    let what = format!("{:<24}  {:<8}  {stream:<21}", line.r#type, line.source);
    format!(
        "{place}  {}  {}",
        clean_line(&what),
        out.tone(Tone::Dim, &clean_line(&line.json))
    )
}

/// Length and time of the database and its write-ahead log.
#[derive(PartialEq)]
struct Marks([Option<(u64, SystemTime)>; 2]);

impl Marks {
    fn of(path: &Path) -> Marks {
        let mark = |path: &Path| -> io::Result<(u64, SystemTime)> {
            let metadata = fs::metadata(path)?;
            Ok((metadata.len(), metadata.modified()?))
        };
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        Marks([mark(path).ok(), mark(&PathBuf::from(log)).ok()])
    }
}

/// Until the ledger's files look otherwise, or it is time to read them anyway.
async fn changed(audit: &Audit, before: &Marks) {
    let until = Instant::now() + READ;
    loop {
        sleep(LOOK).await;
        if Instant::now() >= until || Marks::of(audit.path()) != *before {
            return;
        }
    }
}
