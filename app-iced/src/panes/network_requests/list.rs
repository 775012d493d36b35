//! Requests of ours, newest first, and one of them with its offers.
use autopilot_proto::control::v1::{CancelPurchaseRequest, OfferLine, PurchaseLine, PurchaseReply};
use iced::{
    Alignment, Length, Task,
    widget::{column, container, row},
};

use super::{super::{Action, Wish, frame, tones}, Message, NetworkRequests, Scene};
use crate::{
    design::{Element, Tone, badge, body, caption, card, choice, entry, fill, flat, flow, heading, line, mono, page, space, toned},
    face::Answer,
    shell::toast::Toast,
    words::{one_line, short, time},
};

/// Id of the list, for the keyboard.
const LIST: &str = "network requests";

/// A request that is looked at.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) id: String,
    line: Option<PurchaseLine>,
    pub(super) answer: Option<Answer<PurchaseReply>>,
}

impl NetworkRequests {
    pub(super) fn list<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        let rows = self.pages.view(
            LIST,
            || self.none(),
            |line| self.row(scene, line),
            Message::Scrolled,
            Message::Again,
        );
        let opened = self.opened.as_ref().map(|opened| {
            // The list may know more by now than when it was opened.
            let line = self.pages.seen().find(|line| line.purchase_id == opened.id);
            container(opened.view(scene, line.or(opened.line.as_ref()))).height(Length::FillPortion(3))
        });
        column![container(rows).height(Length::FillPortion(2))].push(opened).spacing(space::S).into()
    }

    fn row<'a>(&'a self, scene: &Scene<'a>, line: &'a PurchaseLine) -> Element<'a, Message> {
        let amount = match line.paid_msat {
            Some(paid) => format!("paid {}", scene.amounts.show(paid)),
            None => format!("up to {}", scene.amounts.show(line.budget_msat)),
        };
        let winner = (!line.winner.is_empty()).then(|| caption(format!("won by {}", short(&line.winner))));
        let words = if line.reason.is_empty() { &line.why_won } else { &line.reason };
        let content = row![
            caption(time(line.requested_at_ms, scene.now_ms, scene.zone)).width(Length::Fixed(120.0)),
            mono(short(&line.purchase_id)),
            badge(line.state.as_str(), state_tone(line)),
            body(amount),
        ]
        .push(line.buy_mode.then(|| badge("buy mode", Tone::Quiet)))
        .push(winner)
        .push(flat(one_line(words), Tone::Quiet))
        .spacing(space::S)
        .align_y(Alignment::Center);
        let chosen = self.opened.as_ref().is_some_and(|opened| opened.id == line.purchase_id);
        entry(content, chosen, Message::Open(line.purchase_id.clone()))
    }
}

fn state_tone(line: &PurchaseLine) -> Tone {
    match (line.state.as_str(), line.paid_msat) {
        ("paid", _) | ("closed", Some(_)) => Tone::Good,
        ("closed", None) => Tone::Quiet,
        (work, _) => tones::work(work),
    }
}

/// A row, for the keyboard.
pub(super) fn open_action(line: &PurchaseLine) -> (String, Message) {
    let words = format!("Request {}: {}", short(&line.purchase_id), line.state);
    (words, Message::Open(line.purchase_id.clone()))
}

impl Opened {
    pub(super) fn new(id: String, line: Option<PurchaseLine>) -> Opened {
        Opened { id, line, answer: None }
    }

    fn doings(&self) -> Vec<(&'static str, Message)> {
        let mut doings = vec![
            ("Why did I pay, or not?", Message::Explain(self.id.clone())),
            ("Copy its id", Message::Copy(self.id.clone(), "Request id")),
            ("Close request", Message::Close),
        ];
        if let Some(Ok(reply)) = &self.answer {
            if !reply.over && reply.payment_hash.is_empty() {
                doings.push(("Cancel it", Message::Cancel(self.id.clone())));
            }
            if !reply.result.is_empty() {
                doings.push(("Copy the result", Message::Copy(reply.result.clone(), "Result")));
            }
            if !reply.payment_hash.is_empty() {
                let hash = reply.payment_hash.clone();
                doings.push(("Copy the payment hash", Message::Copy(hash, "Payment hash")));
                let receipt = format!("autopilotctl receipt {}", reply.payment_hash);
                doings.push(("Copy the command for a receipt", Message::Copy(receipt, "Command")));
            }
        }
        doings
    }

    pub(super) fn actions(&self) -> Vec<(String, Message)> {
        let doings = self.doings().into_iter();
        doings.map(|(label, message)| (format!("Network Requests: {label}"), message)).collect()
    }

    fn view<'a>(&'a self, scene: &Scene<'a>, known: Option<&'a PurchaseLine>) -> Element<'a, Message> {
        let title = row![heading("Request"), mono(short(&self.id)), fill()].spacing(space::S);
        let state: Element<'a, Message> = match &self.answer {
            None => caption("Reading its facts …").into(),
            Some(Err(trouble)) => frame::broken(trouble),
            Some(Ok(reply)) => state(scene, reply),
        };
        let terms = known.map(|line| terms(scene, line));
        let doings = self.doings().into_iter();
        let doings = flow(doings.map(|(label, message)| choice(label, Some(message))).collect());
        page(column![card(column![title, state, doings].spacing(space::S))].push(terms))
    }
}

/// Stops waiting. What the facts say then comes as news.
pub(super) fn cancel(scene: &Scene<'_>, purchase_id: String) -> Task<Message> {
    let request = CancelPurchaseRequest { purchase_id };
    let asked = scene.face.ask(move |mut host| async move { host.cancel_purchase(request).await });
    asked.map(Message::Cancelled)
}

/// Told of it.
pub(super) fn cancelled(answer: Answer<PurchaseReply>) -> Action<Message> {
    Action::wish(Wish::Say(match answer {
        Ok(_) => Toast::good("Nobody is waited for any more"),
        Err(trouble) => Toast::bad(trouble.sentence),
    }))
}

fn state<'a>(scene: &Scene<'a>, reply: &'a PurchaseReply) -> Element<'a, Message> {
    let reason = (!reply.reason.is_empty()).then(|| toned(one_line(&reply.reason), Tone::Attention));
    let result = (!reply.result.is_empty()).then(|| body(one_line(&reply.result)));
    let forgotten = reply
        .forgotten_at_ms
        .map(|at_ms| caption(format!("Its texts were forgotten {}", time(at_ms, scene.now_ms, scene.zone))));
    column![
        line("State", reply.state.as_str()),
        line("Provider", if reply.provider.is_empty() { "–" } else { &reply.provider }),
        line("Paid", scene.amounts.show(reply.paid_msat)),
    ]
    .push(reason)
    .push(result)
    .push(forgotten)
    .spacing(space::XS)
    .into()
}

fn terms<'a>(scene: &Scene<'a>, request: &'a PurchaseLine) -> Element<'a, Message> {
    let show = |msat: u64| scene.amounts.show(msat);
    let won = (!request.winner.is_empty()).then(|| {
        column![
            line("Winner", request.winner.as_str()),
            line("Why it won", one_line(&request.why_won)),
        ]
    });
    let fee = request.fee_msat.map(|msat| line("Routing", show(msat)));
    let paid = request.paid_at_ms.map(|at_ms| line("Paid at", time(at_ms, scene.now_ms, scene.zone)));
    let none = request.offers.is_empty().then(|| caption("No provider answered yet."));
    let lines = column![
        heading("Terms and offers"),
        line("Kind", request.kind.to_string()),
        line("Budget", show(request.budget_msat)),
        line("Routing, at most", show(request.fee_ceiling_msat)),
        line("Deadline", time(request.deadline_ms, scene.now_ms, scene.zone)),
        line("How a winner is chosen", request.how.as_str()),
    ]
    .push(won)
    .push(fee)
    .push(paid)
    .push(none)
    .extend(request.offers.iter().map(|one| offer(scene, one)));
    card(lines.spacing(space::XS))
}

fn offer<'a>(scene: &Scene<'a>, offer: &'a OfferLine) -> Element<'a, Message> {
    let tone = match offer.verdict.as_str() {
        "won" => Tone::Good,
        "rejected" => Tone::Bad,
        _ => Tone::Quiet,
    };
    let amount = offer.amount_msat.map_or("–".to_owned(), |msat| scene.amounts.show(msat));
    row![
        badge(offer.verdict.as_str(), tone),
        mono(short(&offer.provider)),
        body(amount),
        caption(offer.status.as_str()),
        caption(one_line(&offer.reason)),
        caption(format!("fact {}", offer.sequence)),
    ]
    .spacing(space::S)
    .align_y(Alignment::Center)
    .wrap()
    .into()
}
