//! Channels: opened with on-chain funds, and closed.
use autopilot_cli::money::{network_note, show_msat, show_on};
use autopilot_proto::control::v1::{CloseChannelRequest, OpenChannelRequest, StatusRequest};

use crate::{
    args::Yes,
    confirm::{confirm, rehearsed},
    connect::{Client, call},
    failure::Outcome,
    output::{Out, clean_line},
};

pub async fn close(client: &mut Client, out: Out, channel_id: String, force: bool, yes: Yes) -> Outcome {
    let network = call(client.status(StatusRequest {})).await?.network;
    let how = if force {
        "WITHOUT its peer (slower, and dearer)"
    } else {
        "with its peer"
    };
    let id = clean_line(&channel_id);
    let what = format!(
        "Close channel {id} {how}; its sats go on chain {}.",
        network_note(&network)
    );
    if yes.dry_run {
        let request = CloseChannelRequest {
            channel_id,
            force,
            dry_run: true,
        };
        call(client.close_channel(request)).await?;
        return rehearsed(out, &what);
    }
    confirm(out, yes, &what)?;
    let request = CloseChannelRequest {
        channel_id,
        force,
        dry_run: false,
    };
    let reply = call(client.close_channel(request)).await?;
    out.show(&reply, |_| {
        "The channel is closing: autopilotctl wallet balance shows its sats.".to_owned()
    })
}

pub async fn open(client: &mut Client, out: Out, request: OpenChannelRequest, yes: Yes) -> Outcome {
    let network = call(client.status(StatusRequest {})).await?.network;
    let push = match request.push_msat {
        0 => String::new(),
        msat => format!(" and GIVE the peer {} of it", show_msat(msat)),
    };
    let peer = format!(
        "{}@{}",
        clean_line(&request.node_id),
        clean_line(&request.address)
    );
    let capacity = show_on(request.capacity_sat.saturating_mul(1_000), &network);
    let what = format!("Open a channel of {capacity} with {peer}{push}.");
    if yes.dry_run {
        call(client.open_channel(request)).await?;
        return rehearsed(out, &what);
    }
    confirm(out, yes, &what)?;
    let reply = call(client.open_channel(request)).await?;
    out.show(&reply, |reply| match reply.opened {
        true => "The channel is being opened: autopilotctl wait receive-ready.".to_owned(),
        false => "There was one with this peer already.".to_owned(),
    })
}
