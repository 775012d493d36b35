//! Buyers, sellers and the owner: what they want, and what they try.
use autopilot_core::{
    Input,
    input::{Answer, AnswerKind, Bill, Cancelled, Command, Request, sent_key},
    offers::OfferWish,
    ports::market::MARKET_NIP90,
    refund::RefundTo,
};
use autopilot_events::{
    Event,
    pb::{self, PaymentOrder, PaymentPurpose, Purpose},
    words::{EventId, JobId, Msat, PaymentHash, PublicKey},
};

use crate::{
    bug::Bug,
    effects::offer,
    world::{Happening, Reply, Said, Wire, World},
};

/// The id of a request is the digest of what it says: an altered one has another.
fn native_id(request: &Request) -> EventId {
    let said = format!(
        "{}/{}/{:?}/{}/{}/{}",
        request.requester, request.kind, request.bid, request.created_at_s, request.ttl_s, request.text
    );
    EventId(*blake3::hash(said.as_bytes()).as_bytes())
}

impl World {
    /// A buyer posts a request to some relays; copies come late, twice, altered, or never.
    pub(crate) fn orders(&mut self) {
        if !self.troubled() {
            return;
        }
        let requester = match self.chance.percent(3) {
            true => self.own,
            false => self.chance.pick(&self.buyers).copied().unwrap_or_default(),
        };
        let mut request = self.request(requester);
        request.native_id = native_id(&request);
        let bid = request.bid.map(|bid| bid.0);
        self.oracle.requests.insert(request.native_id, bid);
        for index in 0..self.relays.len() {
            if self.chance.percent(70) {
                let late_ms = if self.fault(15) { 60_000 } else { 900 };
                self.hand_out(index, Wire::Request(Box::new(request.clone())), late_ms);
            }
            if self.fault(4) {
                let mut altered = request.clone();
                altered.bid = Some(Msat(1_000_000_000));
                self.hand_out(index, Wire::Request(Box::new(altered)), 500);
            }
        }
        if self.chance.percent(8) {
            let author = if self.chance.one_in(3) {
                PublicKey(self.chance.id())
            } else {
                requester
            };
            let cancel = Wire::Cancel(Cancelled {
                native_id: request.native_id,
                author,
            });
            let wait_ms = self.chance.between(200, 20_000);
            self.later(wait_ms, Happening::Arrives(cancel));
        }
        let wait_ms = self.chance.between(500, 90_000);
        self.later(wait_ms, Happening::Orders);
    }

    fn request(&mut self, requester: PublicKey) -> Request {
        let bid = match self.chance.below(10) {
            0 | 1 => None,
            2 => Some(Msat(1)),
            _ => Some(Msat(25_000 + self.chance.below(50_000))),
        };
        let dated_off_s = if self.fault(5) {
            self.chance.between(-5_000, 5_000)
        } else {
            0
        };
        let refund_offer = match self.chance.below(4) {
            0 => String::new(),
            1 => format!("lno-broken-{}", self.number),
            _ => format!("lno-{}", hex::encode(self.chance.short_id())),
        };
        Request {
            native_id: EventId::default(),
            requester,
            kind: if self.chance.percent(4) { 5_051 } else { 5_050 },
            bid,
            created_at_s: self.now_ms / 1_000 + dated_off_s,
            ttl_s: if self.chance.one_in(3) {
                0
            } else {
                u32::try_from(self.chance.between(20, 900)).unwrap_or(60)
            },
            targeted: self.chance.one_in(2),
            open: true,
            encrypted: false,
            input_bytes: if self.chance.percent(3) { 1 << 20 } else { 40 },
            inputs: 1,
            remote_inputs: u32::from(self.chance.percent(10)),
            result_room_bytes: 30_000,
            model: None,
            unreadable: String::new(),
            max_tokens: None,
            text: hex::encode(self.chance.short_id()),
            topics: Vec::new(),
            refund_offer,
            body: self.body(format!("request/{}", self.number)),
            relay: "wss://relay.example".to_owned(),
        }
    }

    /// A relay stores it and hands it out, at times twice.
    fn hand_out(&mut self, relay: usize, wire: Wire, late_ms: i64) {
        self.relays[relay].stored.push(wire.clone());
        if self.relays[relay].cut {
            return;
        }
        let copies = 1 + u64::from(self.fault(15));
        for _ in 0..copies {
            let wait_ms = self.chance.between(5, late_ms);
            self.later(wait_ms, Happening::Arrives(wire.clone()));
        }
    }

    /// The host came online: relays hand out what they have stored, again.
    pub(crate) fn came_online(&mut self) {
        let Some(host) = &mut self.host else { return };
        let online = host.engine.is_online();
        if online && !std::mem::replace(&mut host.was_online, online) {
            (0..self.relays.len()).for_each(|relay| self.hand_out_stored(relay));
        }
    }

    pub(crate) fn hand_out_stored(&mut self, relay: usize) {
        if self.relays[relay].cut {
            return;
        }
        let newest: Vec<Wire> = self.relays[relay].stored.iter().rev().take(12).cloned().collect();
        for wire in newest {
            let wait_ms = self.chance.between(5, 2_000);
            self.later(wait_ms, Happening::Arrives(wire));
        }
    }

    /// Something arrives at the host: signature first, then the questions that `host/src/intake.rs` asks.
    pub(crate) fn arrives(&mut self, wire: Wire) {
        let Some(host) = &self.host else { return };
        match wire {
            Wire::Request(request) => {
                let genuine = native_id(&request) == request.native_id;
                if host.engine.is_online() && (genuine || self.is(Bug::BelievesRelays)) {
                    self.submit(Input::Request(*request), Reply::Nobody);
                }
            }
            Wire::Cancel(cancelled) => self.submit(Input::Cancelled(cancelled), Reply::Nobody),
            Wire::Answer(mut answer) => {
                if !host
                    .engine
                    .state()
                    .purchases
                    .listened()
                    .any(|(id, _)| *id == answer.purchase)
                {
                    return;
                }
                if let Some(Ok(bill)) = &answer.invoice
                    && self.disk.by_key(&sent_key(&bill.payment_hash.0)).is_some()
                {
                    answer.invoice = Some(Err("reused: it was paid before".to_owned()));
                }
                // Reading the invoice takes the wallet a while, in which things happen.
                let wait_ms = self.chance.between(0, 400);
                self.later_here(wait_ms, Happening::Submit(Box::new(Input::Answer(*answer))));
            }
        }
    }

    /// Relays took an event of ours: whom does it concern?
    pub(crate) fn others_see(&mut self, event: EventId) {
        let Some(Said { job, purpose }) = self.said.get(&event).cloned() else {
            return;
        };
        match Purpose::try_from(purpose) {
            Ok(Purpose::Result | Purpose::PaymentRequired) => {
                let key = format!("job/{job}");
                let Some(hash) = self
                    .wallet
                    .issued
                    .get(&key)
                    .map(|issued| issued.invoice.payment_hash)
                else {
                    return;
                };
                let (wait_ms, late_s) = match self.chance.below(20) {
                    0..14 => (self.chance.between(300, 90_000), 0),
                    14 | 15 => (
                        self.chance.between(3_000_000, 5_000_000),
                        self.chance.below(7_200),
                    ),
                    _ => return,
                };
                self.later(wait_ms, Happening::Pays(hash, late_s));
                if self.fault(10) {
                    self.later(wait_ms + 3, Happening::Pays(hash, late_s));
                }
            }
            Ok(Purpose::Request) => self.sellers_answer(job),
            _ => {}
        }
    }

    pub(crate) fn buyer_pays(&mut self, hash: PaymentHash, late_s: u64) {
        let now_s = self.now_s();
        let key = self.wallet.own(&hash).map(|issued| issued.key.clone());
        let arrived = self.wallet.receive(&mut self.chance, hash, now_s, late_s);
        // A wallet that is down now is tried again by a buyer who means it.
        let owed = key.is_some() && !arrived && !self.wallet.up;
        if owed {
            self.later(30_000, Happening::Pays(hash, late_s));
        }
    }

    /// Strangers answer a request of ours: some well, some late, some with what was used before.
    fn sellers_answer(&mut self, purchase: JobId) {
        let Some(Event::PurchaseRequested(terms)) = self.asked(&purchase) else {
            return;
        };
        for _ in 0..self.chance.below(4) {
            let provider = PublicKey(self.chance.id());
            let kind = match self.chance.below(10) {
                0 => AnswerKind::PaymentRequired,
                1 => AnswerKind::Status("processing".to_owned()),
                2 => AnswerKind::Result(Err("it is empty".to_owned())),
                _ => AnswerKind::Result(Ok(())),
            };
            let bill = self.bill(terms.budget_msat);
            let answer = Answer {
                purchase,
                provider,
                event_id: EventId(self.chance.id()),
                kind: kind.clone(),
                invoice: Some(Ok(bill.clone())),
                body: self.body(format!("purchase/{purchase}")),
            };
            let wait_ms = self.chance.between(300, 50_000);
            self.later(
                wait_ms,
                Happening::Arrives(Wire::Answer(Box::new(answer.clone()))),
            );
            if self.fault(25) {
                let wait_ms = self.chance.between(300, 90_000);
                self.later(
                    wait_ms,
                    Happening::Arrives(Wire::Answer(Box::new(answer.clone()))),
                );
            }
            if kind == AnswerKind::PaymentRequired {
                let result = Answer {
                    event_id: EventId(self.chance.id()),
                    kind: AnswerKind::Result(Ok(())),
                    ..answer
                };
                let wait_ms = wait_ms + self.chance.between(2_000, 60_000);
                self.later(wait_ms, Happening::Arrives(Wire::Answer(Box::new(result))));
            }
        }
    }

    fn asked(&self, purchase: &JobId) -> Option<Event> {
        let asks =
            |event: &Event| matches!(event, Event::PurchaseRequested(m) if m.purchase_id == purchase.0);
        self.disk
            .facts()
            .iter()
            .map(|fact| &fact.event)
            .find(|event| asks(event))
            .cloned()
    }

    /// An invoice of a stranger's, at times one that it handed out before.
    fn bill(&mut self, budget_msat: u64) -> Bill {
        let known: Vec<String> = self.wallet.bills.keys().cloned().collect();
        let reused = self
            .fault(15)
            .then(|| self.chance.pick(&known).cloned())
            .flatten();
        let asked_msat = budget_msat / 2 + self.chance.below(budget_msat / 2 + budget_msat / 8);
        let bolt11 = reused.unwrap_or_else(|| self.asks_for(asked_msat));
        self.as_read(bolt11)
    }

    /// A fresh invoice of a stranger's.
    fn asks_for(&mut self, msat: u64) -> String {
        let bolt11 = format!("lnbcrt-{}", hex::encode(self.chance.short_id()));
        let lasts_s = if self.fault(10) { 20 } else { 3_600 };
        let bill = (PaymentHash(self.chance.id()), msat, self.now_s() + lasts_s);
        self.wallet.bills.insert(bolt11.clone(), bill);
        bolt11
    }

    fn as_read(&mut self, bolt11: String) -> Bill {
        let (payment_hash, msat, expires_at_s) = self.wallet.bills.get(&bolt11).copied().unwrap_or_default();
        Bill {
            bolt11,
            payment_hash,
            amount: Some(Msat(msat)),
            payee: vec![2; 33],
            network: if self.fault(4) { "bitcoin" } else { "regtest" }.to_owned(),
            expires_at_ms: i64::try_from(expires_at_s * 1_000).unwrap_or(i64::MAX),
        }
    }

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
