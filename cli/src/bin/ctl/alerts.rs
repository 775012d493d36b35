//! What is or was wrong, and every fact in words.
use autopilot_proto::control::v1::{
    AcknowledgeAlertRequest, ActivityLine, ActivityReply, ActivityRequest, AlertLine, AlertsReply,
    AlertsRequest,
};

use crate::{
    args::alerts::{Activity, Alerts},
    connect::{Client, call},
    failure::Outcome,
    output::{Out, at, clean_line, table},
};

pub async fn alerts(client: &mut Client, out: Out, action: Alerts) -> Outcome {
    let reply = match action {
        Alerts::List => call(client.alerts(AlertsRequest {})).await?,
        Alerts::Ack { id } => call(client.acknowledge_alert(AcknowledgeAlertRequest { id })).await?,
    };
    out.show(&reply, |reply: &AlertsReply| {
        if reply.alerts.is_empty() {
            return "Nothing is wrong, and nothing was.".to_owned();
        }
        let head = [
            "alert",
            "severity",
            "state",
            "can earn",
            "what happened",
            "what to do",
        ];
        let row = |alert: &AlertLine| {
            vec![
                clean_line(&alert.id),
                alert.severity.clone(),
                alert.state.clone(),
                if alert.can_earn { "yes" } else { "no" }.to_owned(),
                clean_line(&alert.what),
                clean_line(&alert.next),
            ]
        };
        let rows: Vec<_> = reply.alerts.iter().map(row).collect();
        table(&head, &rows)
    })
}

pub async fn activity(client: &mut Client, out: Out, asked: Activity) -> Outcome {
    let request = ActivityRequest {
        limit: asked.limit,
        before_sequence: asked.before,
        domain: asked.domain.unwrap_or_default(),
    };
    let reply = call(client.activity(request)).await?;
    out.show(&reply, |reply: &ActivityReply| {
        let row = |line: &ActivityLine| {
            vec![
                line.sequence.to_string(),
                at(line.at_ms),
                line.domain.clone(),
                line.source.clone(),
                clean_line(&line.sentence),
            ]
        };
        let rows: Vec<_> = reply.lines.iter().map(row).collect();
        let text = table(&["fact", "at", "domain", "source", "what happened"], &rows);
        match reply.next_before_sequence {
            0 => text,
            next => format!("{text}\nOlder ones: --before {next}"),
        }
    })
}
