//! Requests as they came, with what was decided of each and why; while offline, what could have been had.
use autopilot_host::desk::Pane;
use autopilot_proto::control::v1::{
    AbortReply, AbortRequest, InboxLine, InboxReply, InboxRequest, MarkRefusalReply, MarkRefusalRequest,
};
use iced::{
    Alignment, Length, Task,
    widget::{column, container, row},
};

use super::{Action, Scene, Screen, Wish, demand, frame, tones};
use crate::{
    design::{
        Element, Tone, badge, body, caption, card, choice, entry, flat, flow, heading, line,
        list::{self, Window},
        mono, page, space, toned,
    },
    face::Answer,
    paging::{Ask, PAGE, Page, Pages},
    shell::toast::Toast,
    words::{ago, one_line, short, span, time},
};

/// Id of the list, for the keyboard.
const LIST: &str = "job inbox";

/// The pane.
#[derive(Debug, Default)]
pub struct JobInbox {
    pages: Pages<InboxLine>,
    opened: Option<InboxLine>,
}

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {
    /// The list was scrolled.
    Scrolled(Window),
    /// A page of requests.
    Page(Ask, Answer<InboxReply>),
    /// To the newest request.
    Top,
    /// Ask again for what could not be had.
    Again,
    /// Open a request.
    Open(String),
    /// Close it.
    Close,
    /// Give a job up.
    Decline(String),
    /// The answer.
    Declined(Answer<AbortReply>),
    /// A refusal was wrong.
    Mark(String),
    /// The answer.
    Marked(Answer<MarkRefusalReply>),
    /// Why a job is or is not paid.
    Explain(String),
    /// Another pane.
    Go(Pane),
    /// Into the clipboard.
    Copy(String, &'static str),
}

impl Screen for JobInbox {
    type Message = Message;

    const VIEWS: &'static [&'static str] = &["inbox"];

    fn opened(&mut self, scene: &Scene<'_>) -> Action<Message> {
        self.pages.refresh();
        self.load(scene)
    }

    fn news(&mut self, scene: &Scene<'_>) -> Action<Message> {
        let basis = scene.views.inbox.value.as_ref().and_then(|inbox| inbox.basis.as_ref());
        let newest = basis.map_or(0, |basis| basis.sequence);
        match self.pages.moved(newest) {
            true => self.load(scene),
            false => Action::none(),
        }
    }

    fn update(&mut self, message: Message, scene: &Scene<'_>) -> Action<Message> {
        match message {
            Message::Scrolled(window) => self.pages.scrolled(window),
            Message::Page(ask, answer) => {
                self.pages.answered(ask, answer.map(listed));
                self.reopen();
            }
            Message::Top => {
                self.pages.scrolled(Window::default());
                return Action::from(Task::batch([list::to_top(LIST), self.load(scene).task]));
            }
            Message::Again => self.pages.refresh(),
            Message::Open(id) => self.opened = self.pages.seen().find(|line| line.job_id == id).cloned(),
            Message::Close => self.opened = None,
            Message::Decline(job_id) => {
                let request = AbortRequest { job_id };
                let asked = scene.face.ask(move |mut host| async move { host.abort(request).await });
                return asked.map(Message::Declined).into();
            }
            Message::Declined(answer) => return said(answer, "The job was declined"),
            Message::Mark(job) => {
                let request = MarkRefusalRequest {
                    job,
                    wrong: true,
                    note: String::new(),
                };
                let asked = scene.face.ask(move |mut host| async move { host.mark_refusal(request).await });
                return asked.map(Message::Marked).into();
            }
            Message::Marked(answer) => return said(answer, "Noted: that refusal was wrong"),
            Message::Explain(job) => return Action::wish(Wish::Explain(job)),
            Message::Go(pane) => return Action::wish(Wish::Open(pane)),
            Message::Copy(text, what) => return Action::wish(Wish::Copy(text, what)),
        }
        self.load(scene)
    }

    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        let rows = self.pages.view(
            LIST,
            || {
                frame::empty(
                    "No request came yet",
                    "Go Online: requests show up here as relays bring them, with what was decided of each.",
                )
            },
            |line| self.row(scene, line),
            Message::Scrolled,
            Message::Again,
        );
        let newer = self
            .pages
            .is_behind()
            .then(|| choice("Newer requests above: to the top", Some(Message::Top)));
        let opened = self
            .opened
            .as_ref()
            .map(|line| container(detail(scene, line)).height(Length::FillPortion(3)));
        let preview = scene.views.inbox.value.as_ref().and_then(|inbox| preview(scene, inbox));
        column![]
            .push(preview)
            .push(newer)
            .push(container(rows).height(Length::FillPortion(3)))
            .push(opened)
            .spacing(space::S)
            .padding(space::S)
            .into()
    }

    fn actions(&self, _: &Scene<'_>) -> Vec<(String, Message)> {
        let named = |words: &str| format!("Job Inbox: {words}");
        let mut actions = vec![
            (named("to the newest"), Message::Top),
            (named("load again"), Message::Again),
        ];
        if let Some(line) = &self.opened {
            actions.extend(doings(line).into_iter().map(|(label, message)| (named(label), message)));
        }
        actions.extend(self.pages.seen().map(|line| {
            let words = format!("Request {}: {}", short(&line.job_id), line.decision);
            (words, Message::Open(line.job_id.clone()))
        }));
        actions
    }
}

impl JobInbox {
    fn load(&mut self, scene: &Scene<'_>) -> Action<Message> {
        let asks = self.pages.asks().into_iter().map(|ask| {
            let request = InboxRequest {
                limit: PAGE,
                before_sequence: ask.before,
            };
            let answer = scene.face.ask(move |mut host| async move { host.inbox(request).await });
            answer.map(move |answer| Message::Page(ask, answer))
        });
        Task::batch(asks).into()
    }

    /// What is looked at reads as the list does.
    fn reopen(&mut self) {
        let id = self.opened.as_ref().map(|line| line.job_id.as_str());
        let newer = self.pages.seen().find(|line| Some(line.job_id.as_str()) == id).cloned();
        if newer.is_some() {
            self.opened = newer;
        }
    }

    fn row<'a>(&'a self, scene: &Scene<'a>, line: &'a InboxLine) -> Element<'a, Message> {
        let bid = match (line.price_msat, line.bid_msat) {
            (Some(price), _) => scene.amounts.show(price),
            (None, Some(bid)) => format!("bids {}", scene.amounts.show(bid)),
            (None, None) => "no bid".to_owned(),
        };
        let content = row![
            caption(time(line.received_at_ms, scene.now_ms, scene.zone)).width(Length::Fixed(120.0)),
            badge(line.decision.as_str(), decision_tone(&line.decision)),
            badge(line.addressed.as_str(), Tone::Quiet),
        ]
        .push(line.canary.then(|| badge("own trial", Tone::Quiet)))
        .push(body(format!("kind {}", line.kind)))
        .push(body(bid))
        .push(mono(short(&line.requester)))
        .push((!line.reason.is_empty()).then(|| flat(one_line(&line.reason), Tone::Quiet)))
        .spacing(space::S)
        .align_y(Alignment::Center);
        let chosen = self.opened.as_ref().is_some_and(|opened| opened.job_id == line.job_id);
        entry(content, chosen, Message::Open(line.job_id.clone()))
    }
}

fn said<T>(answer: Answer<T>, good: &str) -> Action<Message> {
    Action::wish(Wish::Say(match answer {
        Ok(_) => Toast::good(good),
        Err(trouble) => Toast::bad(trouble.sentence),
    }))
}

fn decision_tone(decision: &str) -> Tone {
    match decision {
        "taken" => Tone::Good,
        "refused" => Tone::Attention,
        _ => Tone::Accent,
    }
}

fn listed(reply: InboxReply) -> Page<InboxLine> {
    Page {
        rows: reply.requests,
        next: reply.next_before_sequence,
    }
}

/// Demand that relays counted and nobody here could claim.
fn preview<'a>(scene: &Scene<'a>, inbox: &'a InboxReply) -> Option<Element<'a, Message>> {
    let since = (inbox.demand_since_ms > 0).then(|| ago(inbox.demand_since_ms, scene.now_ms));
    let title = match inbox.online {
        true => "Seen and not served",
        false => "Preview: what is asked for while you are offline",
    };
    let lines = inbox.offline.iter().chain(&inbox.other_kinds);
    let lines: Vec<_> = lines.map(|line| demand::line(scene, line)).collect();
    let online = (!inbox.online).then(|| choice("Go Online to take such work", Some(Message::Go(Pane::GoOnline))));
    (!lines.is_empty() || !inbox.online).then(|| {
        let none = lines.is_empty().then(|| caption("Nothing was seen yet."));
        let since = since.map(|since| caption(format!("counted since {since}")));
        let lines = column![heading(title)].push(since).push(none).extend(lines).push(online);
        card(lines.spacing(space::XS))
    })
}

fn doings(line: &InboxLine) -> Vec<(&'static str, Message)> {
    let mut doings = Vec::new();
    if line.can_decline {
        doings.push(("Decline", Message::Decline(line.job_id.clone())));
    }
    doings.push(("Why wasn't I paid?", Message::Explain(line.job_id.clone())));
    if !line.next.is_empty() {
        doings.push(("Copy the command that would take such jobs", Message::Copy(line.next.clone(), "Command")));
        doings.push(("Change the terms", Message::Go(Pane::Settings)));
    }
    if line.decision == "refused" {
        doings.push(("That refusal was wrong", Message::Mark(line.job_id.clone())));
    }
    doings.push(("Copy its id", Message::Copy(line.job_id.clone(), "Job id")));
    doings.push(("Close request", Message::Close));
    doings
}

fn detail<'a>(scene: &Scene<'a>, request: &'a InboxLine) -> Element<'a, Message> {
    let show = |msat| scene.amounts.show(msat);
    let amount = |msat: Option<u64>| msat.map_or("–".to_owned(), show);
    let title = row![
        heading("Request"),
        mono(short(&request.native_id)),
        badge(request.decision.as_str(), decision_tone(&request.decision)),
    ]
    .push((!request.work.is_empty()).then(|| badge(request.work.as_str(), tones::work(&request.work))))
    .spacing(space::S)
    .align_y(Alignment::Center);
    let why = (!request.reason.is_empty()).then(|| {
        let rule = (!request.rule.is_empty()).then(|| caption(format!("rule {}", one_line(&request.rule))));
        let detail = (!request.detail.is_empty()).then(|| caption(one_line(&request.detail)));
        column![toned(one_line(&request.reason), Tone::Attention)].push(detail).push(rule)
    });
    let setting = (!request.setting.is_empty()).then(|| {
        let (name, now, needed) = (&request.setting, &request.setting_now, &request.setting_needed);
        let pays = show(request.would_pay_msat);
        body(format!("{name} {now} → {needed} would have taken it: {pays}"))
    });
    let ttl = match request.ttl_s {
        0 => "not said".to_owned(),
        s => span(u64::from(s) * 1_000),
    };
    let deadline = (request.deadline_ms > 0)
        .then(|| line("Promised until", time(request.deadline_ms, scene.now_ms, scene.zone)));
    let sealed = request.encrypted.then(|| line("Texts", "sealed for this provider"));
    let facts = column![
        line("Requester", request.requester.as_str()),
        line("Relay", one_line(&request.relay)),
        line("Input", format!("{} bytes", request.input_bytes)),
        line("Bid", amount(request.bid_msat)),
        line("Agreed price", amount(request.price_msat)),
        line("Wanted within", ttl),
        line("Fact", request.sequence.to_string()),
    ]
    .push(deadline)
    .push(sealed);
    let doings = doings(request).into_iter();
    let doings = flow(doings.map(|(label, message)| choice(label, Some(message))).collect());
    let lines = column![title].push(why).push(setting).push(facts.spacing(space::XS)).push(doings);
    page(column![card(lines.spacing(space::S))])
}
