//! The desk: panes listed, opened, closed; and how each is. Also what the host costs, and the tailnet.
use autopilot_proto::control::v1::{
    PaneLine, PaneRequest, PanesReply, PanesRequest, PerfReply, PerfRequest, TailnetReply, TailnetRequest,
};

use crate::{
    args::{Pane, Perf},
    connect::{Client, call, call_waiting},
    failure::{Failure, Kind, Outcome},
    output::{Out, Tone, at, bytes, clean_line, duration, fields, table},
};

pub async fn pane(client: &mut Client, out: Out, action: Pane) -> Outcome {
    let request = |id: String| PaneRequest { id };
    match action {
        Pane::List => {
            let reply = call(client.panes(PanesRequest {})).await?;
            out.show(&reply, |reply| list(out, reply))
        }
        Pane::Open { id } => {
            let reply = call(client.open_pane(request(id))).await?;
            out.show(&reply, |reply| {
                let front = reply.panes.iter().find(|pane| pane.focused);
                let name = front.map(|pane| pane.label.clone()).unwrap_or_default();
                match reply.window {
                    true => format!("{name} is in front."),
                    false => format!("{name} is in front; no window shows it now."),
                }
            })
        }
        Pane::Close { id } => {
            let reply = call(client.close_pane(request(id))).await?;
            out.show(&reply, |reply| {
                let open = reply.panes.iter().filter(|pane| pane.open);
                let open: Vec<&str> = open.map(|pane| pane.label.as_str()).collect();
                match open.is_empty() {
                    true => "No pane is open.".to_owned(),
                    false => format!("Still open: {}.", open.join(", ")),
                }
            })
        }
        Pane::Status { id } => status(client, out, id).await,
    }
}

async fn status(client: &mut Client, out: Out, id: Option<String>) -> Outcome {
    let reply = call(client.panes(PanesRequest {})).await?;
    let Some(id) = id else {
        return out.show(&reply, |reply| {
            let blocks: Vec<String> = reply.panes.iter().map(|pane| words(out, pane)).collect();
            blocks.join("\n\n")
        });
    };
    let short = |id: &str| id.strip_prefix("pane.").unwrap_or(id).to_owned();
    match reply.panes.iter().find(|pane| short(&pane.id) == short(&id)) {
        Some(pane) => out.show(pane, |pane| words(out, pane)),
        None => Err(
            Failure::new(Kind::NotFound, "not-found", format!("there is no pane {id:?}"))
                .next("autopilotctl pane list"),
        ),
    }
}

fn tone(state: &str) -> Tone {
    match state {
        "ready" => Tone::Good,
        "error" => Tone::Bad,
        _ => Tone::Dim,
    }
}

fn list(out: Out, reply: &PanesReply) -> String {
    let shown = |pane: &PaneLine| match (pane.focused, pane.open) {
        (true, _) => "front".to_owned(),
        (_, true) => "open".to_owned(),
        _ => String::new(),
    };
    let row = |pane: &PaneLine| {
        vec![
            pane.id.clone(),
            pane.label.clone(),
            shown(pane),
            pane.source.clone(),
            // The last column is not padded: colour codes have no width.
            out.tone(tone(&pane.state), &pane.state),
        ]
    };
    let rows: Vec<_> = reply.panes.iter().map(row).collect();
    table(&["pane", "command", "shown", "source", "state"], &rows)
}

fn words(out: Out, pane: &PaneLine) -> String {
    let mut text = format!(
        "{}  {}\n{}",
        pane.label,
        out.tone(tone(&pane.state), &pane.state),
        clean_line(&pane.sentence)
    );
    if !pane.next.is_empty() {
        text += &format!("\nnext:  {}", clean_line(&pane.next));
    }
    text
}

pub async fn perf(client: &mut Client, out: Out, asked: Perf) -> Outcome {
    let over_ms = asked.over.saturating_mul(1_000);
    let wait_s = u32::try_from(asked.over).unwrap_or(u32::MAX);
    let reply = call_waiting(wait_s, client.perf(PerfRequest { over_ms })).await?;
    out.show(&reply, figures)
}

fn figures(reply: &PerfReply) -> String {
    let ms = |us: u64| format!("{}.{:02} ms", us / 1_000, us % 1_000 / 10);
    let share = |p50, p95, max| {
        format!(
            "half within {}, 95 % within {}, at most {}",
            ms(p50),
            ms(p95),
            ms(max)
        )
    };
    let commits = reply.commits.as_ref();
    let frames = reply.frames.as_ref();
    fields(&[
        ("up for", duration(reply.uptime_ms)),
        (
            "memory",
            format!(
                "{} (at most {})",
                bytes(reply.rss_bytes),
                bytes(reply.peak_rss_bytes)
            ),
        ),
        ("model's memory", bytes(reply.model_bytes)),
        ("threads", reply.threads.to_string()),
        (
            "processor",
            format!(
                "{}.{} % of one, {} in all",
                reply.cpu_permille / 10,
                reply.cpu_permille % 10,
                duration(reply.cpu_ms)
            ),
        ),
        ("facts", format!("{} a minute", reply.facts_per_minute)),
        (
            "commits",
            commits.map_or_else(String::new, |c| {
                format!("{}: {}", c.all, share(c.p50_us, c.p95_us, c.max_us))
            }),
        ),
        ("watchers", reply.watchers.to_string()),
        (
            "frames",
            frames.map_or_else(String::new, |f| {
                format!(
                    "{} since {}: {}",
                    f.frames,
                    at(f.since_ms),
                    share(f.p50_us, f.p95_us, f.max_us)
                )
            }),
        ),
    ])
}

pub async fn tailnet(client: &mut Client, out: Out) -> Outcome {
    let reply = call(client.tailnet(TailnetRequest {})).await?;
    out.show(&reply, |reply: &TailnetReply| {
        if reply.state != "up" {
            return clean_line(&reply.sentence);
        }
        let row = |device: &autopilot_proto::control::v1::TailnetDevice| {
            let seen = match (device.online, device.last_seen_ms) {
                (true, _) => "online".to_owned(),
                (false, Some(ms)) => at(ms),
                (false, None) => "offline".to_owned(),
            };
            let this = if device.this { "this machine" } else { "" };
            vec![
                clean_line(&device.name),
                clean_line(&device.os),
                device.address.clone(),
                this.to_owned(),
                seen,
            ]
        };
        let rows: Vec<_> = reply.devices.iter().map(row).collect();
        let head = [reply.name.as_str(), "system", "address", "", "seen"];
        table(&head, &rows)
    })
}
