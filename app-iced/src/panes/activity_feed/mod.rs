//! Every fact in words, newest first, without end; each with the way to its proof.
mod past;
mod proof;

use autopilot_proto::control::v1::{
    ActivityLine, ActivityReply, ActivityRequest, CheckLedgerReply, CheckLedgerRequest, FactLine,
};
use iced::{
    Alignment, Length,
    widget::{column, container, row},
};

use super::{Action, Scene, Screen, Wish, frame};
use crate::{
    design::{
        Element, Tone, badge, caption, chip, choice, entry, field, flat, flow,
        list::{self, Window},
        space,
    },
    face::Answer,
    paging::{Ask, PAGE, Page, Pages},
    words::{one_line, time},
};
use past::Past;
pub use past::Scrub;
use proof::{Check, Proof};

/// Id of the list, for the keyboard.
const LIST: &str = "activity feed";
/// How long reading every fact again is waited for, in seconds: some ten million facts. It goes on after that.
const CHECK_WAIT_S: u32 = 120;
/// What can be listed: the domains of the ledger.
const DOMAINS: [(&str, &str); 7] = [
    ("", "All"),
    ("chat", "Chat"),
    ("job", "Jobs"),
    ("wallet", "Wallet"),
    ("network", "Network"),
    ("sync", "Sync"),
    ("ledger", "Ledger"),
];

/// The pane.
#[derive(Debug, Default)]
pub struct ActivityFeed {
    pages: Pages<ActivityLine>,
    domain: &'static str,
    typed: String,
    proof: Option<Proof>,
    check: Check,
    past: Option<Past>,
}

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {
    /// The list was scrolled.
    Scrolled(Window),
    /// A page of lines.
    Page(Ask, Answer<ActivityReply>),
    /// To the newest line.
    Top,
    /// Ask again for what could not be had.
    Again,
    /// Only facts of this domain.
    Domain(&'static str),
    /// The number of a fact was typed.
    Typed(String),
    /// To the fact whose number was typed.
    Find,
    /// The proof of a fact.
    Open(u64),
    /// No more.
    Close,
    /// The fact as it is stored.
    Fact(u64, Answer<FactLine>),
    /// Have the host read every fact again.
    Check,
    /// What that found.
    Checked(Answer<CheckLedgerReply>),
    /// Look back to a fact.
    Replay(u64),
    /// Look at the present again.
    Present,
    /// In the scrubber.
    Past(Scrub),
    /// Why a job is or is not paid.
    Explain(String),
    /// Into the clipboard.
    Copy(String, &'static str),
}

impl Screen for ActivityFeed {
    type Message = Message;

    const VIEWS: &'static [&'static str] = &["activity"];

    fn opened(&mut self, scene: &Scene<'_>) -> Action<Message> {
        self.pages.refresh();
        self.load(scene)
    }

    fn news(&mut self, scene: &Scene<'_>) -> Action<Message> {
        let newest = scene.views.newest_fact();
        match self.pages.moved(newest) {
            true => self.load(scene),
            false => Action::none(),
        }
    }

    fn update(&mut self, message: Message, scene: &Scene<'_>) -> Action<Message> {
        match message {
            Message::Scrolled(window) => self.pages.scrolled(window),
            Message::Page(ask, answer) => self.pages.answered(ask, answer.map(page)),
            Message::Top => {
                self.pages.scrolled(Window::default());
                return Action::from(iced::Task::batch([list::to_top(LIST), self.load(scene).task]));
            }
            Message::Again => self.pages.refresh(),
            Message::Domain(domain) => {
                self.domain = domain;
                self.pages.restart();
            }
            Message::Typed(typed) => self.typed = typed,
            Message::Find => {
                if let Ok(sequence) = number(&self.typed) {
                    return self.open(sequence, scene);
                }
            }
            Message::Open(sequence) => return self.open(sequence, scene),
            Message::Close => self.proof = None,
            Message::Fact(sequence, answer) => {
                if let Some(proof) = self.proof.as_mut().filter(|proof| proof.sequence == sequence) {
                    proof.fact = Some(answer);
                }
            }
            Message::Check => return self.check(scene),
            Message::Checked(answer) => self.check = Check::Told(answer),
            Message::Replay(sequence) => {
                let past = self.past.insert(Past::new(sequence.max(1)));
                return past.ask(scene).into();
            }
            Message::Present => self.past = None,
            Message::Past(scrub) => {
                let asked = self.past.as_mut().map(|past| past.update(scrub, scene));
                return asked.unwrap_or_else(iced::Task::none).into();
            }
            Message::Explain(job) => return Action::wish(Wish::Explain(job)),
            Message::Copy(text, what) => return Action::wish(Wish::Copy(text, what)),
        }
        self.load(scene)
    }

    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        if let Some(past) = &self.past {
            let title = row![
                badge("THE PAST", Tone::Attention),
                caption(format!("Replay: the ledger after fact {}", past.at)),
                choice("Back to the present", Some(Message::Present)),
            ];
            let title = title.spacing(space::S).align_y(Alignment::Center);
            return column![title, past.view(scene)].padding(space::S).into();
        }
        let rows = self.pages.view(
            LIST,
            || self.none(),
            |line| self.row(scene, line),
            Message::Scrolled,
            Message::Again,
        );
        let newer = self
            .pages
            .is_behind()
            .then(|| choice("Newer facts above: to the top", Some(Message::Top)));
        let proof = self
            .proof
            .as_ref()
            .map(|proof| container(proof.view(scene, &self.check)).height(Length::FillPortion(2)));
        let lines = column![self.filters(scene)]
            .push(newer)
            .push(container(rows).height(Length::FillPortion(3)))
            .push(proof);
        lines.spacing(space::S).padding(space::S).into()
    }

    fn actions(&self, scene: &Scene<'_>) -> Vec<(String, Message)> {
        if let Some(past) = &self.past {
            let mut actions = past.actions();
            actions.push(("Replay: back to the present".to_owned(), Message::Present));
            return actions;
        }
        let newest = scene.views.newest_fact();
        let mut actions = vec![
            ("Activity Feed: replay".to_owned(), Message::Replay(newest)),
            ("Activity Feed: to the newest".to_owned(), Message::Top),
            ("Activity Feed: load again".to_owned(), Message::Again),
        ];
        let others = DOMAINS.into_iter().filter(|(domain, _)| *domain != self.domain);
        actions.extend(others.map(|(domain, label)| (format!("Activity Feed: {label}"), Message::Domain(domain))));
        if number(&self.typed).is_ok() {
            actions.push(("Activity Feed: to the typed fact".to_owned(), Message::Find));
        }
        if let Some(proof) = &self.proof {
            actions.push(("Activity Feed: close the proof".to_owned(), Message::Close));
            actions.extend(proof.actions());
        }
        actions.extend(self.pages.seen().map(|line| {
            let words = format!("Fact {}: {}", line.sequence, one_line(&line.sentence));
            (words, Message::Open(line.sequence))
        }));
        actions
    }
}

impl ActivityFeed {
    fn load(&mut self, scene: &Scene<'_>) -> Action<Message> {
        let asks = self.pages.asks().into_iter().map(|ask| {
            let request = ActivityRequest {
                limit: PAGE,
                before_sequence: ask.before,
                domain: self.domain.to_owned(),
            };
            let answer = scene.face.ask(move |mut host| async move { host.activity(request).await });
            answer.map(move |answer| Message::Page(ask, answer))
        });
        iced::Task::batch(asks).into()
    }

    fn check(&mut self, scene: &Scene<'_>) -> Action<Message> {
        if matches!(self.check, Check::Reading) {
            return Action::none();
        }
        self.check = Check::Reading;
        let request = CheckLedgerRequest { wait_s: CHECK_WAIT_S };
        let read = scene.face.ask(move |mut host| async move { host.check_ledger(request).await });
        read.map(Message::Checked).into()
    }

    fn open(&mut self, sequence: u64, scene: &Scene<'_>) -> Action<Message> {
        let line = self.pages.seen().find(|line| line.sequence == sequence).cloned();
        self.proof = Some(Proof::new(sequence, line));
        let read = scene.face.ask(move |host| proof::read(host, sequence));
        read.map(move |answer| Message::Fact(sequence, answer)).into()
    }

    fn none(&self) -> Element<'_, Message> {
        match self.domain {
            "" => frame::empty("Nothing happened yet", "Everything that happens becomes a fact and shows up here."),
            _ => frame::empty("No such fact yet", "Choose another filter, or All."),
        }
    }

    fn filters<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        let chips = DOMAINS
            .into_iter()
            .map(|(domain, label)| chip(label, domain == self.domain, Message::Domain(domain)));
        let typed = self.typed.as_str();
        let wrong = number(typed).err().filter(|_| !typed.is_empty());
        let find = row![
            field("Number of a fact", typed, "1", wrong, Message::Typed).width(Length::Fixed(180.0)),
            choice("Show its proof", number(typed).is_ok().then_some(Message::Find)),
            choice("Replay", Some(Message::Replay(scene.views.newest_fact()))),
        ]
        .spacing(space::S)
        .align_y(Alignment::End);
        column![flow(chips.collect()), find].spacing(space::XS).into()
    }

    fn row<'a>(&'a self, scene: &Scene<'a>, line: &'a ActivityLine) -> Element<'a, Message> {
        let content = row![
            caption(time(line.at_ms, scene.now_ms, scene.zone)).width(Length::Fixed(120.0)),
            badge(line.domain.as_str(), Tone::Quiet),
            badge(line.source.as_str(), Tone::Quiet),
            flat(one_line(&line.sentence), Tone::Plain),
        ]
        .spacing(space::S)
        .align_y(Alignment::Center);
        let chosen = self.proof.as_ref().is_some_and(|proof| proof.sequence == line.sequence);
        entry(content, chosen, Message::Open(line.sequence))
    }
}

fn page(reply: ActivityReply) -> Page<ActivityLine> {
    Page {
        rows: reply.lines,
        next: reply.next_before_sequence,
    }
}

/// The number of a fact, as typed.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn number(typed: &str) -> Result<u64, &'static str> {
    match typed.trim().parse::<u64>() {
        Ok(0) | Err(_) => Err("facts have the numbers from 1 on"),
        Ok(number) => Ok(number),
    }
}
