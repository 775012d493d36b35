//! What this machine buys: requests with their winners and why, a form for another, and buying by itself.
mod form;
mod list;
mod mode;

use autopilot_proto::control::v1::{
    BuyModeReply, BuyModeRequest, BuyReply, PurchaseLine, PurchaseReply, PurchaseRequest, PurchasesReply,
    PurchasesRequest, StopBuyModeRequest, Trouble,
};
use iced::{
    Alignment, Task,
    widget::{column, row},
};

use super::{Action, Scene, Screen, Wish, frame};
use crate::{
    design::{Element, Tone, action, caption, card, chip, choice, field, flow, heading, list as rows, page, space, toned},
    face::Answer,
    paging::{Ask, Page, Pages},
    shell::toast::Toast,
};
pub use form::{Field, Form};
use list::{Opened, cancel, cancelled};

/// Requests on a page: the most that a host gives.
const PAGE: u32 = 100;

/// A part of the pane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// Requests, newest first.
    #[default]
    List,
    /// A new request.
    New,
    /// Buying by itself.
    Mode,
}

const PARTS: [(Part, &str); 3] = [
    (Part::List, "Requests"),
    (Part::New, "New request"),
    (Part::Mode, "Buy mode"),
];

/// The pane.
#[derive(Debug, Default)]
pub struct NetworkRequests {
    part: Part,
    pages: Pages<PurchaseLine>,
    opened: Option<Opened>,
    form: Form,
    /// What was typed is right by the host's word: it waits for approval.
    reviewed: bool,
    trouble: Option<Trouble>,
    mode: Option<Answer<BuyModeReply>>,
}

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {
    /// Another part.
    Part(Part),
    /// The list was scrolled.
    Scrolled(rows::Window),
    /// A page of requests.
    Page(Ask, Answer<PurchasesReply>),
    /// Ask again for what could not be had.
    Again,
    /// Something was typed.
    Typed(Field, String),
    /// Sealed, or not.
    Sealed,
    /// Paid back if the delivery fails, or not.
    Refund,
    /// Have the host check what was typed.
    Review,
    /// What it says.
    Reviewed(Answer<()>),
    /// Back to the form.
    Back,
    /// Spend it.
    Approve,
    /// A request was sent.
    Bought(Answer<BuyReply>),
    /// Open a request.
    Open(String),
    /// Close it.
    Close,
    /// How it stands, with its result.
    Purchase(String, Answer<PurchaseReply>),
    /// Why it is or is not paid.
    Explain(String),
    /// Stop waiting for an answer.
    Cancel(String),
    /// Told of it.
    Cancelled(Answer<PurchaseReply>),
    /// The kill switch of buy mode.
    Stop,
    /// How buy mode stands.
    Mode(Answer<BuyModeReply>),
    /// Buy mode was started or stopped.
    Switched(Answer<BuyModeReply>),
    /// Into the clipboard.
    Copy(String, &'static str),
}

impl Screen for NetworkRequests {
    type Message = Message;

    const VIEWS: &'static [&'static str] = &["activity"];

    fn opened(&mut self, scene: &Scene<'_>) -> Action<Message> {
        self.pages.refresh();
        self.load(scene, [ask_mode(scene)])
    }

    /// Any fact may be one of a request in sight.
    fn news(&mut self, scene: &Scene<'_>) -> Action<Message> {
        if !self.pages.moved(scene.views.newest_fact()) {
            return Action::none();
        }
        let opened = self.opened.as_ref().map(|opened| opened.id.clone());
        let again = opened.map_or(Task::none(), |id| ask_purchase(scene, id));
        self.load(scene, [ask_mode(scene), again])
    }

    fn update(&mut self, message: Message, scene: &Scene<'_>) -> Action<Message> {
        match message {
            Message::Part(part) => {
                self.part = part;
                self.back();
            }
            Message::Scrolled(window) => self.pages.scrolled(window),
            Message::Page(ask, answer) => self.pages.answered(ask, answer.map(listed)),
            Message::Again => self.pages.refresh(),
            Message::Typed(field, typed) => {
                self.form.set(field, typed);
                self.back();
            }
            Message::Sealed => self.form.sealed = !self.form.sealed,
            Message::Refund => self.form.refund = !self.form.refund,
            Message::Review => return self.review(scene),
            Message::Reviewed(answer) => {
                self.reviewed = answer.is_ok();
                self.trouble = answer.err();
            }
            Message::Back => self.back(),
            Message::Approve if self.reviewed => return self.approve(scene),
            Message::Approve => {}
            Message::Bought(answer) => return self.bought(answer, scene),
            Message::Open(id) => {
                let line = self.pages.seen().find(|line| line.purchase_id == id).cloned();
                self.opened = Some(Opened::new(id.clone(), line));
                return ask_purchase(scene, id).into();
            }
            Message::Close => self.opened = None,
            Message::Purchase(id, answer) => {
                if let Some(opened) = self.opened.as_mut().filter(|opened| opened.id == id) {
                    opened.answer = Some(answer);
                }
            }
            Message::Explain(job) => return Action::wish(Wish::Explain(job)),
            Message::Cancel(id) => return cancel(scene, id).into(),
            Message::Cancelled(answer) => return cancelled(answer),
            Message::Stop => {
                let stopped = scene
                    .face
                    .ask(|mut host| async move { host.stop_buy_mode(StopBuyModeRequest {}).await });
                return stopped.map(Message::Switched).into();
            }
            Message::Mode(answer) => self.mode = Some(answer),
            Message::Switched(answer) => return self.switched(answer),
            Message::Copy(text, what) => return Action::wish(Wish::Copy(text, what)),
        }
        self.load(scene, [])
    }

    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        let parts = PARTS.into_iter().map(|(part, label)| chip(label, part == self.part, Message::Part(part)));
        let content = match self.part {
            Part::List => self.list(scene),
            Part::New => page(column![self.form(scene, &form::ONCE)]),
            Part::Mode => page(self.mode(scene)),
        };
        column![flow(parts.collect()), content].spacing(space::S).padding(space::S).into()
    }

    fn actions(&self, _: &Scene<'_>) -> Vec<(String, Message)> {
        let named = |words: &str| format!("Network Requests: {words}");
        let parts = PARTS.into_iter().filter(|(part, _)| *part != self.part);
        let mut actions: Vec<_> = parts.map(|(part, label)| (named(label), Message::Part(part))).collect();
        match self.part {
            Part::List => {
                actions.push((named("load again"), Message::Again));
                actions.extend(self.opened.iter().flat_map(Opened::actions));
                actions.extend(self.pages.seen().map(list::open_action));
            }
            Part::New | Part::Mode if self.reviewed => {
                actions.push((named("approve"), Message::Approve));
                actions.push((named("back"), Message::Back));
            }
            Part::New => {
                actions.push((named("review the request"), Message::Review));
                actions.push((named("seal it, or not"), Message::Sealed));
                actions.push((named("ask for refunds, or not"), Message::Refund));
            }
            Part::Mode => actions.push((named("review buy mode"), Message::Review)),
        }
        if self.is_buying() {
            actions.push((named("stop buy mode"), Message::Stop));
        }
        actions
    }
}

impl NetworkRequests {
    fn load<const N: usize>(&mut self, scene: &Scene<'_>, others: [Task<Message>; N]) -> Action<Message> {
        let asks = self.pages.asks().into_iter().map(|ask| {
            let request = PurchasesRequest {
                limit: PAGE,
                before_sequence: ask.before,
            };
            let answer = scene.face.ask(move |mut host| async move { host.purchases(request).await });
            answer.map(move |answer| Message::Page(ask, answer))
        });
        Task::batch(asks.chain(others)).into()
    }

    fn back(&mut self) {
        self.reviewed = false;
        self.trouble = None;
    }

    fn review(&mut self, scene: &Scene<'_>) -> Action<Message> {
        self.back();
        let reviewed = match self.part {
            Part::Mode => self.form.mode(true).map(|request| {
                let asked = scene.face.ask(move |mut host| async move { host.start_buy_mode(request).await });
                asked.map(|answer| Message::Reviewed(answer.map(drop)))
            }),
            _ => self.form.once(true).map(|request| {
                let asked = scene.face.ask(move |mut host| async move { host.buy(request).await });
                asked.map(|answer| Message::Reviewed(answer.map(drop)))
            }),
        };
        reviewed.unwrap_or_else(Task::none).into()
    }

    fn approve(&mut self, scene: &Scene<'_>) -> Action<Message> {
        self.back();
        let approved = match self.part {
            Part::Mode => self.form.mode(false).map(|request| {
                let asked = scene.face.ask(move |mut host| async move { host.start_buy_mode(request).await });
                asked.map(Message::Switched)
            }),
            _ => self.form.once(false).map(|request| {
                let asked = scene.face.ask(move |mut host| async move { host.buy(request).await });
                asked.map(Message::Bought)
            }),
        };
        approved.unwrap_or_else(Task::none).into()
    }

    fn bought(&mut self, answer: Answer<BuyReply>, scene: &Scene<'_>) -> Action<Message> {
        match answer {
            Ok(reply) => {
                self.part = Part::List;
                self.form.set(Field::Input, String::new());
                self.opened = Some(Opened::new(reply.purchase_id.clone(), None));
                self.pages.refresh();
                let action = self.load(scene, [ask_purchase(scene, reply.purchase_id)]);
                action.and(Wish::Say(Toast::good("The request is on its way")))
            }
            Err(trouble) => {
                self.trouble = Some(trouble);
                Action::none()
            }
        }
    }

    fn switched(&mut self, answer: Answer<BuyModeReply>) -> Action<Message> {
        match answer {
            Ok(reply) => {
                let words = match reply.state.as_str() {
                    "running" => "Buy mode runs",
                    _ => "Buy mode is stopped",
                };
                self.mode = Some(Ok(reply));
                Action::wish(Wish::Say(Toast::good(words)))
            }
            Err(trouble) => {
                self.trouble = Some(trouble);
                Action::none()
            }
        }
    }

    fn is_buying(&self) -> bool {
        matches!(&self.mode, Some(Ok(mode)) if mode.state == "running")
    }

    /// The form, and what stands against it or waits for approval.
    fn form<'a>(&'a self, scene: &Scene<'a>, fields: &'static [Field]) -> Element<'a, Message> {
        let mode = self.part == Part::Mode;
        let input = |one: Field| {
            let typed = move |text| Message::Typed(one, text);
            field(one.name(), self.form.get(one), "", self.form.wrong(one), typed).into()
        };
        let doings: Element<'a, Message> = match (self.reviewed, self.form.first_wrong(fields)) {
            (true, _) => self.approval(scene),
            (false, Some((name, words))) => column![
                choice("Review", None::<Message>),
                caption(format!("{name}: {words}")),
            ]
            .spacing(space::XS)
            .into(),
            (false, None) => choice("Review", Some(Message::Review)),
        };
        let trouble = self.trouble.as_ref().map(frame::broken);
        let choices = (!mode).then(|| {
            row![
                chip("Sealed for the provider", self.form.sealed, Message::Sealed),
                chip("Refund me if it fails", self.form.refund, Message::Refund),
            ]
            .spacing(space::S)
        });
        let title = if mode { "Buy by itself" } else { "A new request" };
        let lines = column![heading(title)]
            .extend(fields.iter().map(|one| input(*one)))
            .push(choices)
            .push(trouble)
            .push(doings);
        card(lines.spacing(space::S))
    }

    /// What would be approved, in the host's own figures of what was typed.
    fn approval<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        let show = |msat| scene.amounts.show(msat);
        let words = match self.part {
            Part::Mode => self.form.mode(true).map(|terms| {
                let (all, one) = (show(terms.budget_msat), show(terms.per_job_msat));
                format!("Up to {all} in all, routing included, and up to {one} an answer, are spent by themselves.")
            }),
            _ => self.form.once(true).map(|terms| {
                let (answer, routing) = (show(terms.budget_msat), show(terms.fee_ceiling_msat));
                format!("Up to {answer} are paid for an answer, and up to {routing} for routing.")
            }),
        };
        let label = if self.part == Part::Mode { "Approve and start" } else { "Approve and send" };
        let doings = row![action(label, Some(Message::Approve)), choice("Back", Some(Message::Back))];
        column![toned(words.unwrap_or_default(), Tone::Attention), doings.spacing(space::S).align_y(Alignment::Center)
        ]
            .spacing(space::S)
            .into()
    }

    fn none(&self) -> Element<'_, Message> {
        frame::empty(
            "Nothing was asked for yet",
            "Choose New request: say what to ask and what an answer may cost.",
        )
    }
}

fn listed(reply: PurchasesReply) -> Page<PurchaseLine> {
    Page {
        rows: reply.purchases,
        next: reply.next_before_sequence,
    }
}

fn ask_mode(scene: &Scene<'_>) -> Task<Message> {
    let asked = scene
        .face
        .ask(|mut host| async move { host.buy_mode(BuyModeRequest {}).await });
    asked.map(Message::Mode)
}

fn ask_purchase(scene: &Scene<'_>, id: String) -> Task<Message> {
    let request = PurchaseRequest {
        purchase_id: id.clone(),
        wait_s: 0,
    };
    let asked = scene.face.ask(move |mut host| async move { host.purchase(request).await });
    asked.map(move |answer| Message::Purchase(id.clone(), answer))
}
