//! Channels and peers.
use std::time::Duration;

use autopilot_proto::wallet::v1::{self as rpc, FailureCode};
use ldk_node::{bitcoin::secp256k1::PublicKey, config::ChannelConfig, lightning::ln::msgs::SocketAddress};

use crate::{
    failure::{Answer, failed, invalid},
    wallet::{Wallet, address, node_id, thirty_two},
};

impl Wallet {
    pub(crate) fn open_channel(&self, request: &rpc::OpenChannelRequest) -> Answer<rpc::OpenChannelReply> {
        let peer = node_id(&request.node_id)?;
        if request.push_msat > request.capacity_sat.saturating_mul(1_000) {
            return Err(invalid("the push is more than the channel's capacity"));
        }
        if request.only_if_none && self.has_channel_with(&peer) {
            return Ok(rpc::OpenChannelReply { opened: false });
        }
        let at = self.peer_address(&peer, &request.address)?;
        // Before the lock: a peer that does not answer takes its time.
        self.connect_for_opening(peer, &at)?;
        let _one = self.one_effect();
        if request.only_if_none && self.has_channel_with(&peer) {
            return Ok(rpc::OpenChannelReply { opened: false });
        }
        self.at_tip()?;
        let push = (request.push_msat > 0).then_some(request.push_msat);
        let config = request
            .forwarding_fee_base_msat
            .map(|forwarding_fee_base_msat| ChannelConfig {
                forwarding_fee_base_msat,
                ..ChannelConfig::default()
            });
        match request.announce {
            true => self
                .node
                .open_announced_channel(peer, at, request.capacity_sat, push, config)?,
            false => self
                .node
                .open_channel(peer, at, request.capacity_sat, push, config)?,
        };
        Ok(rpc::OpenChannelReply { opened: true })
    }

    fn has_channel_with(&self, peer: &PublicKey) -> bool {
        let mut channels = self.node.list_channels().into_iter();
        channels.any(|channel| channel.counterparty_node_id == *peer)
    }

    /// Two wallets that connect to each other at once end one connection, or both: that is no reason to refuse. Takes
    /// a second at most beyond the engine's own tries.
    fn connect_for_opening(&self, peer: PublicKey, at: &SocketAddress) -> Answer<()> {
        for pause in [Duration::from_millis(200), Duration::from_millis(800)] {
            match self.node.connect(peer, at.clone(), false) {
                Ok(()) => return Ok(()),
                Err(error) => tracing::debug!(%error, %peer, "not connected; once more"),
            }
            std::thread::sleep(pause);
        }
        Ok(self.node.connect(peer, at.clone(), false)?)
    }

    /// A peer that connected to us needs no address of its own.
    fn peer_address(&self, peer: &PublicKey, given: &str) -> Answer<SocketAddress> {
        if !given.is_empty() {
            return address(given);
        }
        let known = self
            .node
            .list_peers()
            .into_iter()
            .find(|known| known.node_id == *peer);
        known.map(|known| known.address).ok_or_else(|| {
            failed(
                FailureCode::PeerUnreachable,
                "the peer is not connected, and no address was given",
            )
        })
    }

    pub(crate) fn close_channel(&self, request: &rpc::CloseChannelRequest) -> Answer<rpc::CloseChannelReply> {
        let id = thirty_two(&request.channel_id, "a channel id")?;
        let channels = self.node.list_channels();
        let channel = channels
            .iter()
            .find(|channel| channel.channel_id.0 == id)
            .ok_or_else(|| failed(FailureCode::NotFound, "there is no open channel with this id"))?;
        self.remember_channels(&channels, &self.node.list_balances())?;
        let (channel_id, peer) = (&channel.user_channel_id, channel.counterparty_node_id);
        match request.force {
            true => self
                .node
                .force_close_channel(channel_id, peer, Some("closed by its owner".into()))?,
            false if !channel.is_usable => {
                let message = "the peer is not connected: wait for it, or close by force";
                return Err(failed(FailureCode::PeerUnreachable, message));
            }
            false => self.node.close_channel(channel_id, peer)?,
        }
        Ok(rpc::CloseChannelReply {})
    }

    pub(crate) fn connect_peer(&self, request: &rpc::ConnectPeerRequest) -> Answer<rpc::ConnectPeerReply> {
        self.node.connect(
            node_id(&request.node_id)?,
            address(&request.address)?,
            request.persist,
        )?;
        Ok(rpc::ConnectPeerReply {})
    }

    /// Connects again to peers that are remembered and gone. The engine does so once a minute; a provider whose hub
    /// restarts should not be deaf for that long.
    pub(crate) fn reconnect(&self) {
        for peer in self
            .node
            .list_peers()
            .iter()
            .filter(|peer| peer.is_persisted && !peer.is_connected)
        {
            if let Err(error) = self.node.connect(peer.node_id, peer.address.clone(), true) {
                tracing::debug!(%error, peer = %peer.node_id, "not reconnected");
            }
        }
    }
}
