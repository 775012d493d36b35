//! Everything that earning needs, checked one by one, each with what to do.
mod machine;
mod parts;

use std::path::Path;

use serde::Serialize;

use crate::{
    failure::{Failure, Kind, Outcome},
    output::{Out, Tone, clean_line},
};

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Ok,
    Warn,
    Fail,
}

/// One check.
#[derive(Debug, Serialize)]
pub struct Check {
    name: &'static str,
    state: State,
    detail: String,
    /// What to do; empty when nothing is.
    next: String,
}

impl Check {
    pub fn ok(name: &'static str, detail: impl Into<String>) -> Check {
        Check {
            name,
            state: State::Ok,
            detail: detail.into(),
            next: String::new(),
        }
    }

    pub fn warn(name: &'static str, detail: impl Into<String>, next: impl Into<String>) -> Check {
        Check {
            name,
            state: State::Warn,
            detail: detail.into(),
            next: next.into(),
        }
    }

    pub fn fail(name: &'static str, detail: impl Into<String>, next: impl Into<String>) -> Check {
        Check {
            name,
            state: State::Fail,
            detail: detail.into(),
            next: next.into(),
        }
    }
}

#[derive(Serialize)]
struct Report {
    /// Nothing failed; warnings may be there.
    ok: bool,
    checks: Vec<Check>,
}

/// Every check, in an order that begins with what the others rest on.
pub async fn checks(home: &Path) -> Vec<Check> {
    let mut checks = vec![
        machine::folder(home),
        machine::socket_path(home),
        machine::disk(home),
    ];
    checks.push(machine::writer(home));
    let recorded_at_ms = parts::ledger(home, &mut checks).await;
    checks.push(machine::clock(recorded_at_ms));
    checks.push(parts::configuration(home));
    parts::models(home, &mut checks);
    parts::model_server(home, &mut checks).await;
    for program in parts::PROGRAMS {
        checks.push(parts::program(program).await);
    }
    parts::host(home, &mut checks).await;
    checks
}

pub async fn doctor(home: &Path, out: Out) -> Outcome {
    let checks = checks(home).await;
    let report = Report {
        ok: checks.iter().all(|check| check.state != State::Fail),
        checks,
    };
    out.show(&report, |report| text(report, out))?;
    let failed = report
        .checks
        .iter()
        .filter(|check| check.state == State::Fail)
        .count();
    match failed {
        0 => Ok(()),
        failed => Err(Failure::new(
            Kind::Refused,
            "not-healthy",
            format!("{failed} checks failed"),
        )),
    }
}

fn text(report: &Report, out: Out) -> String {
    let width = report
        .checks
        .iter()
        .map(|check| check.name.len())
        .max()
        .unwrap_or(0);
    let line = |check: &Check| {
        let word = match check.state {
            State::Ok => out.tone(Tone::Good, "ok  "),
            State::Warn => out.tone(Tone::Warn, "warn"),
            State::Fail => out.tone(Tone::Bad, "FAIL"),
        };
        let next = match check.next.as_str() {
            "" => String::new(),
            next => format!("\n      {:width$}  next: {next}", ""),
        };
        format!(
            "{word}  {:<width$}  {}{next}",
            check.name,
            clean_line(&check.detail)
        )
    };
    report.checks.iter().map(line).collect::<Vec<_>>().join("\n")
}
