//! `wallet/v1` messages as the port's types. Lengths are checked: the other process is ours, its version may not be.
use autopilot_core::ports::wallet::{
    Balances, Channel, DecodedInvoice, DecodedOffer, Invoice, NodeId, OnchainRole, Payment, PaymentKind,
    PaymentStatus, Peer, PendingClose, Transaction, TransactionPage, WalletError, WalletErrorCode as Code,
    WalletEvent, WalletEventKind, WalletInfo,
};
use autopilot_events::words::{Msat, PaymentHash};
use autopilot_proto::wallet::v1::{self as rpc, FailureCode, event::Kind};
use prost::Message;
use tonic::Status;

type Read<T> = Result<T, WalletError>;

fn unreadable(what: &str) -> WalletError {
    WalletError {
        code: Code::Fault,
        message: format!("the wallet process answered with {what} that cannot be read"),
    }
}

fn bytes32(bytes: &[u8], what: &str) -> Read<[u8; 32]> {
    bytes.try_into().map_err(|_| unreadable(what))
}

fn hash(bytes: &[u8]) -> Read<PaymentHash> {
    bytes32(bytes, "a payment hash").map(PaymentHash)
}

fn optional_hash(bytes: &[u8]) -> Read<Option<PaymentHash>> {
    (!bytes.is_empty()).then(|| hash(bytes)).transpose()
}

fn node(bytes: &[u8]) -> Read<NodeId> {
    bytes.try_into().map_err(|_| unreadable("a node id"))
}

fn optional_node(bytes: &[u8]) -> Read<Option<NodeId>> {
    (!bytes.is_empty()).then(|| node(bytes)).transpose()
}

fn text(value: String) -> Option<String> {
    (!value.is_empty()).then_some(value)
}

pub(crate) fn error(status: &Status) -> WalletError {
    let Some(failure) = rpc::Failure::decode(status.details())
        .ok()
        .filter(|failure| failure.code != 0)
    else {
        // No word from the wallet itself: the connection failed, before or after the call took effect.
        let message = format!("the wallet process does not answer: {}", status.message());
        return WalletError {
            code: Code::Unavailable,
            message,
        };
    };
    let code = match failure.code() {
        FailureCode::InvalidArgument => Code::InvalidArgument,
        FailureCode::Conflict => Code::Conflict,
        FailureCode::NotFound => Code::NotFound,
        FailureCode::WrongNetwork => Code::WrongNetwork,
        FailureCode::Expired => Code::Expired,
        FailureCode::InsufficientFunds => Code::InsufficientFunds,
        FailureCode::ChainBehind => Code::ChainBehind,
        FailureCode::NoRoute => Code::NoRoute,
        FailureCode::PeerUnreachable => Code::PeerUnreachable,
        FailureCode::SelfPayment => Code::SelfPayment,
        FailureCode::WalletFault | FailureCode::Unspecified => Code::Fault,
    };
    WalletError {
        code,
        message: failure.message,
    }
}

pub(crate) fn info(info: rpc::Info) -> Read<WalletInfo> {
    let peer = |peer: rpc::Peer| {
        Ok(Peer {
            node_id: node(&peer.node_id)?,
            address: peer.address,
            connected: peer.connected,
        })
    };
    Ok(WalletInfo {
        node_id: node(&info.node_id)?,
        network: info.network,
        version: info.version,
        engine: info.engine,
        tip_height: info.tip_height,
        lightning_synced_at_s: info.lightning_synced_at_s,
        onchain_synced_at_s: info.onchain_synced_at_s,
        listening: info.listening,
        peers: info.peers.into_iter().map(peer).collect::<Read<_>>()?,
        connected: info.connected,
        chain_source: info.chain_source,
    })
}

pub(crate) fn balances(balances: rpc::Balances) -> Read<Balances> {
    Ok(Balances {
        spendable: Msat(balances.spendable_msat),
        reserved: Msat(balances.reserved_msat),
        offline: Msat(balances.offline_msat),
        receivable: Msat(balances.receivable_msat),
        closing: Msat(balances.closing_msat),
        onchain_spendable_sat: balances.onchain_spendable_sat,
        onchain_confirmed_sat: balances.onchain_confirmed_sat,
        onchain_total_sat: balances.onchain_total_sat,
        onchain_reserve_sat: balances.onchain_anchor_reserve_sat,
        channels: balances.channels.into_iter().map(channel).collect::<Read<_>>()?,
        pending_closes: balances
            .pending_closes
            .into_iter()
            .map(pending_close)
            .collect::<Read<_>>()?,
        tip_height: balances.tip_height,
    })
}

fn channel(channel: rpc::Channel) -> Read<Channel> {
    Ok(Channel {
        channel_id: bytes32(&channel.channel_id, "a channel id")?,
        funding_outpoint: channel.funding_outpoint,
        counterparty: node(&channel.counterparty)?,
        capacity_sat: channel.capacity_sat,
        balance: Msat(channel.balance_msat),
        spendable: Msat(channel.spendable_msat),
        receivable: Msat(channel.receivable_msat),
        our_reserve_sat: channel.our_reserve_sat,
        ready: channel.ready,
        usable: channel.usable,
        outbound: channel.outbound,
        opening_balance: Msat(channel.opening_balance_msat),
    })
}

fn pending_close(close: rpc::PendingClose) -> Read<PendingClose> {
    use rpc::CloseStage as S;
    let stage = match close.stage() {
        S::ClosingUnconfirmed => "closing-unconfirmed",
        S::AwaitingDelay => "awaiting-delay",
        S::Contested => "contested",
        S::SweepPending => "sweep-pending",
        S::SweepUnconfirmed => "sweep-unconfirmed",
        S::SweepConfirmed => "sweep-confirmed",
        S::PaidOut => "paid-out",
        S::Unspecified => "unknown",
    };
    let id = (!close.channel_id.is_empty())
        .then(|| bytes32(&close.channel_id, "a channel id"))
        .transpose()?;
    Ok(PendingClose {
        channel_id: id,
        amount_sat: close.amount_sat,
        stage: stage.to_owned(),
        why: close.why,
        spendable_at_height: (close.spendable_at_height > 0).then_some(close.spendable_at_height),
        sweep_txid: text(close.sweep_txid),
        counted_onchain: close.counted_onchain,
    })
}

pub(crate) fn invoice(invoice: rpc::Invoice) -> Read<Invoice> {
    Ok(Invoice {
        payment_hash: hash(&invoice.payment_hash)?,
        bolt11: invoice.bolt11,
        amount: Msat(invoice.amount_msat),
        expires_at_s: invoice.expires_at_s,
        existed: invoice.existed,
    })
}

pub(crate) fn decoded(invoice: rpc::DecodedInvoice) -> Read<DecodedInvoice> {
    Ok(DecodedInvoice {
        payment_hash: hash(&invoice.payment_hash)?,
        amount: invoice.amount_msat.map(Msat),
        payee: node(&invoice.payee)?,
        network: invoice.network,
        created_at_s: invoice.created_at_s,
        expires_at_s: invoice.expires_at_s,
        description: invoice.description,
        ours: invoice.ours,
    })
}

pub(crate) fn decoded_offer(offer: rpc::DecodedOffer) -> Read<DecodedOffer> {
    Ok(DecodedOffer {
        offer_id: bytes32(&offer.offer_id, "an offer id")?,
        payee: optional_node(&offer.payee)?,
        amount: offer.amount_msat.map(Msat),
        networks: offer.networks,
        expires_at_s: offer.expires_at_s,
        description: offer.description,
    })
}

pub(crate) fn payment(payment: rpc::Payment) -> Read<Payment> {
    let status = match payment.status() {
        rpc::PaymentStatus::Unknown => PaymentStatus::Unknown,
        rpc::PaymentStatus::InDoubt => PaymentStatus::InDoubt,
        rpc::PaymentStatus::Pending => PaymentStatus::Pending,
        rpc::PaymentStatus::Succeeded => PaymentStatus::Succeeded,
        rpc::PaymentStatus::Failed => PaymentStatus::Failed,
    };
    let kind = match payment.kind() {
        rpc::PaymentKind::Bolt11 => PaymentKind::Bolt11,
        rpc::PaymentKind::Bolt12 => PaymentKind::Bolt12,
        rpc::PaymentKind::Onchain => PaymentKind::Onchain,
        rpc::PaymentKind::Spontaneous | rpc::PaymentKind::Unspecified => PaymentKind::Other,
    };
    let payment_hash = optional_hash(&payment.payment_hash)?;
    let payment_id = match (payment.payment_id.as_slice(), payment_hash) {
        // Nothing recorded: the hash stands for it, as it would for a BOLT11 payment.
        ([], Some(hash)) => hash.0,
        (id, _) => bytes32(id, "a payment id")?,
    };
    Ok(Payment {
        payment_id,
        payment_hash,
        kind,
        outbound: payment.outbound,
        amount: payment.amount_msat.map(Msat),
        fee: payment.fee_msat.map(Msat),
        status,
        updated_at_s: payment.updated_at_s,
        preimage: payment
            .preimage
            .map(|preimage| bytes32(&preimage, "a preimage"))
            .transpose()?,
        txid: text(payment.txid),
        confirmed_height: (payment.confirmed_height > 0).then_some(payment.confirmed_height),
        failure: text(payment.failure),
        key: text(payment.key),
    })
}

fn preimage(bytes: &[u8]) -> Read<Option<[u8; 32]>> {
    (!bytes.is_empty())
        .then(|| bytes32(bytes, "a preimage"))
        .transpose()
}

pub(crate) fn transactions(reply: rpc::ListOnchainReply) -> Read<TransactionPage> {
    Ok(TransactionPage {
        transactions: reply
            .transactions
            .into_iter()
            .map(transaction)
            .collect::<Read<_>>()?,
        next: text(reply.next_page_token),
    })
}

fn transaction(transaction: rpc::Transaction) -> Read<Transaction> {
    let role = match transaction.role() {
        rpc::OnchainRole::Deposit => OnchainRole::Deposit,
        rpc::OnchainRole::Send => OnchainRole::Send,
        rpc::OnchainRole::ChannelFunding => OnchainRole::ChannelFunding,
        rpc::OnchainRole::ChannelClose => OnchainRole::ChannelClose,
        rpc::OnchainRole::Other => OnchainRole::Other,
    };
    let channel = &transaction.channel_id;
    let channel_id = (!channel.is_empty())
        .then(|| bytes32(channel, "a channel id"))
        .transpose()?;
    Ok(Transaction {
        outbound: transaction.outbound,
        amount_sat: transaction.amount_sat,
        fee_sat: transaction.fee_sat,
        role,
        confirmed_height: (transaction.confirmed_height > 0).then_some(transaction.confirmed_height),
        seen_at_s: transaction.seen_at_s,
        channel_id,
        txid: transaction.txid,
    })
}

pub(crate) fn event(event: rpc::Event) -> Read<WalletEvent> {
    let id = bytes32(&event.id, "an event id")?;
    let kind = match event.kind {
        Some(Kind::PaymentReceived(received)) => WalletEventKind::PaymentReceived {
            payment_id: bytes32(&received.payment_id, "a payment id")?,
            payment_hash: hash(&received.payment_hash)?,
            amount: Msat(received.amount_msat),
            invoice_key: text(received.invoice_key),
            settled_at_s: received.settled_at_s,
            preimage: preimage(&received.preimage)?,
        },
        Some(Kind::PaymentSuccessful(done)) => WalletEventKind::PaymentSuccessful {
            payment_id: bytes32(&done.payment_id, "a payment id")?,
            payment_hash: hash(&done.payment_hash)?,
            preimage: preimage(&done.preimage)?,
            amount: done.amount_msat.map(Msat),
            fee: Msat(done.fee_msat),
            settled_at_s: done.settled_at_s,
            key: text(done.key),
        },
        Some(Kind::PaymentFailed(failed)) => WalletEventKind::PaymentFailed {
            payment_id: bytes32(&failed.payment_id, "a payment id")?,
            payment_hash: optional_hash(&failed.payment_hash)?,
            reason: failed.reason,
            key: text(failed.key),
        },
        Some(Kind::ChannelPending(pending)) => WalletEventKind::ChannelPending {
            channel_id: bytes32(&pending.channel_id, "a channel id")?,
            counterparty: node(&pending.counterparty)?,
            funding_outpoint: pending.funding_outpoint,
        },
        Some(Kind::ChannelReady(ready)) => WalletEventKind::ChannelReady {
            channel_id: bytes32(&ready.channel_id, "a channel id")?,
            counterparty: optional_node(&ready.counterparty)?,
            funding_outpoint: ready.funding_outpoint,
            capacity_sat: ready.capacity_sat,
            opening_balance: Msat(ready.opening_balance_msat),
            outbound: ready.outbound,
            anchors: Msat(ready.anchors_msat),
        },
        Some(Kind::ChannelClosed(closed)) => WalletEventKind::ChannelClosed {
            channel_id: bytes32(&closed.channel_id, "a channel id")?,
            counterparty: optional_node(&closed.counterparty)?,
            reason: closed.reason,
            balance: Msat(closed.balance_msat),
            cooperative: closed.cooperative,
            anchors: Msat(closed.anchors_msat),
        },
        Some(Kind::PaymentForwarded(forwarded)) => WalletEventKind::PaymentForwarded {
            fee_earned: Msat(forwarded.fee_earned_msat),
            amount: Msat(forwarded.amount_msat),
        },
        Some(Kind::Other(other)) => WalletEventKind::Other { what: other.what },
        None => WalletEventKind::Other {
            what: "an event of a newer version".to_owned(),
        },
    };
    Ok(WalletEvent { id, kind })
}
