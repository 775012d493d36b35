//! How the host stands, and its part in the market.
use autopilot_cli::money::show_on;
use autopilot_proto::control::v1::{
    GoOfflineRequest, GoOnlineRequest, ModelFetch, RelayLine, RelaysReply, RelaysRequest, StatusReply,
    StatusRequest,
};

use crate::{
    args::Provider,
    connect::{Client, call, call_waiting},
    failure::Outcome,
    heads,
    output::{Out, Tone, at, bytes, clean_line, duration, fields, table},
};

pub async fn status(client: &mut Client, out: Out) -> Outcome {
    let reply = call(client.status(StatusRequest {})).await?;
    out.show(&reply, |reply| text(reply, out))
}

pub async fn provider(client: &mut Client, out: Out, action: Provider) -> Outcome {
    let reply = match action {
        Provider::Online { wait } => {
            call_waiting(wait, client.go_online(GoOnlineRequest { wait_s: wait })).await?
        }
        Provider::Offline { reason } => call(client.go_offline(GoOfflineRequest { reason })).await?,
    };
    out.show(&reply, |reply| text(reply, out))
}

/// How far a model is that is on its way.
fn fetching(fetch: &ModelFetch) -> String {
    let name = clean_line(&fetch.name);
    if !fetch.problem.is_empty() {
        let again = if fetch.again {
            "; it is tried again by itself"
        } else {
            ""
        };
        return format!("{name}: {}{again}", clean_line(&fetch.problem));
    }
    let left = fetch
        .left_s
        .map(|s| format!(", {} left", duration(s.saturating_mul(1_000))));
    format!(
        "{name}: {} of {}{}",
        bytes(fetch.have_bytes),
        bytes(fetch.total_bytes),
        left.unwrap_or_default()
    )
}

fn text(reply: &StatusReply, out: Out) -> String {
    let tone = match reply.state.as_str() {
        "online" => Tone::Good,
        "degraded" => Tone::Warn,
        _ => Tone::Dim,
    };
    let kinds: Vec<String> = reply.kinds.iter().map(u32::to_string).collect();
    let missing = |text: &str, what: &str| {
        if text.is_empty() {
            what.to_owned()
        } else {
            text.to_owned()
        }
    };
    let beat = reply
        .heartbeat_age_ms
        .map(|age| format!(", last announced {} ago", duration(age)));
    let wallet = if reply.wallet_connected {
        "connected"
    } else {
        "not connected"
    };
    let mut text = fields(&[
        (
            "state",
            format!("{}{}", out.tone(tone, &reply.state), beat.unwrap_or_default()),
        ),
        (
            "can earn",
            out.tone(
                if reply.can_earn { Tone::Good } else { Tone::Warn },
                &clean_line(&reply.earning),
            ),
        ),
        ("network", reply.network.clone()),
        ("earned", show_on(reply.earned_msat, &reply.network)),
        ("spendable", show_on(reply.spendable_msat, &reply.network)),
        (
            "owed back",
            match reply.owed_msat {
                0 => String::new(),
                msat => show_on(msat, &reply.network),
            },
        ),
        ("price", show_on(reply.price_msat, &reply.network)),
        ("order", reply.order.clone()),
        ("kinds", kinds.join(", ")),
        ("model", missing(&reply.model, "none ready")),
        (
            "fetching",
            reply.model_fetch.as_ref().map(fetching).unwrap_or_default(),
        ),
        ("jobs in flight", reply.jobs_in_flight.to_string()),
        (
            "relays",
            format!(
                "{} of {} connected",
                reply.relays_connected, reply.relays_configured
            ),
        ),
        (
            "wallet",
            format!(
                "{wallet}, chain from {}",
                missing(&reply.chain_source, "nowhere yet")
            ),
        ),
        ("node", reply.node_id.clone()),
        ("listens at", reply.node_addresses.join(", ")),
        ("npub", reply.npub.clone()),
        ("ledger", clean_line(&reply.ledger_check)),
        ("canary", clean_line(&reply.canary)),
        (
            "newest head",
            reply.heads.as_ref().map(heads::in_short).unwrap_or_default(),
        ),
        ("online in all", duration(reply.uptime_ms)),
        ("home", reply.home.clone()),
        ("version", reply.version.clone()),
        (
            "last fact",
            reply
                .basis
                .as_ref()
                .map(|basis| basis.sequence.to_string())
                .unwrap_or_default(),
        ),
    ]);
    for blocker in &reply.blockers {
        text += &format!("\n{} {}", out.tone(Tone::Bad, "missing:"), clean_line(blocker));
    }
    for cause in &reply.why_no_jobs {
        let next = match cause.next.as_str() {
            "" => String::new(),
            next => format!(" (`{next}`)"),
        };
        text += &format!(
            "\n{} {}{next}",
            out.tone(Tone::Warn, "no jobs:"),
            clean_line(&cause.sentence)
        );
    }
    for warning in &reply.warnings {
        text += &format!("\n{} {}", out.tone(Tone::Warn, "warning:"), clean_line(warning));
    }
    text
}

pub async fn relays(client: &mut Client, out: Out) -> Outcome {
    let reply = call(client.relays(RelaysRequest {})).await?;
    out.show(&reply, |reply: &RelaysReply| {
        if reply.relays.is_empty() {
            return "No relay is configured.".to_owned();
        }
        let head = [
            "relay",
            "state",
            "latency",
            "last seen",
            "accepted",
            "refused",
            "delivered",
            "forged",
            "last error",
        ];
        let row = |relay: &RelayLine| {
            vec![
                clean_line(&relay.relay),
                relay.state.clone(),
                relay.latency_ms.map_or("-".to_owned(), |ms| format!("{ms} ms")),
                relay
                    .last_seen_s
                    .map_or("-".to_owned(), |s| at(s.saturating_mul(1_000))),
                relay.accepted.to_string(),
                relay.refused.to_string(),
                relay.delivered.to_string(),
                relay.forged.to_string(),
                clean_line(&relay.last_error),
            ]
        };
        table(&head, &reply.relays.iter().map(row).collect::<Vec<_>>())
    })
}
