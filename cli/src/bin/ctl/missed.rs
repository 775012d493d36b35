//! Requests that were refused, each with its text, and what they sum up to.
use autopilot_cli::money::{network_note, show_msat};
use autopilot_proto::control::v1::{
    DemandLine, MarkRefusalRequest, MissedLine, MissedReply, MissedRequest, RefusalLine, RefusalsReply,
    RefusalsRequest, RuleLine, StatusRequest,
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::{
    args::{Missed, RefusalAction, Refusals},
    connect::{Client, call},
    failure::{Failure, Outcome},
    output::{Out, at, clean_line, short, table},
};

/// Characters of a text shown in a table; JSON has all of it.
const TEXT_SHOWN: usize = 60;

pub async fn refusals(client: &mut Client, out: Out, query: Refusals) -> Outcome {
    if let Some(RefusalAction::Mark { job, wrong, note, .. }) = query.action {
        let reply = call(client.mark_refusal(MarkRefusalRequest { job, wrong, note })).await?;
        return out.show(&reply, |reply| {
            let rule = reply.rule.clone().unwrap_or_default();
            format!(
                "{}: {} refused, {} of them wrong",
                clean_line(&rule.rule),
                rule.refused,
                rule.wrong
            )
        });
    }
    let reply = call(client.refusals(RefusalsRequest {
        limit: query.limit,
        before_sequence: query.before,
        reason: query.reason,
        rule: query.rule,
    }))
    .await?;
    out.show(&reply, refusals_text)
}

fn refusals_text(reply: &RefusalsReply) -> String {
    let head = [
        "job",
        "received",
        "kind",
        "bid",
        "reason",
        "rule",
        "would take it",
        "wrong",
        "buyer",
        "asked",
    ];
    let row = |line: &RefusalLine| {
        let asked = match line.forgotten_at_ms {
            Some(ms) => format!("forgotten on {}", at(ms)),
            None => clean_line(&line.text),
        };
        let cut: String = asked.chars().take(TEXT_SHOWN).collect();
        vec![
            short(&line.job_id),
            at(line.at_ms),
            line.kind.to_string(),
            line.bid_msat.map_or("none".to_owned(), show_msat),
            line.reason.clone(),
            clean_line(&line.rule),
            change(&line.setting, &line.setting_now, &line.setting_needed),
            if line.marked_wrong { "yes" } else { "" }.to_owned(),
            short(&line.requester),
            if cut == asked { asked } else { format!("{cut}…") },
        ]
    };
    let mut text = match reply.refusals.is_empty() {
        true => "No refusal here.".to_owned(),
        false => table(&head, &reply.refusals.iter().map(row).collect::<Vec<_>>()),
    };
    if !reply.rules.is_empty() {
        let rule = |line: &RuleLine| {
            vec![
                clean_line(&line.rule),
                line.refused.to_string(),
                line.wrong.to_string(),
            ]
        };
        let rules: Vec<_> = reply.rules.iter().map(rule).collect();
        text += &format!("\n\n{}", table(&["rule", "refused", "of them wrong"], &rules));
    }
    if reply.next_before_sequence > 0 {
        text += &format!(
            "\nOlder ones: autopilotctl refusals --before {}",
            reply.next_before_sequence
        );
    }
    text
}

fn change(setting: &str, now: &str, needed: &str) -> String {
    match setting {
        "" => "-".to_owned(),
        "content-policy" => "the rule taken back".to_owned(),
        setting => clean_line(&format!("{setting} {now} → {needed}")),
    }
}

/// A span back from now, or a day or time where the asker is.
pub fn since_ms(text: &str) -> Outcome<i64> {
    let bad = || {
        Failure::usage(format!(
            "{text:?} is neither a span (30m, 24h, 7d) nor a date (2026-11-20)"
        ))
    };
    let now_ms = Timestamp::now().as_millisecond();
    let unit_ms = text.chars().last().and_then(|unit| match unit {
        'm' => Some(60_000),
        'h' => Some(3_600_000),
        'd' => Some(86_400_000),
        _ => None,
    });
    if let Some(unit_ms) = unit_ms {
        let number: i64 = text[..text.len() - 1].parse().map_err(|_| bad())?;
        return Ok(now_ms
            .saturating_sub(number.max(0).saturating_mul(unit_ms))
            .max(1));
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Ok(timestamp.as_millisecond());
    }
    let date: Date = text.parse().map_err(|_| bad())?;
    let start = date.to_zoned(TimeZone::system()).map_err(|_| bad())?;
    Ok(start.timestamp().as_millisecond())
}

pub async fn missed(client: &mut Client, out: Out, query: Missed) -> Outcome {
    let since_ms = query.since.as_deref().map(since_ms).transpose()?.unwrap_or(0);
    let reply = call(client.missed(MissedRequest { since_ms })).await?;
    let network = match out.json {
        true => String::new(),
        false => call(client.status(StatusRequest {})).await?.network,
    };
    out.show(&reply, |reply| missed_text(reply, &network))
}

fn missed_text(reply: &MissedReply, network: &str) -> String {
    let from = match reply.since_ms {
        0 => "in all".to_owned(),
        since => format!("since {}", at(since)),
    };
    let mut text = format!(
        "{} requests came {from}, {} were taken.",
        reply.received, reply.taken
    );
    let row = |line: &MissedLine| {
        vec![
            line.reason.clone(),
            line.jobs.to_string(),
            show_msat(line.msat),
            change(&line.setting, &line.setting_now, &line.setting_needed),
            clean_line(&line.next),
        ]
    };
    if !reply.missed.is_empty() {
        let head = [
            "not taken because",
            "jobs",
            "would have paid",
            "the setting",
            "the command",
        ];
        let rows: Vec<_> = reply.missed.iter().map(row).collect();
        text += &format!("\n{}\nSums {}.", table(&head, &rows), network_note(network));
    }
    if reply.beyond_budget > 0 {
        text += &format!(
            "\n{} more were beyond the day's intake budget, and only counted.",
            reply.beyond_budget
        );
    }
    for line in &reply.offline {
        text += &format!(
            "\nWhile offline: {} (`autopilotctl provider online`)",
            demand(line)
        );
    }
    for line in &reply.other_kinds {
        text += &format!("\nNot served: {}", demand(line));
    }
    text
}

fn demand(line: &DemandLine) -> String {
    let elsewhere = match line.elsewhere {
        0 => String::new(),
        jobs => format!(", {jobs} of them for other providers"),
    };
    format!(
        "kind {}: {} jobs{elsewhere}, bids up to {}, {} in all",
        line.kind,
        line.jobs,
        show_msat(line.highest_bid_msat),
        show_msat(line.bids_msat)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_counts_back_from_now_and_nonsense_is_named() {
        let now_ms = Timestamp::now().as_millisecond();
        let hour_ago = since_ms("60m").unwrap();
        assert!((now_ms - 3_600_000..now_ms - 3_500_000).contains(&hour_ago));
        assert_eq!(since_ms("1970-01-02T00:00:00Z").unwrap(), 86_400_000);
        assert!(since_ms("2026-11-20").is_ok());
        for bad in ["", "h", "soon", "-5h5", "🦀d"] {
            assert!(since_ms(bad).is_err(), "{bad}");
        }
    }
}
