//! The wallet: what is whose, where it is, and what can be done with it. The figures are never summed.
use autopilot_host::desk::Pane;
use autopilot_proto::control::v1::{
    BalanceReply, Channel, NewAddressReply, NewAddressRequest, PaymentLine, PaymentsReply, PaymentsRequest,
};
use iced::{
    Alignment, Length,
    widget::{column, row},
};

use super::{Action, Scene, Screen, Wish, frame};
use crate::{
    design::{
        Element, Tone, action, badge, body, caption, card, choice, fill, flow, heading, line, mono, page, space,
        stat, toned,
    },
    face::Answer,
    words::{short, time},
};

/// Payments on a page.
const PAGE: u32 = 20;

/// The pane.
#[derive(Debug, Default)]
pub struct Wallet {
    payments: Vec<PaymentLine>,
    next: String,
    address: Option<Answer<NewAddressReply>>,
    trouble: Option<autopilot_proto::control::v1::Trouble>,
    seen: u64,
}

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {
    /// Another pane.
    Open(Pane),
    /// Ask the wallet again.
    Refresh,
    /// The next page of payments.
    More,
    /// Payments, after those of a page (empty: the newest).
    Payments(String, Answer<PaymentsReply>),
    /// A new address on the chain.
    NewAddress,
    /// The address.
    Address(Answer<NewAddressReply>),
    /// Into the clipboard.
    Copy(String, &'static str),
}

impl Screen for Wallet {
    type Message = Message;

    fn opened(&mut self, scene: &Scene<'_>) -> Action<Message> {
        self.load(scene, String::new())
    }

    /// New money shows by itself.
    fn news(&mut self, scene: &Scene<'_>) -> Action<Message> {
        let balance = scene.views.balance.value.as_ref();
        let moved = balance.map_or(0, |balance| {
            balance.received_msat.wrapping_add(balance.sent_msat).wrapping_add(balance.onchain_sat)
        });
        match moved == self.seen {
            true => Action::none(),
            false => {
                self.seen = moved;
                self.load(scene, String::new())
            }
        }
    }

    fn update(&mut self, message: Message, scene: &Scene<'_>) -> Action<Message> {
        match message {
            Message::Open(pane) => Action::wish(Wish::Open(pane)),
            Message::Refresh => self.load(scene, String::new()),
            Message::More => self.load(scene, self.next.clone()),
            Message::Payments(page, answer) => self.paid(&page, answer),
            Message::NewAddress => scene
                .face
                .ask(|mut host| async move { host.new_address(NewAddressRequest {}).await })
                .map(Message::Address)
                .into(),
            Message::Address(answer) => {
                self.address = Some(answer);
                Action::none()
            }
            Message::Copy(text, what) => Action::wish(Wish::Copy(text, what)),
        }
    }

    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        frame::shown(&scene.views.balance, |balance| {
            let lines = column![figures(scene, balance), doings(), self.address()]
                .push(channels(scene, balance))
                .push(closing(scene, balance))
                .push(self.payments(scene));
            page(lines)
        })
    }

    fn actions(&self, _: &Scene<'_>) -> Vec<(String, Message)> {
        vec![
            ("Wallet: refresh".to_owned(), Message::Refresh),
            ("Wallet: new address".to_owned(), Message::NewAddress),
            ("Wallet: more payments".to_owned(), Message::More),
        ]
    }
}

impl Wallet {
    fn load(&mut self, scene: &Scene<'_>, after: String) -> Action<Message> {
        let page = after.clone();
        let request = PaymentsRequest { limit: PAGE, page: after };
        let asked = scene.face.ask(move |mut host| async move { host.payments(request).await });
        asked.map(move |answer| Message::Payments(page.clone(), answer)).into()
    }

    fn paid(&mut self, page: &str, answer: Answer<PaymentsReply>) -> Action<Message> {
        match answer {
            Ok(reply) if page.is_empty() => {
                self.payments = reply.payments;
                self.next = reply.next;
                self.trouble = None;
            }
            // A page that is not the next one any more was asked for twice.
            Ok(reply) if page == self.next => {
                self.payments.extend(reply.payments);
                self.next = reply.next;
            }
            Ok(_) => {}
            Err(trouble) => self.trouble = Some(trouble),
        }
        Action::none()
    }

    fn address(&self) -> Element<'_, Message> {
        let shown: Option<Element<'_, Message>> = self.address.as_ref().map(|answer| match answer {
            Ok(reply) => row![
                mono(reply.address.as_str()),
                choice("Copy", Some(Message::Copy(reply.address.clone(), "Address")))
            ]
            .spacing(space::S)
            .into(),
            Err(trouble) => frame::broken(trouble),
        });
        column![].push(shown).into()
    }

    fn payments<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        let lines = self.payments.iter().map(|payment| payment_line(scene, payment));
        let none = (self.payments.is_empty() && self.trouble.is_none()).then(|| caption("No payment yet."));
        let trouble = self.trouble.as_ref().map(frame::broken);
        let more = (!self.next.is_empty()).then(|| choice("More", Some(Message::More)));
        let lines = column![heading("Payments")].push(trouble).push(none).extend(lines).push(more);
        card(lines.spacing(space::S))
    }
}

fn figures<'a>(scene: &Scene<'a>, balance: &'a BalanceReply) -> Element<'a, Message> {
    let show = |msat| scene.amounts.show(msat);
    let connected = scene.views.status.value.as_ref().is_some_and(|status| status.wallet_connected);
    let (word, tone) = match connected {
        true => ("connected", Tone::Good),
        false => ("not connected", Tone::Attention),
    };
    let mut stats = vec![
        stat("Spendable now", show(balance.spendable_msat), Tone::Accent),
        stat("Can arrive now", show(balance.receivable_msat), Tone::Plain),
        stat("Earned in all", show(balance.earned_msat), Tone::Good),
    ];
    for (name, msat) in [
        ("Held back by channels", balance.reserved_msat),
        ("In channels that close", balance.closing_msat),
        ("On the chain", balance.onchain_sat.saturating_mul(1_000)),
    ] {
        if msat > 0 {
            stats.push(stat(name, show(msat), Tone::Plain));
        }
    }
    let difference = balance.reconciled_difference_msat.filter(|msat| *msat != 0).map(|msat| {
        let amount = show(msat.unsigned_abs());
        toned(format!("The wallet and the ledger differ by {amount}: see Alerts and Recovery"), Tone::Bad)
    });
    let flows = column![
        line("Received", show(balance.received_msat)),
        line("Paid", show(balance.sent_msat)),
        line("Fees", show(balance.fees_msat)),
        line("Withdrawn", show(balance.withdrawn_msat)),
        line("Given with channels (no earnings)", show(balance.granted_msat)),
    ];
    let top = row![badge(balance.network.as_str(), Tone::Quiet), badge(word, tone)].spacing(space::S);
    card(column![top, flow(stats)].push(difference).push(flows).spacing(space::S))
}

fn doings<'a>() -> Element<'a, Message> {
    flow(vec![
        action("Withdraw or pay", Some(Message::Open(Pane::PayInvoice))),
        choice("Receive", Some(Message::Open(Pane::CreateInvoice))),
        choice("Receive on the chain", Some(Message::NewAddress)),
        choice("Back up the words", Some(Message::Open(Pane::IdentityKeys))),
        choice("Refresh", Some(Message::Refresh)),
    ])
}

fn channels<'a>(scene: &Scene<'a>, balance: &'a BalanceReply) -> Element<'a, Message> {
    let channel = |channel: &'a Channel| {
        let (word, tone) = match channel.usable {
            true => ("usable", Tone::Good),
            false => ("not usable now", Tone::Attention),
        };
        column![
            row![mono(short(&channel.channel_id)), badge(word, tone)].spacing(space::S),
            caption(format!(
                "yours {}, can arrive {}, of {}; with {}",
                scene.amounts.show(channel.balance_msat),
                scene.amounts.show(channel.receivable_msat),
                scene.amounts.show_sat(channel.capacity_sat),
                short(&channel.counterparty)
            )),
        ]
        .into()
    };
    let none = balance
        .channels
        .is_empty()
        .then(|| caption("No channel yet: a peer has to open one to you before you can be paid over Lightning."));
    let lines = column![heading("Channels")].push(none).extend(balance.channels.iter().map(channel));
    card(lines.spacing(space::S))
}

fn closing<'a>(scene: &Scene<'a>, balance: &'a BalanceReply) -> Option<Element<'a, Message>> {
    let lines = balance.closing.iter().map(|close| {
        let words = format!("{}: {} ({})", scene.amounts.show_sat(close.amount_sat), close.why, close.stage);
        body(words).into()
    });
    let lines = column![heading("On their way to the chain")].extend(lines);
    (!balance.closing.is_empty()).then(|| card(lines.spacing(space::S)))
}

fn payment_line<'a>(scene: &Scene<'a>, payment: &'a PaymentLine) -> Element<'a, Message> {
    let amount = payment.amount_msat.map_or("–".to_owned(), |msat| scene.amounts.show(msat));
    let (sign, tone) = match (payment.direction.as_str(), payment.status.as_str()) {
        (_, "failed") => ("", Tone::Quiet),
        ("inbound", "succeeded") => ("+", Tone::Good),
        ("outbound", _) => ("−", Tone::Plain),
        _ => ("", Tone::Quiet),
    };
    let fee = payment.fee_msat.filter(|msat| *msat > 0).map(|msat| caption(format!("fee {}", scene.amounts.show(msat))));
    row![
        caption(time(payment.at_ms, scene.now_ms, scene.zone)).width(Length::Fixed(130.0)),
        toned(format!("{sign}{amount}"), tone),
        badge(payment.status.as_str(), if payment.status == "failed" { Tone::Bad } else { Tone::Quiet }),
    ]
    .push(fee)
    .push(fill())
    .push((!payment.job_id.is_empty()).then(|| caption("for a job")))
    .push(choice(short(&payment.payment_hash), Some(Message::Copy(payment.payment_hash.clone(), "Payment hash"))))
    .spacing(space::S)
    .align_y(Alignment::Center)
    .into()
}
