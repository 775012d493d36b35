//! The owner: buys, sends, gives up, changes its mind, and at times asks twice.
use autopilot_core::{
    Input,
    input::{Command, sent_key},
    offers::OfferWish,
    ports::market::MARKET_NIP90,
    refund::RefundTo,
};
use autopilot_events::{
    pb::{self, PaymentOrder, PaymentPurpose, Purpose},
    words::{EventId, JobId, MessageId, Msat, ThreadId},
};

use crate::{
    effects::offer,
    world::{Happening, Said, World},
};

impl World {
    /// The owner does something.
    pub(crate) fn person(&mut self) {
        if !self.troubled() {
            self.wants_online = true;
            return;
        }
        let wait_ms = self.chance.between(5_000, 120_000);
        self.later(wait_ms, Happening::Person);
        if self.host.is_none() {
            return;
        }
        let command = match self.chance.below(20) {
            0..7 => Some(self.buy()),
            7..10 => self.withdraw(),
            10 | 11 => Some(self.pay_offer_by_hand()),
            12 => Some(Command::SendOnchain(pb::OnchainApproved {
                intent_id: self.chance.short_id().to_vec(),
                address: "bcrt1simulated".to_owned(),
                amount_sat: Some(1_000 + self.chance.below(4_000)),
                resolution: None,
            })),
            13 => self.some_job().map(Command::Abort),
            14 => self.some_purchase().map(Command::CancelPurchase),
            15 => self.another_policy(),
            16 => {
                self.wants_online = !self.wants_online;
                let reason = "simulated".to_owned();
                (!self.wants_online).then_some(Command::GoOffline { reason })
            }
            17 => Some(self.write()),
            18 => self.some_message().map(Command::StopAnswer),
            _ => self.pay_back(),
        };
        if let Some(command) = command {
            // What a face looked up is some milliseconds old when its command arrives.
            let wait_ms = self.chance.between(0, 300);
            self.later_here(
                wait_ms,
                Happening::Submit(Box::new(Input::Person(command.clone()))),
            );
            // A face that asks twice; intents are drawn anew by the host each time.
            let intent = matches!(
                command,
                Command::SendOnchain(_) | Command::PayOffer(_) | Command::Refund { .. }
            );
            if !intent && self.fault(10) {
                self.later_here(wait_ms + 40, Happening::Submit(Box::new(Input::Person(command))));
            }
        }
    }

    fn buy(&mut self) -> Command {
        let native = EventId(self.chance.id());
        let id = JobId::derive(MARKET_NIP90, &native.0);
        let budget_msat = 5_000 + self.chance.below(60_000);
        let clock_ms = self.clock_ms();
        let deadline_ms = clock_ms + self.chance.between(20_000, 300_000);
        let windowed = self.chance.one_in(3);
        let terms = pb::PurchaseRequested {
            purchase_id: id.to_vec(),
            native_id: native.to_vec(),
            kind: 5_050,
            provider: Vec::new(),
            budget_msat,
            fee_ceiling_msat: 5_000,
            deadline_ms,
            pay_first_ceiling_msat: if self.chance.one_in(2) { budget_msat } else { 0 },
            buy_mode_id: Vec::new(),
            choose_at_ms: if windowed { clock_ms + 10_000 } else { 0 },
        };
        let event = pb::EventSigned {
            event_id: native.to_vec(),
            purpose: Purpose::Request as i32,
            job_id: id.to_vec(),
            kind: 5_050,
            event: Some(self.body(format!("purchase/{id}"))),
            deadline_ms,
            about: Vec::new(),
            relays: Vec::new(),
        };
        let purpose = Purpose::Request as i32;
        self.said.insert(native, Said { job: id, purpose });
        Command::Buy { terms, event }
    }

    /// Writes to the model, in a new conversation or in one that there is.
    fn write(&mut self) -> Command {
        let message = MessageId(self.chance.id());
        let known: Vec<ThreadId> = self
            .host
            .iter()
            .flat_map(|host| host.engine.state().chat.threads())
            .map(|(id, _)| *id)
            .collect();
        let known = self.chance.pick(&known).copied();
        let goes_on = known.filter(|_| self.chance.one_in(2));
        let thread = goes_on.unwrap_or_else(|| ThreadId::begun_by(&message));
        let asked = pb::ChatAsked {
            thread_id: thread.to_vec(),
            message_id: message.to_vec(),
            text: Some(self.body(thread.subject())),
            ..pb::ChatAsked::default()
        };
        Command::Ask {
            asked,
            begins: goes_on.is_none(),
        }
    }

    fn some_message(&mut self) -> Option<MessageId> {
        let chat = &self.host.as_ref()?.engine.state().chat;
        let waiting: Vec<MessageId> = chat.waiting().map(|(_, waiting)| waiting.message).collect();
        self.chance.pick(&waiting).copied()
    }

    /// An invoice that was not paid before, as far as the face can see.
    fn withdraw(&mut self) -> Option<Command> {
        let bill = self.bill(40_000);
        let paid = self.disk.by_key(&sent_key(&bill.payment_hash.0)).is_some();
        (!paid).then_some(Command::Pay {
            bill,
            amount: None,
            fee_ceiling: Msat(5_000),
            resolution: None,
        })
    }

    fn pay_offer_by_hand(&mut self) -> Command {
        Command::PayOffer(OfferWish {
            intent_id: self.chance.short_id(),
            offer: offer(&format!("lno-{}", self.number)),
            amount: Some(Msat(2_000 + self.chance.below(30_000))),
            fee_ceiling: Msat(5_000),
            purpose: PaymentPurpose::Withdrawal,
            job_id: Vec::new(),
            resolution: None,
        })
    }

    fn pay_back(&mut self) -> Option<Command> {
        let host = self.host.as_ref()?;
        let debts: Vec<(JobId, u64)> = host
            .engine
            .state()
            .jobs
            .open()
            .filter(|(_, job)| job.is_debt())
            .map(|(id, job)| (*id, job.prepayment.as_ref().map_or(0, |paid| paid.amount_msat)))
            .collect();
        let (job, msat) = *self.chance.pick(&debts)?;
        let to = match self.chance.one_in(2) {
            true => RefundTo::Offer(offer("lno-by-hand"), self.chance.short_id()),
            false => {
                let bolt11 = self.asks_for(msat);
                let bill = self.as_read(bolt11);
                RefundTo::Invoice(bill)
            }
        };
        Some(Command::Refund {
            job,
            to,
            fee_ceiling: None,
        })
    }

    fn some_job(&mut self) -> Option<JobId> {
        let open: Vec<JobId> = self
            .host
            .as_ref()?
            .engine
            .state()
            .jobs
            .open()
            .map(|(id, _)| *id)
            .collect();
        self.chance.pick(&open).copied()
    }

    fn some_purchase(&mut self) -> Option<JobId> {
        let open: Vec<JobId> = self
            .host
            .as_ref()?
            .engine
            .state()
            .purchases
            .open()
            .map(|(id, _)| *id)
            .collect();
        self.chance.pick(&open).copied()
    }

    fn another_policy(&mut self) -> Option<Command> {
        let mut policy = self.host.as_ref()?.engine.state().provider.policy.clone()?;
        policy.order = if self.chance.one_in(2) {
            PaymentOrder::PayFirst
        } else {
            PaymentOrder::WorkFirst
        } as i32;
        policy.min_price_msat = 1_000 * (1 + self.chance.below(20));
        policy.max_in_flight = 1 + u32::from(self.chance.one_in(2)) * 3;
        Some(Command::SetPolicy(policy))
    }
}
