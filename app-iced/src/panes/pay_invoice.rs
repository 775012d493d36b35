//! Sends money away: first who would be paid what, then exactly that.
use std::path::PathBuf;

use autopilot_proto::control::v1::{
    PlanWithdrawalRequest, Trouble, WithdrawReply, WithdrawRequest, WithdrawalPlan,
};
use iced::{
    Alignment, Task,
    widget::{column, row},
};

use super::{Action, Scene, Screen, Wish, frame};
use crate::{
    design::{
        Element, Tone, action, badge, body, caption, card, choice, figure, field, flow, heading, line, mono, page,
        space, toned,
    },
    face::Answer,
    scan::{self, ScanError},
    words::{ago, msat_of, one_line, span},
};

/// How long a payment is waited for before it is told as pending, in seconds.
const WAIT_S: u32 = 60;
/// Characters of a destination at most: an invoice with many hints has some 2,000.
const DESTINATION_MOST: usize = 8_000;

/// The pane.
#[derive(Debug, Default)]
pub struct PayInvoice {
    destination: String,
    amount: String,
    ceiling: String,
    everything: bool,
    stage: Stage,
}

#[derive(Debug, Default)]
enum Stage {
    /// Something is being typed.
    #[default]
    Typing,
    /// The destination is being read and its payee asked.
    Planning,
    /// A plan waits for a person.
    Planned(Box<WithdrawalPlan>),
    /// It is being paid, since then (Unix time in milliseconds).
    Paying(Box<WithdrawalPlan>, i64),
    /// It is over, or pending.
    Told(Box<WithdrawReply>),
    /// It was refused.
    Refused(Trouble),
    /// A picture is being read.
    Scanning,
    /// It could not be read.
    Unread(ScanError),
}

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {
    /// A destination was typed.
    Destination(String),
    /// The clipboard is to be pasted.
    Paste,
    /// What was in it.
    Pasted(Option<String>),
    /// A picture with a QR code was dropped.
    Picture(PathBuf),
    /// What its code says.
    Scanned(Result<String, ScanError>),
    /// An amount was typed.
    Amount(String),
    /// A fee ceiling was typed.
    Ceiling(String),
    /// Everything that can be sent, or an amount.
    Everything,
    /// Who would be paid what?
    Plan,
    /// The plan.
    Planned(Answer<WithdrawalPlan>),
    /// Pay exactly that.
    Pay,
    /// What came of it.
    Paid(Answer<WithdrawReply>),
    /// Once more from the start.
    Again,
    /// Back to what was typed.
    Back,
    /// Into the clipboard.
    Copy(String, &'static str),
}

impl Screen for PayInvoice {
    type Message = Message;

    const FIELD: Option<&'static str> = Some("To whom");

    fn update(&mut self, message: Message, scene: &Scene<'_>) -> Action<Message> {
        match message {
            Message::Destination(typed) => self.typed(typed),
            Message::Paste => Action::from(iced::clipboard::read().map(Message::Pasted)),
            Message::Pasted(Some(text)) if !text.trim().is_empty() => self.typed(text),
            Message::Pasted(_) => self.scan(scan::clipboard),
            Message::Picture(path) => self.scan(move || scan::file(&path)),
            Message::Scanned(Ok(text)) => self.typed(text),
            Message::Scanned(Err(error)) => self.at(Stage::Unread(error)),
            Message::Amount(typed) => self.set(|pane| pane.amount = typed),
            Message::Ceiling(typed) => self.set(|pane| pane.ceiling = typed),
            Message::Everything => self.set(|pane| pane.everything = !pane.everything),
            Message::Plan => self.plan(scene),
            Message::Planned(Ok(plan)) => self.at(Stage::Planned(Box::new(plan))),
            Message::Planned(Err(trouble)) | Message::Paid(Err(trouble)) => self.at(Stage::Refused(trouble)),
            Message::Pay => self.pay(scene),
            Message::Paid(Ok(reply)) => self.at(Stage::Told(Box::new(reply))),
            Message::Again => {
                *self = PayInvoice::default();
                Action::none()
            }
            Message::Back => self.at(Stage::Typing),
            Message::Copy(text, what) => Action::wish(Wish::Copy(text, what)),
        }
    }

    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        let content = match &self.stage {
            Stage::Typing => self.form(None),
            Stage::Refused(trouble) => self.form(Some((trouble.sentence.clone(), trouble.next.clone()))),
            Stage::Unread(error) => self.form(Some((error.to_string(), "Nothing was changed.".to_owned()))),
            Stage::Planning | Stage::Scanning => frame::loading(),
            Stage::Planned(plan) => planned(scene, plan, None),
            Stage::Paying(plan, since_ms) => planned(scene, plan, Some(*since_ms)),
            Stage::Told(reply) => told(scene, reply),
        };
        page(column![spendable(scene), content])
    }

    fn actions(&self, _: &Scene<'_>) -> Vec<(String, Message)> {
        let actions = match &self.stage {
            Stage::Typing | Stage::Refused(_) | Stage::Unread(_) => vec![
                ("Pay: paste what to pay", Message::Paste),
                ("Pay: show who would be paid", Message::Plan),
                ("Pay: everything, or an amount", Message::Everything),
            ],
            Stage::Planned(_) => vec![("Pay now", Message::Pay), ("Don't pay", Message::Back)],
            Stage::Planning | Stage::Scanning | Stage::Paying(..) => Vec::new(),
            Stage::Told(_) => vec![("Pay something else", Message::Again)],
        };
        actions.into_iter().map(|(label, message)| (label.to_owned(), message)).collect()
    }
}

impl PayInvoice {
    fn set(&mut self, set: impl FnOnce(&mut PayInvoice)) -> Action<Message> {
        set(self);
        self.at(Stage::Typing)
    }

    fn at(&mut self, stage: Stage) -> Action<Message> {
        self.stage = stage;
        Action::none()
    }

    fn typed(&mut self, text: String) -> Action<Message> {
        let text: String = text.trim().chars().take(DESTINATION_MOST).collect();
        self.set(|pane| pane.destination = text)
    }

    fn amount_msat(&self) -> Result<Option<u64>, &'static str> {
        match self.amount.trim() {
            "" => Ok(None),
            typed => msat_of(typed).map(Some),
        }
    }

    fn ceiling_msat(&self) -> Result<Option<u64>, &'static str> {
        match self.ceiling.trim() {
            "" => Ok(None),
            typed => msat_of(typed).map(Some),
        }
    }

    fn plan(&mut self, scene: &Scene<'_>) -> Action<Message> {
        let (Ok(amount_msat), Ok(fee_ceiling_msat)) = (self.amount_msat(), self.ceiling_msat()) else {
            return Action::none();
        };
        if self.destination.is_empty() {
            return Action::none();
        }
        let request = PlanWithdrawalRequest {
            destination: self.destination.clone(),
            amount_msat: amount_msat.filter(|_| !self.everything),
            all: self.everything,
            fee_ceiling_msat,
            comment: String::new(),
        };
        self.stage = Stage::Planning;
        let asked = scene.face.ask(move |mut host| async move { host.plan_withdrawal(request).await });
        asked.map(Message::Planned).into()
    }

    fn pay(&mut self, scene: &Scene<'_>) -> Action<Message> {
        let Stage::Planned(plan) = std::mem::take(&mut self.stage) else {
            return Action::none();
        };
        let request = WithdrawRequest {
            plan_id: plan.plan_id.clone(),
            wait_s: WAIT_S,
        };
        self.stage = Stage::Paying(plan, scene.now_ms);
        let paid: Task<_> = scene.face.ask(move |mut host| async move { host.withdraw(request).await });
        paid.map(Message::Paid).into()
    }

    /// Reads a picture beside the window. What is being paid is not disturbed by a picture that is dropped.
    fn scan(&mut self, read: impl FnOnce() -> Result<String, ScanError> + Send + 'static) -> Action<Message> {
        if matches!(self.stage, Stage::Planning | Stage::Paying(..)) {
            return Action::none();
        }
        self.stage = Stage::Scanning;
        let read = async move {
            let read = tokio::task::spawn_blocking(read).await;
            read.unwrap_or_else(|error| Err(ScanError::Unreadable(error.to_string())))
        };
        Task::perform(read, Message::Scanned).into()
    }

    fn form(&self, refused: Option<(String, String)>) -> Element<'_, Message> {
        let destination = field(
            "To whom",
            &self.destination,
            "Lightning invoice, offer, address, name@host, LNURL or a link",
            None,
            Message::Destination,
        );
        let amount = field("Amount (sats)", &self.amount, "as the invoice says", self.amount_msat().err(), Message::Amount);
        let ceiling = field("Fee at most (sats)", &self.ceiling, "1 %, at least 5", self.ceiling_msat().err(), Message::Ceiling);
        let everything = match self.everything {
            true => "✓ Everything that can be sent",
            false => "Everything that can be sent",
        };
        let good = !self.destination.is_empty() && self.amount_msat().is_ok() && self.ceiling_msat().is_ok();
        let doings = row![
            action("Show who would be paid", good.then_some(Message::Plan)),
            choice("Paste", Some(Message::Paste)),
            choice(everything, Some(Message::Everything)),
        ]
        .spacing(space::S)
        .wrap();
        let refused = refused.map(|(sentence, next)| column![toned(sentence, Tone::Bad), caption(next)]);
        let picture = caption("Paste takes a picture with a QR code too, and a picture file can be dropped here.");
        let lines = column![destination, row![amount, ceiling].spacing(space::M), doings, picture].push(refused);
        card(lines.spacing(space::M))
    }
}

fn spendable<'a>(scene: &Scene<'a>) -> Element<'a, Message> {
    let spendable = scene.views.balance.value.as_ref().map(|balance| balance.spendable_msat);
    let amount = spendable.map_or("–".to_owned(), |msat| scene.amounts.show(msat));
    line("Spendable now", amount)
}

/// Who would be paid what, and what stands beside it.
fn planned<'a>(scene: &Scene<'a>, plan: &'a WithdrawalPlan, paying_since_ms: Option<i64>) -> Element<'a, Message> {
    let amount = plan.amount_msat.map_or("everything on the chain".to_owned(), |msat| scene.amounts.show(msat));
    let to = [&plan.payee, &plan.address, &plan.destination]
        .into_iter()
        .find(|text| !text.is_empty())
        .map_or("hidden", String::as_str);
    let notes = plan.notes.iter().map(|note| toned(one_line(note), Tone::Attention).into());
    let some = |name: &'a str, text: &'a str| (!text.is_empty()).then(|| line(name, one_line(text)));
    let expires = plan.expires_at_ms.map(|ms| line("Runs out", ago(ms, scene.now_ms)));
    let fee = match plan.kind.as_str() {
        "onchain" => "set by the wallet at the time".to_owned(),
        _ => format!("at most {}", scene.amounts.show(plan.fee_ceiling_msat)),
    };
    let lines = column![
        row![figure(amount, Tone::Accent), badge(plan.kind.as_str(), Tone::Quiet), badge(plan.network.as_str(), Tone::Quiet)]
            .spacing(space::S)
            .align_y(Alignment::Center),
        caption("to"),
        mono(to),
        line("Fee", fee),
    ]
    .push(some("Vouched for by", &plan.authority))
    .push(some("For", &plan.description))
    .push(expires)
    .extend(notes);
    let doings: Element<'a, Message> = match paying_since_ms {
        None => flow(vec![
            action("Pay now", Some(Message::Pay)),
            choice("Don't pay", Some(Message::Back)),
        ]),
        // How far a payment is nobody knows but the nodes on its way: only its time is known.
        Some(since_ms) => {
            let passed = u64::try_from(scene.now_ms.saturating_sub(since_ms)).unwrap_or(0);
            column![
                body(format!("Paying for {}: the wallet looks for ways to the payee.", span(passed))),
                caption(format!(
                    "It goes on if this window is closed. After {} it is told as under way, and Wallet shows its end.",
                    span(u64::from(WAIT_S) * 1_000)
                )),
            ]
            .spacing(space::XS)
            .into()
        }
    };
    card(lines.push(doings).spacing(space::S))
}

fn told<'a>(scene: &Scene<'a>, reply: &'a WithdrawReply) -> Element<'a, Message> {
    let (words, tone) = match reply.status.as_str() {
        "succeeded" => ("Paid", Tone::Good),
        "pending" => ("Under way: the wallet goes on, and Wallet shows its end", Tone::Accent),
        "in-doubt" => ("In doubt: it is reconciled with the wallet and never sent twice", Tone::Attention),
        _ => ("Not paid", Tone::Bad),
    };
    let amount = reply.amount_msat.map(|msat| figure(scene.amounts.show(msat), tone));
    let fee = reply.fee_msat.map(|msat| line("Fee", scene.amounts.show(msat)));
    let proof = |name: &'static str, text: &'a str| {
        (!text.is_empty()).then(|| {
            row![caption(name), mono(text), choice("Copy", Some(Message::Copy(text.to_owned(), name)))]
                .spacing(space::S)
                .align_y(Alignment::Center)
        })
    };
    let reason = (!reply.reason.is_empty()).then(|| body(reply.reason.as_str()));
    let lines = column![heading(words).style(move |theme| iced::widget::text::Style { color: Some(tone.colour(theme)) })]
        .push(amount)
        .push(fee)
        .push(reason)
        .push(proof("Preimage", &reply.preimage))
        .push(proof("Payment hash", &reply.payment_hash))
        .push(proof("Transaction", &reply.txid))
        .push(line("Can still be sent", scene.amounts.show(reply.left_msat)))
        .push(choice("Pay something else", Some(Message::Again)));
    card(lines.spacing(space::S))
}
