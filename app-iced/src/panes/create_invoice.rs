//! Asks for money: an invoice as text and as a code, and whether it is paid.
use autopilot_proto::control::v1::{PaymentLine, PaymentsReply, PaymentsRequest, ReceiveReply, ReceiveRequest, Trouble};
use iced::widget::{center_x, column, container, qr_code, row};

use super::{Action, Scene, Screen, Wish, frame};
use crate::{
    design::{Element, Tone, action, badge, caption, card, choice, field, mono, page, space, toned},
    face::Answer,
    words::{ago, msat_of},
};

/// Side of a cell of the code, in logical pixels.
const CELL: f32 = 4.0;
/// Characters of a memo at most (BOLT11: 639 bytes).
const MEMO_MOST: usize = 200;
/// How long an invoice is good, in seconds, and as it is said.
const EXPIRIES: [(u32, &str); 3] = [(600, "10 min"), (3_600, "1 h"), (86_400, "1 day")];
/// Payments looked through for the one of the invoice: it is among the newest.
const NEWEST: u32 = 50;

/// The pane.
#[derive(Debug, Default)]
pub struct CreateInvoice {
    amount: String,
    memo: String,
    expiry: usize,
    asking: bool,
    open: Option<Open>,
    refused: Option<Trouble>,
}

/// An invoice that was made.
#[derive(Debug)]
struct Open {
    reply: ReceiveReply,
    code: Option<qr_code::Data>,
    paid: Option<PaymentLine>,
}

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {
    /// An amount was typed.
    Amount(String),
    /// A memo was typed.
    Memo(String),
    /// The next span that an invoice can be good for.
    Expiry,
    /// Make it.
    Create,
    /// It was made.
    Created(Answer<ReceiveReply>),
    /// The newest payments.
    Payments(Answer<PaymentsReply>),
    /// Another one.
    Again,
    /// Into the clipboard.
    Copy(String, &'static str),
}

impl Screen for CreateInvoice {
    type Message = Message;

    const FIELD: Option<&'static str> = Some("How much (sats)");

    /// Money that arrives changes the balance: then the payment is looked for.
    fn news(&mut self, scene: &Scene<'_>) -> Action<Message> {
        if self.open.as_ref().is_none_or(|open| open.paid.is_some()) {
            return Action::none();
        }
        let request = PaymentsRequest {
            limit: NEWEST,
            page: String::new(),
        };
        let asked = scene.face.ask(move |mut host| async move { host.payments(request).await });
        asked.map(Message::Payments).into()
    }

    fn update(&mut self, message: Message, scene: &Scene<'_>) -> Action<Message> {
        match message {
            Message::Amount(typed) => self.amount = typed,
            Message::Memo(typed) => self.memo = typed.chars().take(MEMO_MOST).collect(),
            Message::Expiry => self.expiry = (self.expiry + 1) % EXPIRIES.len(),
            Message::Create => return self.create(scene),
            Message::Created(answer) => self.created(answer),
            Message::Payments(answer) => self.look(answer),
            Message::Again => *self = CreateInvoice::default(),
            Message::Copy(text, what) => return Action::wish(Wish::Copy(text, what)),
        }
        Action::none()
    }

    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        match &self.open {
            Some(open) => page(column![open.view(scene)]),
            None => page(column![self.form(scene)]),
        }
    }

    fn actions(&self, _: &Scene<'_>) -> Vec<(String, Message)> {
        match &self.open {
            Some(open) => vec![
                ("Invoice: copy".to_owned(), Message::Copy(open.reply.payment_request.clone(), "Invoice")),
                ("Invoice: another one".to_owned(), Message::Again),
            ],
            None => vec![
                ("Invoice: create".to_owned(), Message::Create),
                ("Invoice: good for longer or shorter".to_owned(), Message::Expiry),
            ],
        }
    }
}

impl CreateInvoice {
    fn create(&mut self, scene: &Scene<'_>) -> Action<Message> {
        let Ok(amount_msat) = msat_of(&self.amount) else {
            return Action::none();
        };
        let request = ReceiveRequest {
            amount_msat,
            description: self.memo.clone(),
            expiry_s: EXPIRIES[self.expiry].0,
            ..ReceiveRequest::default()
        };
        self.asking = true;
        let asked = scene.face.ask(move |mut host| async move { host.receive(request).await });
        asked.map(Message::Created).into()
    }

    fn created(&mut self, answer: Answer<ReceiveReply>) {
        self.asking = false;
        match answer {
            Ok(reply) => {
                // Upper case makes a smaller code (BIP21 and BOLT11 allow it).
                let text = format!("LIGHTNING:{}", reply.payment_request.to_uppercase());
                let code = qr_code::Data::new(text).ok();
                self.refused = None;
                self.open = Some(Open {
                    reply,
                    code,
                    paid: None,
                });
            }
            Err(trouble) => self.refused = Some(trouble),
        }
    }

    fn look(&mut self, answer: Answer<PaymentsReply>) {
        if let (Some(open), Ok(reply)) = (&mut self.open, answer) {
            let mut payments = reply.payments.into_iter();
            open.paid = payments.find(|payment| {
                payment.payment_hash == open.reply.payment_hash && payment.status == "succeeded"
            });
        }
    }

    fn form<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        let wrong = msat_of(&self.amount).err().filter(|_| !self.amount.is_empty());
        let amount = msat_of(&self.amount).ok();
        let receivable = scene.views.balance.value.as_ref().map(|balance| balance.receivable_msat);
        let beyond = receivable
            .zip(amount)
            .filter(|(receivable, amount)| amount > receivable)
            .map(|(receivable, _)| {
                toned(format!("Only {} can arrive at once now", scene.amounts.show(receivable)), Tone::Attention)
            });
        let create = action("Create invoice", amount.filter(|_| !self.asking).map(|_| Message::Create));
        let lines = column![
            field("How much (sats)", &self.amount, "1 000", wrong, Message::Amount),
            field("What for", &self.memo, "is seen by the payer", None, Message::Memo),
            row![caption("Good for"), choice(EXPIRIES[self.expiry].1, Some(Message::Expiry))]
                .spacing(space::S)
                .align_y(iced::Alignment::Center),
        ]
        .push(beyond)
        .push(create)
        .push(self.refused.as_ref().map(frame::broken));
        card(lines.spacing(space::M))
    }
}

impl Open {
    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        let expired = self.reply.expires_at_ms <= scene.now_ms;
        let (word, tone) = match (&self.paid, expired) {
            (Some(_), _) => ("paid", Tone::Good),
            (None, true) => ("ran out", Tone::Bad),
            (None, false) => ("waiting for the payer", Tone::Accent),
        };
        let came = self.paid.as_ref().and_then(|payment| payment.amount_msat);
        let came = came.map(|msat| toned(format!("{} arrived", scene.amounts.show(msat)), Tone::Good));
        let ends = (self.paid.is_none() && !expired)
            .then(|| caption(format!("runs out {}", ago(self.reply.expires_at_ms, scene.now_ms))));
        // Dark on light whatever the theme: phones read nothing else.
        let code = self.code.as_ref().filter(|_| self.paid.is_none() && !expired).map(|code| {
            center_x(container(qr_code(code).cell_size(CELL)).padding(space::S))
        });
        let request = &self.reply.payment_request;
        let lines = column![row![badge(word, tone), badge(self.reply.network.as_str(), Tone::Quiet)].spacing(space::S)]
            .push(came)
            .push(ends)
            .push(code)
            .push(mono(request.as_str()).wrapping(iced::widget::text::Wrapping::Glyph))
            .push(
                row![
                    action("Copy", Some(Message::Copy(request.clone(), "Invoice"))),
                    choice("Another one", Some(Message::Again)),
                ]
                .spacing(space::S),
            );
        card(lines.spacing(space::M))
    }
}
