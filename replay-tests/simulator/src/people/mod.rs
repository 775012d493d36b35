//! Buyers, sellers and the owner: what they want, and what they try.
mod owner;
mod sellers;

use autopilot_core::{
    Input,
    input::{Cancelled, Request, sent_key, won_key},
};
use autopilot_events::{
    pb::Purpose,
    words::{EventId, Msat, PaymentHash, PublicKey},
};

use crate::{
    bug::Bug,
    oracle::Asked,
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
        let taken_back = self.chance.percent(8);
        let by_stranger = self.chance.one_in(3);
        let asked = Asked {
            bid_msat: request.bid.map(|bid| bid.0),
            own: requester == self.own,
            taken_back: taken_back && !by_stranger,
        };
        self.oracle.requests.insert(request.native_id, asked);
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
        if taken_back {
            let author = if by_stranger {
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
                    && [sent_key, won_key]
                        .iter()
                        .any(|key| self.disk.by_key(&key(&bill.payment_hash.0)).is_some())
                {
                    answer.invoice = Some(Err("reused: it was paid or chosen before".to_owned()));
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
}
