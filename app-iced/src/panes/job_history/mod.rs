//! All jobs, sold and bought: any number of rows, found by filters, each with the answer to "why wasn't I paid?".
mod detail;
mod filter;

use autopilot_proto::control::v1::{
    HistoryLine, HistoryReply, JobLogReply, JobLogRequest, WhyReply, WhyRequest,
};
use iced::{
    Alignment, Length,
    widget::{column, container, row},
};

use super::{Action, Scene, Screen, Wish, frame, tones};
use crate::{
    design::{Element, Tone, badge, body, caption, choice, entry, flat, list::{self, Window}, mono, space},
    face::{Answer, ways},
    paging::{Ask, PAGE, Page, Pages},
    words::{one_line, short, time},
};
use detail::Detail;
pub use filter::Filter;

/// The pane.
#[derive(Debug, Default)]
pub struct JobHistory {
    pages: Pages<HistoryLine>,
    filter: Filter,
    typed: String,
    detail: Option<Detail>,
}

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {
    /// The list was scrolled.
    Scrolled(Window),
    /// A page of rows.
    Page(Ask, Answer<HistoryReply>),
    /// To the newest row.
    Top,
    /// Ask again for what could not be had.
    Again,
    /// A filter was chosen.
    Filter(Filter),
    /// Show the filters of work and money, or hide them.
    MoreFilters,
    /// Something to search was typed.
    Typed(String),
    /// List only what it is found by.
    Search,
    /// Explain the job whose id was typed.
    Find,
    /// Open a row.
    Open(String),
    /// Close it.
    Close,
    /// Why a job is or is not paid.
    Why(String, Answer<WhyReply>),
    /// What happened to it.
    Log(String, Answer<JobLogReply>),
    /// Into the clipboard.
    Copy(String, &'static str),
}

impl Screen for JobHistory {
    type Message = Message;

    const VIEWS: &'static [&'static str] = &["activity"];

    fn opened(&mut self, scene: &Scene<'_>) -> Action<Message> {
        self.pages.refresh();
        self.load(scene)
    }

    /// Any fact may be one of a job in sight.
    fn news(&mut self, scene: &Scene<'_>) -> Action<Message> {
        if self.pages.moved(scene.views.newest_fact()) {
            let again = self.detail.as_ref().map(|detail| detail.job.clone());
            let list = self.load(scene);
            return match again {
                Some(job) => Action::from(iced::Task::batch([list.task, ask_about(scene, job)])),
                None => list,
            };
        }
        Action::none()
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
            Message::Filter(filter) => {
                self.filter = filter;
                self.pages.restart();
            }
            Message::MoreFilters => self.filter.open = !self.filter.open,
            Message::Typed(typed) => self.typed = typed,
            Message::Search => {
                self.filter = self.filter.searching(&self.typed);
                self.pages.restart();
            }
            Message::Find if filter::id(&self.typed).is_ok() => {
                return self.explain(self.typed.trim().to_owned(), scene);
            }
            Message::Find => {}
            Message::Open(job) => return self.explain(job, scene),
            Message::Close => self.detail = None,
            Message::Why(job, mut answer) => {
                if let Ok(why) = &mut answer {
                    ways::here(&mut why.answer);
                    why.rungs.iter_mut().for_each(|rung| ways::here(&mut rung.detail));
                }
                if let Some(detail) = self.detail.as_mut().filter(|detail| detail.job == job) {
                    detail.why = Some(answer);
                }
            }
            Message::Log(job, answer) => {
                if let Some(detail) = self.detail.as_mut().filter(|detail| detail.job == job) {
                    detail.log = Some(answer);
                }
            }
            Message::Copy(text, what) => return Action::wish(Wish::Copy(text, what)),
        }
        self.load(scene)
    }

    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
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
            .then(|| choice("Newer rows above: to the top", Some(Message::Top)));
        let lines = column![self.filter.view(&self.typed)]
            .push(newer)
            .push(container(rows).height(Length::FillPortion(3)))
            .push(
                self.detail
                    .as_ref()
                    .map(|detail| container(detail.view(scene)).height(Length::FillPortion(4))),
            );
        lines.spacing(space::S).padding(space::S).into()
    }

    fn actions(&self, _: &Scene<'_>) -> Vec<(String, Message)> {
        let mut actions = vec![
            ("Job History: to the newest".to_owned(), Message::Top),
            ("Job History: load again".to_owned(), Message::Again),
            ("Job History: filters".to_owned(), Message::MoreFilters),
        ];
        if filter::search(&self.typed).is_ok() {
            actions.push(("Job History: search".to_owned(), Message::Search));
        }
        if filter::id(&self.typed).is_ok() {
            actions.push(("Job History: explain the typed job".to_owned(), Message::Find));
        }
        actions.extend(self.filter.actions());
        if let Some(detail) = &self.detail {
            actions.push(("Job History: close the job".to_owned(), Message::Close));
            actions.extend(detail.actions());
        }
        actions.extend(self.pages.seen().map(|line| {
            let words = format!("Job {}: why {}?", short(&line.job_id), self::money(line));
            (words, Message::Open(line.job_id.clone()))
        }));
        actions
    }
}

/// Id of the list, for the keyboard.
const LIST: &str = "job history";

impl JobHistory {
    /// Explains a job, by its id or the beginning of it.
    pub fn explain(&mut self, job: String, scene: &Scene<'_>) -> Action<Message> {
        let line = self.pages.seen().find(|line| line.job_id == job).cloned();
        self.detail = Some(Detail::new(job.clone(), line));
        ask_about(scene, job).into()
    }

    fn load(&mut self, scene: &Scene<'_>) -> Action<Message> {
        let asks = self.pages.asks().into_iter().map(|ask| {
            let request = self.filter.request(PAGE, ask.before);
            let answer = scene.face.ask(move |mut host| async move { host.history(request).await });
            answer.map(move |answer| Message::Page(ask, answer))
        });
        iced::Task::batch(asks).into()
    }

    fn none(&self) -> Element<'_, Message> {
        match self.filter.is_any() {
            true => frame::empty(
                "No job yet",
                "Go Online to be asked for work, or send a request under Network Requests: every job stays here, with its proof.",
            ),
            false => frame::empty("No job is like that", "Choose other filters, or All."),
        }
    }

    fn row<'a>(&'a self, scene: &Scene<'a>, line: &'a HistoryLine) -> Element<'a, Message> {
        let price = line.settled_msat.or(line.price_msat);
        let amount = price.map_or("–".to_owned(), |msat| scene.amounts.show(msat));
        let reason = (!line.reason.is_empty()).then(|| flat(one_line(&line.reason), Tone::Quiet));
        let content = row![
            caption(time(line.received_at_ms, scene.now_ms, scene.zone)).width(Length::Fixed(120.0)),
            caption(match line.role.as_str() {
                "buyer" => "bought",
                _ => "sold",
            })
            .width(Length::Fixed(48.0)),
            mono(short(&line.job_id)),
            badge(line.work.as_str(), tones::work(&line.work)),
        ]
        .push((!line.money.is_empty()).then(|| badge(line.money.as_str(), tones::money(&line.money))))
        .push(body(amount))
        .push(reason)
        .spacing(space::S)
        .align_y(Alignment::Center);
        let chosen = self.detail.as_ref().is_some_and(|detail| detail.job == line.job_id);
        entry(content, chosen, Message::Open(line.job_id.clone()))
    }
}

/// What is said of a job's money in one word.
fn money(line: &HistoryLine) -> &str {
    match line.money.as_str() {
        "" => line.work.as_str(),
        money => money,
    }
}

fn page(reply: HistoryReply) -> Page<HistoryLine> {
    Page {
        rows: reply.rows,
        next: reply.next_before_sequence,
    }
}

fn ask_about(scene: &Scene<'_>, job: String) -> iced::Task<Message> {
    let (request, log) = (WhyRequest { job: job.clone() }, JobLogRequest { job: job.clone() });
    let why = scene.face.ask(move |mut host| async move { host.why(request).await });
    let log = scene.face.ask(move |mut host| async move { host.job_log(log).await });
    let of = job.clone();
    iced::Task::batch([
        why.map(move |answer| Message::Why(job.clone(), answer)),
        log.map(move |answer| Message::Log(of.clone(), answer)),
    ])
}
