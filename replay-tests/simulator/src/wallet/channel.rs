//! The channel: opened by a peer, closed by force.
use autopilot_core::ports::wallet::WalletEventKind as Kind;
use autopilot_events::words::Msat;

use super::{Channel, Wallet};
use crate::chance::Chance;

impl Wallet {
    /// A peer opens a channel and pushes something over.
    pub fn open(&mut self, chance: &mut Chance, capacity_sat: u64, pushed_msat: u64) {
        let id = chance.id();
        self.channel = Some(Channel {
            id,
            capacity_msat: capacity_sat * 1_000,
            balance_msat: pushed_msat,
        });
        self.moves.insert(
            format!("wallet/channel-opened/{}", hex::encode(id)),
            i128::from(pushed_msat),
        );
        let ready = Kind::ChannelReady {
            channel_id: id,
            counterparty: None,
            funding_outpoint: hex::encode(chance.id()),
            capacity_sat,
            opening_balance: Msat(pushed_msat),
            outbound: false,
            anchors: Msat::ZERO,
        };
        self.tell(chance, ready);
    }

    /// The channel is closed by force, once nothing is under way in it: its rest comes on chain, less fees.
    pub fn close(&mut self, chance: &mut Chance) {
        if self.under_way() {
            return;
        }
        let Some(channel) = self.channel.take() else {
            return;
        };
        let name = hex::encode(channel.id);
        self.moves.insert(
            format!("wallet/channel-closed/{name}"),
            -i128::from(channel.balance_msat),
        );
        self.closing.push((channel.balance_msat, self.height + 144));
        let closed = Kind::ChannelClosed {
            channel_id: channel.id,
            counterparty: None,
            reason: "simulated: closed by force".to_owned(),
            balance: Msat(channel.balance_msat),
            cooperative: false,
            anchors: Msat::ZERO,
        };
        self.tell(chance, closed);
    }
}
