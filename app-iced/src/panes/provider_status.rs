//! How the provider does: its heartbeat, its queue, what failed, why no jobs come, and what was missed.
use autopilot_host::desk::Pane;
use autopilot_proto::control::v1::{
    CanaryReply, CanaryRequest, Cause, FailureLine, MissedLine, MissedReply, MissedRequest, ProviderReply,
};
use iced::{
    Alignment, Length,
    widget::{Column, column, row},
};

use super::{Action, Scene, Screen, Wish, demand, frame};
use crate::{
    design::{
        Element, Tone, badge, body, caption, card, choice, flow, heading, line, page, space, stat, toned,
    },
    face::{Answer, ways},
    words::{ago, one_line, span},
};

/// How long a trial is waited for, in seconds.
const TRIAL_WAIT_S: u32 = 120;
/// A trial that is older proves little, in milliseconds.
const TRIAL_FRESH_MS: u64 = 24 * 3_600_000;
/// Heartbeats come every 15 minutes: beyond this one is missing, in milliseconds.
const HEARTBEAT_FRESH_MS: u64 = 20 * 60_000;

/// The pane.
#[derive(Debug, Default)]
pub struct ProviderStatus {
    missed: Option<Answer<MissedReply>>,
    trying: bool,
    trial: Option<Answer<CanaryReply>>,
    seen: u64,
}

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {
    /// What was missed.
    Missed(Answer<MissedReply>),
    /// Try the provider as a stranger would.
    Try,
    /// How that went.
    Tried(Answer<CanaryReply>),
    /// Why a job is or is not paid.
    Explain(String),
    /// Another pane.
    Go(Pane),
    /// Into the clipboard.
    Copy(String, &'static str),
}

impl Screen for ProviderStatus {
    type Message = Message;

    const VIEWS: &'static [&'static str] = &["provider"];

    fn opened(&mut self, scene: &Scene<'_>) -> Action<Message> {
        ask_missed(scene)
    }

    fn news(&mut self, scene: &Scene<'_>) -> Action<Message> {
        let basis = scene.views.provider.value.as_ref().and_then(|provider| provider.basis.as_ref());
        let newest = basis.map_or(0, |basis| basis.sequence);
        match std::mem::replace(&mut self.seen, newest) == newest {
            true => Action::none(),
            false => ask_missed(scene),
        }
    }

    fn update(&mut self, message: Message, scene: &Scene<'_>) -> Action<Message> {
        match message {
            Message::Missed(answer) => self.missed = Some(answer),
            Message::Try if self.trying => {}
            Message::Try => {
                self.trying = true;
                let request = CanaryRequest {
                    wait_s: TRIAL_WAIT_S,
                    ..CanaryRequest::default()
                };
                let asked = scene.face.ask(move |mut host| async move { host.canary(request).await });
                return asked.map(Message::Tried).into();
            }
            Message::Tried(mut answer) => {
                self.trying = false;
                if let Ok(reply) = &mut answer {
                    ways::here(&mut reply.words);
                    ways::here(&mut reply.detail);
                }
                self.trial = Some(answer);
            }
            Message::Explain(job) => return Action::wish(Wish::Explain(job)),
            Message::Go(pane) => return Action::wish(Wish::Open(pane)),
            Message::Copy(text, what) => return Action::wish(Wish::Copy(text, what)),
        }
        Action::none()
    }

    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        frame::shown(&scene.views.provider, |provider| {
            let lines = column![pulse(scene, provider), self.proof(provider), queue(provider)]
                .push(why_none(scene))
                .push(failures(scene, provider))
                .push(outcomes(scene, provider))
                .push(self.missed(scene));
            page(lines)
        })
    }

    fn actions(&self, scene: &Scene<'_>) -> Vec<(String, Message)> {
        let named = |words: &str| format!("Provider Status: {words}");
        let mut actions = vec![
            (named("try it as a stranger would"), Message::Try),
            (named("change the terms"), Message::Go(Pane::Settings)),
        ];
        let last = scene.views.provider.value.iter().filter_map(|provider| provider.last_outcome.as_ref());
        actions.extend(last.map(|last| (named("explain the last job"), Message::Explain(last.job_id.clone()))));
        if let Some(Ok(missed)) = &self.missed {
            let lines = missed.missed.iter().filter(|line| !line.next.is_empty());
            actions.extend(lines.map(|line| {
                let words = named(&format!("copy the command that sets {}", line.setting));
                (words, Message::Copy(line.next.clone(), "Command"))
            }));
        }
        actions
    }
}

impl ProviderStatus {
    /// Green rests on a recent outcome, not on a flag.
    fn proof<'a>(&'a self, provider: &'a ProviderReply) -> Element<'a, Message> {
        let fresh = provider.canary_age_ms.is_some_and(|age| age < TRIAL_FRESH_MS);
        let tone = match (provider.canary_good, fresh) {
            (Some(true), true) => Tone::Good,
            (Some(false), _) => Tone::Bad,
            _ => Tone::Attention,
        };
        let words = match provider.canary.as_str() {
            "" => "It was never tried as a stranger would.".to_owned(),
            words => one_line(words),
        };
        let age = provider.canary_age_ms.map(|age| caption(format!("{} ago", span(age))));
        let label = if self.trying { "Trying …" } else { "Try it now" };
        let tried: Option<Element<'a, Message>> = self.trial.as_ref().map(|trial| match trial {
            Ok(reply) => {
                let rungs = reply.stages.iter().map(|stage| badge(stage.name.as_str(), Tone::Good));
                column![body(one_line(&reply.words)), flow(rungs.collect())].spacing(space::XS).into()
            }
            Err(trouble) => frame::broken(trouble),
        });
        let title = row![heading("Last trial"), toned(words, tone)].push(age).spacing(space::S);
        let doing = choice(label, (!self.trying).then_some(Message::Try));
        card(column![title.wrap(), doing].push(tried).spacing(space::S))
    }

    fn missed<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        let content: Element<'a, Message> = match &self.missed {
            None => caption("Adding up …").into(),
            Some(Err(trouble)) => frame::broken(trouble),
            Some(Ok(missed)) => sums(scene, missed),
        };
        card(column![heading("Missed sats"), content].spacing(space::S))
    }
}

fn ask_missed(scene: &Scene<'_>) -> Action<Message> {
    let asked = scene
        .face
        .ask(|mut host| async move { host.missed(MissedRequest { since_ms: 0 }).await });
    asked.map(Message::Missed).into()
}

fn pulse<'a>(scene: &Scene<'a>, provider: &'a ProviderReply) -> Element<'a, Message> {
    let (word, tone) = match provider.state.as_str() {
        "online" => ("online", Tone::Good),
        "degraded" => ("degraded", Tone::Attention),
        other => (other, Tone::Quiet),
    };
    let heartbeat = match provider.heartbeat_age_ms {
        None => ("none yet".to_owned(), Tone::Quiet),
        Some(age) if provider.state == "offline" => (format!("{} ago", span(age)), Tone::Quiet),
        Some(age) if age < HEARTBEAT_FRESH_MS => (format!("{} ago", span(age)), Tone::Good),
        Some(age) => (format!("{} ago", span(age)), Tone::Bad),
    };
    let relays = provider
        .heartbeat_relays
        .map(|relays| caption(format!("{relays} relays took the last heartbeat")));
    let stats = flow(vec![
        stat("Heartbeat", heartbeat.0, heartbeat.1),
        stat("Uptime today", span(provider.uptime_today_ms), Tone::Plain),
        stat("Uptime in all", span(provider.uptime_ms), Tone::Plain),
    ]);
    let blockers = provider.blockers.iter();
    let blockers = blockers.map(|words| toned(one_line(words), Tone::Attention).into());
    let can_earn = scene.views.status.value.as_ref().map(|status| match status.can_earn {
        true => toned("Earning is possible now", Tone::Good),
        false => toned(one_line(&status.earning), Tone::Attention),
    });
    let title = row![heading("Provider"), badge(word, tone)].push(can_earn).spacing(space::S);
    let lines = column![title.align_y(Alignment::Center).wrap(), stats].push(relays).extend(blockers);
    card(lines.spacing(space::S))
}

fn queue(provider: &ProviderReply) -> Element<'_, Message> {
    let places = format!("{} of {}", provider.running, provider.places);
    let stats = vec![
        stat("In work", provider.in_flight.to_string(), Tone::Accent),
        stat("The model is at", places, Tone::Plain),
        stat("Wait for inputs", provider.waiting_for_inputs.to_string(), Tone::Plain),
        stat("Wait for payment", provider.waiting_for_payment.to_string(), Tone::Plain),
    ];
    let doing = choice("Active jobs", Some(Message::Go(Pane::ActiveJob)));
    card(column![heading("Queue"), flow(stats), doing].spacing(space::S))
}

fn why_none<'a>(scene: &Scene<'a>) -> Option<Element<'a, Message>> {
    let causes: &'a [Cause] = scene.views.status.value.as_ref().map_or(&[], |status| &status.why_no_jobs);
    let cause = |cause: &'a Cause| {
        let next = (!cause.next.is_empty()).then(|| caption(cause.next.as_str()));
        column![body(one_line(&cause.sentence))].push(next).into()
    };
    (!causes.is_empty()).then(|| {
        let title = heading("Why am I getting no jobs?");
        card(column![title].extend(causes.iter().map(cause)).spacing(space::S))
    })
}

fn failures<'a>(scene: &Scene<'a>, provider: &'a ProviderReply) -> Element<'a, Message> {
    let failure = |failure: &'a FailureLine| {
        let tone = if failure.today > 0 { Tone::Bad } else { Tone::Quiet };
        let last = failure.last_at_ms.map(|at_ms| {
            let words = if failure.last_words.is_empty() { &failure.last_code } else { &failure.last_words };
            caption(format!("{}: {}", ago(at_ms, scene.now_ms), one_line(words)))
        });
        row![
            caption(failure.class.as_str()).width(Length::Fixed(110.0)),
            toned(format!("{} today", failure.today), tone),
            caption(format!("{} in all", failure.jobs)),
        ]
        .push(last)
        .spacing(space::S)
        .align_y(Alignment::Center)
        .into()
    };
    let cancelled = caption(format!("{} given up by hand or by the buyer: no failures", provider.cancelled));
    let lines = column![heading("Failures")].extend(provider.failures.iter().map(failure)).push(cancelled);
    card(lines.spacing(space::XS))
}

fn outcomes<'a>(scene: &Scene<'a>, provider: &'a ProviderReply) -> Element<'a, Message> {
    let share = |permille: Option<u32>| {
        permille.map_or("–".to_owned(), |permille| format!("{}.{} %", permille / 10, permille % 10))
    };
    let latency = provider
        .first_job_latency_ms
        .and_then(|ms| u64::try_from(ms).ok())
        .map(|ms| line("First time online to first sats", span(ms)));
    let last = provider.last_outcome.as_ref().map(|last| {
        let tone = if last.good { Tone::Good } else { Tone::Bad };
        row![
            caption("Last result"),
            toned(one_line(&last.words), tone),
            caption(ago(last.at_ms, scene.now_ms)),
            choice("Why?", Some(Message::Explain(last.job_id.clone()))),
        ]
        .spacing(space::S)
        .align_y(Alignment::Center)
    });
    let lines: Column<'a, Message> = column![
        heading("Outcomes"),
        line("Accepted", provider.jobs_accepted.to_string()),
        line("Delivered", provider.jobs_delivered.to_string()),
        line("Paid", provider.jobs_settled.to_string()),
        line("Delivered of those that ended", share(provider.completion_permille)),
        line("Paid of those whose money ended", share(provider.payout_permille)),
    ];
    card(lines.push(latency).push(last).spacing(space::XS))
}

fn sums<'a>(scene: &Scene<'a>, missed: &'a MissedReply) -> Element<'a, Message> {
    let one = |one: &'a MissedLine| {
        let pays = scene.amounts.show(one.msat);
        let head = row![badge(one.reason.as_str(), Tone::Attention), body(format!("{} jobs, {pays}", one.jobs))];
        let setting = match one.setting.as_str() {
            "" => caption("no setting would have taken them"),
            name => caption(format!("{name} {} → {} would have taken them", one.setting_now, one.setting_needed)),
        };
        let copy = (!one.next.is_empty())
            .then(|| choice("Copy the command", Some(Message::Copy(one.next.clone(), "Command"))));
        head.push(setting).push(copy).spacing(space::S).align_y(Alignment::Center).wrap().into()
    };
    let none = missed.missed.is_empty().then(|| caption("Nothing that was asked for was refused."));
    let beyond = (missed.beyond_budget > 0).then(|| {
        caption(format!("{} more came beyond the day's budget and were only counted", missed.beyond_budget))
    });
    let demand = missed.offline.iter().chain(&missed.other_kinds).map(|line| demand::line(scene, line));
    let taken = caption(format!("{} requests came, {} were taken", missed.received, missed.taken));
    column![taken]
        .push(none)
        .extend(missed.missed.iter().map(one))
        .push(beyond)
        .extend(demand)
        .push(choice("Change the terms", Some(Message::Go(Pane::Settings))))
        .spacing(space::S)
        .into()
}
