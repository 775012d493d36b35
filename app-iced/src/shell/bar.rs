//! What is always in sight: the switch, the scoreboard and the wallet.
use autopilot_host::desk::Pane;
use iced::{
    Alignment,
    widget::{column, container, mouse_area, row},
};

use crate::{
    design::{Element, Tone, action, badge, caption, danger, fill, space, stat, theme, toned},
    face::{Link, Views},
    panes::Scene,
    words::{ago, span},
};

/// A trial or a payment that is older proves little about now, in milliseconds.
const RECENT_MS: i64 = 24 * 3_600_000;
/// A heartbeat that is older was missed, in milliseconds.
const HEARTBEAT_LATE_MS: u64 = 90_000;

/// What was asked.
#[derive(Clone, Copy, Debug)]
pub enum Message {
    /// Go online, or offline.
    Toggle,
    /// Open a pane.
    Open(Pane),
}

/// Offline, connecting, online or degraded, in a word and with its tone. Green rests on a recent outcome.
pub fn state(views: &Views, going_online: bool, now_ms: i64) -> (&'static str, Tone) {
    let Some(status) = &views.status.value else {
        return ("starting", Tone::Quiet);
    };
    if let Link::Lost(_) = views.link {
        return ("engine lost", Tone::Bad);
    }
    match status.state.as_str() {
        "online" if status.can_earn && proven(views, now_ms) => ("online", Tone::Good),
        "online" => ("online", Tone::Accent),
        "degraded" => ("degraded", Tone::Attention),
        _ if going_online => ("connecting", Tone::Accent),
        _ => ("offline", Tone::Quiet),
    }
}

/// Whether the last outcome, a payment or an end of our own trial, is recent and good.
pub fn proven(views: &Views, now_ms: i64) -> bool {
    let earnings = views.earnings.value.as_ref();
    let paid = earnings.and_then(|earnings| earnings.last_settled_at_ms);
    let paid = paid.map(|at_ms| (now_ms.saturating_sub(at_ms), true));
    let last = paid
        .into_iter()
        .chain(trial(views))
        .min_by_key(|(age_ms, _)| *age_ms);
    last.is_some_and(|(age_ms, good)| good && age_ms < RECENT_MS)
}

/// The age of our last trial in milliseconds, and whether it came through.
fn trial(views: &Views) -> Option<(i64, bool)> {
    let provider = views.provider.value.as_ref()?;
    let age_ms = i64::try_from(provider.canary_age_ms?).unwrap_or(i64::MAX);
    Some((age_ms, provider.canary_good.unwrap_or(false)))
}

/// The bar.
pub fn view<'a>(scene: &Scene<'a>, going_online: bool) -> Element<'a, Message> {
    let views = scene.views;
    let (word, tone) = state(views, going_online, scene.now_ms);
    let online = matches!(word, "online" | "degraded");
    let switch: Element<'a, Message> = match online {
        true => danger("Go Offline", Some(Message::Toggle)),
        false => {
            let possible = views.status.value.is_some() && !going_online;
            action("Go Online", possible.then_some(Message::Toggle))
        }
    };
    let network = views
        .status
        .value
        .as_ref()
        .map_or("", |status| status.network.as_str());
    let value_of = match network {
        "" | "bitcoin" => None,
        _ => Some(caption(format!("{network}: these sats have no value"))),
    };
    let mut stats = scoreboard(scene);
    stats.extend(wallet(scene));
    let stats = stats.into_iter().map(|(pane, stat)| {
        mouse_area(stat)
            .on_press(Message::Open(pane))
            .interaction(iced::mouse::Interaction::Pointer)
            .into()
    });
    let left = column![switch, row![badge(word, tone)].push(value_of).spacing(space::S)].spacing(space::S);
    let bar = row![left, row(stats).spacing(space::L).wrap()]
        .spacing(space::L)
        .align_y(Alignment::Center);
    let against = against(views);
    container(column![bar].push(against).spacing(space::S))
        .padding(space::M)
        .width(iced::Length::Fill)
        .style(theme::bar)
        .into()
}

/// Why nothing can be earned now, and what helps: the first of the reasons.
fn against<'a>(views: &'a Views) -> Option<Element<'a, Message>> {
    if let Link::Lost(trouble) = &views.link {
        return Some(toned(format!("{}: {}", trouble.sentence, trouble.next), Tone::Bad).into());
    }
    let status = views.status.value.as_ref()?;
    let Some(first) = status.blockers.first() else {
        return alarm(views);
    };
    let more = status.blockers.len() - 1;
    let more = (more > 0).then(|| caption(format!("and {more} more: Go Online shows all")));
    let line = row![toned(first.as_str(), Tone::Attention), fill()]
        .push(more)
        .spacing(space::S);
    Some(mouse_area(line).on_press(Message::Open(Pane::GoOnline)).into())
}

/// The gravest alert that nobody has acknowledged.
fn alarm<'a>(views: &'a Views) -> Option<Element<'a, Message>> {
    let alerts = views.alerts.value.as_ref()?;
    let active = |severity: &str| {
        let mut lines = alerts.alerts.iter();
        lines.find(|alert| alert.state == "active" && alert.severity == severity)
    };
    let (alert, tone) = active("critical")
        .map(|alert| (alert, Tone::Bad))
        .or_else(|| active("warning").map(|alert| (alert, Tone::Attention)))?;
    let line = row![toned(alert.what.as_str(), tone), fill()];
    Some(
        mouse_area(line)
            .on_press(Message::Open(Pane::AlertsRecovery))
            .into(),
    )
}

fn scoreboard<'a>(scene: &Scene<'a>) -> Vec<(Pane, Element<'a, Message>)> {
    let Some(earnings) = &scene.views.earnings.value else {
        return Vec::new();
    };
    let board = Pane::EarningsScoreboard;
    let today = stat(
        "Today (calendar day)",
        scene.amounts.show(earnings.today_msat),
        Tone::Accent,
    );
    let last = match earnings.last_settled_at_ms {
        Some(at_ms) => (ago(at_ms, scene.now_ms), Tone::Good),
        None => ("none yet".to_owned(), Tone::Quiet),
    };
    let mut stats = vec![
        (board, today),
        (
            board,
            stat(
                "Earned in all",
                scene.amounts.show(earnings.earned_msat),
                Tone::Plain,
            ),
        ),
        (
            Pane::JobHistory,
            stat("Jobs today", earnings.today_jobs.to_string(), Tone::Plain),
        ),
        (Pane::JobHistory, stat("Last paid", last.0, last.1)),
    ];
    if let Some((age_ms, good)) = trial(scene.views) {
        let tone = match (good, age_ms < RECENT_MS) {
            (false, _) => Tone::Bad,
            (true, true) => Tone::Good,
            (true, false) => Tone::Attention,
        };
        let words = format!("{} ago", span(age_ms.unsigned_abs()));
        stats.push((Pane::ProviderStatus, stat("Last trial", words, tone)));
    }
    if let Some(status) = &scene.views.status.value {
        let beat = match status.heartbeat_age_ms.filter(|_| status.state != "offline") {
            Some(age) if age < HEARTBEAT_LATE_MS => (format!("{} ago", span(age)), Tone::Good),
            Some(age) => (format!("{} ago", span(age)), Tone::Attention),
            None => ("–".to_owned(), Tone::Quiet),
        };
        stats.push((Pane::ProviderStatus, stat("Heartbeat", beat.0, beat.1)));
        stats.push((
            Pane::ProviderStatus,
            stat("Uptime", span(status.uptime_ms), Tone::Plain),
        ));
    }
    stats
}

fn wallet<'a>(scene: &Scene<'a>) -> Vec<(Pane, Element<'a, Message>)> {
    let Some(balance) = &scene.views.balance.value else {
        return Vec::new();
    };
    let tone = match &scene.views.status.value {
        Some(status) if status.wallet_connected => Tone::Plain,
        _ => Tone::Attention,
    };
    vec![
        (
            Pane::Wallet,
            stat("Spendable", scene.amounts.show(balance.spendable_msat), tone),
        ),
        (
            Pane::Wallet,
            stat("Can receive", scene.amounts.show(balance.receivable_msat), tone),
        ),
    ]
}
