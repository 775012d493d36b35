//! The wallet: what it holds, what it takes in, what it pays.
use autopilot_cli::money::{network_note, show_msat, show_on};
use autopilot_proto::control::v1::{
    BalanceReply, BalanceRequest, CanReceiveRequest, NewAddressRequest, OpenChannelRequest, PaymentLine,
    PaymentsReply, PaymentsRequest, ReceiveReply, ReceiveRequest, SendOnchainReply, SendOnchainRequest,
    StatusRequest,
};

use crate::{
    args::{Amount, Wallet, Yes},
    channels,
    confirm::{confirm, rehearsed},
    connect::{Client, call, call_waiting},
    failure::{Failure, Kind, Outcome},
    output::{Out, at, clean_line, fields, short, table},
    withdraw,
};

pub async fn wallet(client: &mut Client, out: Out, action: Wallet) -> Outcome {
    match action {
        Wallet::Balance => balance(client, out).await,
        Wallet::Receive {
            amount,
            description,
            expiry,
            offer,
            key,
        } => {
            let amount_msat = match amount.msat() {
                Some(msat) => msat,
                None if offer => 0,
                None => {
                    return Err(Failure::usage(
                        "an invoice needs a sum: AMOUNT (such as 10sat) or --sats N",
                    ));
                }
            };
            let request = ReceiveRequest {
                amount_msat,
                description,
                expiry_s: expiry,
                offer,
                key,
            };
            receive(client, out, request).await
        }
        Wallet::Pay(wish) => withdraw::withdraw(client, out, wish).await,
        Wallet::History { limit, page } => history(client, out, PaymentsRequest { limit, page }).await,
        Wallet::CanReceive { amount } => can_receive(client, out, amount).await,
        Wallet::Address => {
            let reply = call(client.new_address(NewAddressRequest {})).await?;
            out.show(&reply, |reply| {
                format!("{}  {}", reply.address, network_note(&reply.network))
            })?;
            out.hint("autopilotctl wallet balance, once the deposit has its blocks");
            Ok(())
        }
        Wallet::SendOnchain {
            address,
            amount,
            all,
            wait,
            yes,
        } => send_onchain(client, out, address, amount, all, wait, yes).await,
        Wallet::OpenChannel {
            node_id,
            address,
            capacity,
            push,
            yes,
        } => {
            let capacity_sat = whole_sat(capacity)?;
            let request = OpenChannelRequest {
                node_id,
                address,
                capacity_sat,
                push_msat: push,
                dry_run: yes.dry_run,
            };
            channels::open(client, out, request, yes).await
        }
        Wallet::CloseChannel {
            channel_id,
            force,
            yes,
        } => channels::close(client, out, channel_id, force, yes).await,
    }
}

/// On chain there is nothing below one satoshi.
pub fn whole_sat(msat: u64) -> Outcome<u64> {
    match msat % 1_000 {
        0 => Ok(msat / 1_000),
        _ => Err(Failure::usage("on chain only whole satoshi can be sent")),
    }
}

async fn balance(client: &mut Client, out: Out) -> Outcome {
    let reply = call(client.balance(BalanceRequest {})).await?;
    out.show(&reply, text)
}

fn text(reply: &BalanceReply) -> String {
    let sum = |msat: u64| show_on(msat, &reply.network);
    let sat = |sat: u64| show_msat(sat.saturating_mul(1_000));
    let difference = |difference: i64| match difference {
        0 => "none: ledger and wallet agree".to_owned(),
        below if below < 0 => format!("-{}", show_msat(below.unsigned_abs())),
        above => show_msat(above.unsigned_abs()),
    };
    let mut text = fields(&[
        ("earned", sum(reply.earned_msat)),
        ("spendable", sum(reply.spendable_msat)),
        (
            "reserved",
            format!(
                "{}  ours, held back by the channel's rules",
                sum(reply.reserved_msat)
            ),
        ),
        ("receivable", sum(reply.receivable_msat)),
        ("closing", sum(reply.closing_msat)),
        (
            "on chain",
            show_on(reply.onchain_sat.saturating_mul(1_000), &reply.network),
        ),
        (
            "granted",
            format!("{}  opening pushes, never earnings", sum(reply.granted_msat)),
        ),
        ("received", sum(reply.received_msat)),
        (
            "sent",
            format!("{}, fees {}", sum(reply.sent_msat), show_msat(reply.fees_msat)),
        ),
        ("withdrawn", sum(reply.withdrawn_msat)),
        (
            "difference",
            reply
                .reconciled_difference_msat
                .map(difference)
                .unwrap_or_default(),
        ),
    ]);
    if !reply.channels.is_empty() {
        let head = [
            "channel",
            "peer",
            "capacity",
            "ours",
            "spendable",
            "receivable",
            "reserve",
            "usable",
        ];
        let rows = reply.channels.iter().map(|channel| {
            vec![
                channel.channel_id.clone(),
                short(&channel.counterparty),
                sat(channel.capacity_sat),
                show_msat(channel.balance_msat),
                show_msat(channel.spendable_msat),
                show_msat(channel.receivable_msat),
                sat(channel.reserve_sat),
                if channel.usable { "yes" } else { "no" }.to_owned(),
            ]
        });
        text += &format!("\n\n{}", table(&head, &rows.collect::<Vec<_>>()));
    }
    if !reply.closing.is_empty() {
        let head = ["closing", "amount", "stage", "spendable", "why"];
        let rows = reply.closing.iter().map(|close| {
            let height = close.spendable_at_height;
            vec![
                short(&close.channel_id),
                sat(close.amount_sat),
                close.stage.clone(),
                height.map_or("not known yet".to_owned(), |height| format!("at block {height}")),
                clean_line(&close.why),
            ]
        });
        text += &format!("\n\n{}", table(&head, &rows.collect::<Vec<_>>()));
    }
    text
}

async fn receive(client: &mut Client, out: Out, request: ReceiveRequest) -> Outcome {
    let amount_msat = request.amount_msat;
    let reply = call(client.receive(request)).await?;
    out.show(&reply, |reply: &ReceiveReply| {
        let amount = match amount_msat {
            0 => format!("any {}", network_note(&reply.network)),
            msat => show_on(msat, &reply.network),
        };
        let details = fields(&[
            ("amount", amount),
            (
                "expires",
                if reply.expires_at_ms > 0 {
                    at(reply.expires_at_ms)
                } else {
                    String::new()
                },
            ),
            ("hash", reply.payment_hash.clone()),
        ]);
        format!("{}\n{details}", reply.payment_request)
    })
}

async fn history(client: &mut Client, out: Out, request: PaymentsRequest) -> Outcome {
    let reply = call(client.payments(request)).await?;
    let network = match out.json {
        true => String::new(),
        false => call(client.status(StatusRequest {})).await?.network,
    };
    out.show(&reply, |reply: &PaymentsReply| {
        if reply.payments.is_empty() {
            return "No payments.".to_owned();
        }
        let head = [
            "time",
            "direction",
            "kind",
            "status",
            "amount",
            "fee",
            "hash or txid",
            "job",
            "destination",
        ];
        let sum = |msat: Option<u64>| msat.map_or("-".to_owned(), show_msat);
        let row = |line: &PaymentLine| {
            let id = if line.payment_hash.is_empty() {
                &line.txid
            } else {
                &line.payment_hash
            };
            vec![
                at(line.at_ms),
                line.direction.clone(),
                line.kind.clone(),
                line.status.clone(),
                sum(line.amount_msat),
                sum(line.fee_msat),
                short(id),
                short(&line.job_id),
                destination(line),
            ]
        };
        let rows: Vec<_> = reply.payments.iter().map(row).collect();
        let more = match reply.next.as_str() {
            "" => String::new(),
            next => format!("\nMore: autopilotctl wallet history --page {}", clean_line(next)),
        };
        format!("{}\nSums {}.{more}", table(&head, &rows), network_note(&network))
    })
}

/// What a person gave, shortened where it is an invoice, and whose word its meaning was.
fn destination(line: &PaymentLine) -> String {
    let given: String = clean_line(&line.destination).chars().take(40).collect();
    match line.authority.as_str() {
        "" => given,
        authority => format!("{given} ({})", clean_line(authority)),
    }
}

async fn can_receive(client: &mut Client, out: Out, amount: Amount) -> Outcome {
    let amount_msat = amount
        .msat()
        .ok_or_else(|| Failure::usage("name the sum: AMOUNT (such as 10sat) or --sats N"))?;
    let reply = call(client.can_receive(CanReceiveRequest { amount_msat })).await?;
    out.show(&reply, |reply| {
        let limit = show_msat(reply.limit_msat);
        match reply.yes {
            true => format!("yes: up to {limit} can arrive now"),
            false => format!("no: {} (up to {limit} can arrive now)", clean_line(&reply.reason)),
        }
    })
}

async fn send_onchain(
    client: &mut Client,
    out: Out,
    address: String,
    amount: Amount,
    all: bool,
    wait_s: u32,
    yes: Yes,
) -> Outcome {
    let amount_sat = match amount.msat() {
        Some(msat) => Some(whole_sat(msat)?),
        None if all => None,
        None => {
            return Err(Failure::usage(
                "name the sum: AMOUNT (such as 1000sat), --sats N or --all",
            ));
        }
    };
    let network = call(client.status(StatusRequest {})).await?.network;
    let what = match amount_sat {
        Some(sat) => show_on(sat.saturating_mul(1_000), &network),
        None => format!("everything on chain {}", network_note(&network)),
    };
    let fee = if all {
        "the miners' fee is taken out of it"
    } else {
        "the miners' fee comes on top"
    };
    let what = format!("Send {what} on chain to {}; {fee}.", clean_line(&address));
    let request = SendOnchainRequest {
        address,
        amount_sat,
        wait_s,
        dry_run: yes.dry_run,
    };
    if yes.dry_run {
        call(client.send_onchain(request)).await?;
        return rehearsed(out, &what);
    }
    confirm(out, yes, &what)?;
    let reply = call_waiting(wait_s, client.send_onchain(request)).await?;
    out.show(&reply, |reply: &SendOnchainReply| {
        fields(&[
            ("status", reply.status.clone()),
            ("txid", reply.txid.clone()),
            ("intent", reply.intent_id.clone()),
            ("reason", clean_line(&reply.reason)),
        ])
    })?;
    match reply.status.as_str() {
        "failed" => Err(Failure::new(
            Kind::Refused,
            "send-failed",
            format!("nothing was sent: {}", reply.reason),
        )),
        "pending" if wait_s > 0 => {
            let message = "the transaction is not out yet; it is not sent twice, do not start it again";
            Err(Failure::new(Kind::Timeout, "timeout", message).next("autopilotctl wallet history"))
        }
        _ => Ok(()),
    }
}
