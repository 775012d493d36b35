//! The tailnet: looked at when somebody asks, and while somebody watches. Never while nobody does.
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use autopilot_proto::control::v1 as pb;
use tonic::Status;

use super::Service;
use crate::{
    clock,
    tailnet::{self, Tailnet},
};

/// While it is watched it is looked at this often.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// What was seen last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Glance(Arc<Mutex<Last>>);

#[derive(Debug, Default)]
struct Last {
    seen: Tailnet,
    at_ms: Option<i64>,
    /// When the newest look began; a look ends within its own bound.
    begun: Option<Instant>,
}

impl Glance {
    pub(super) fn known(&self) -> Tailnet {
        self.last(|last| last.seen.clone())
    }

    fn last<T>(&self, with: impl FnOnce(&mut Last) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn refresh(&self) {
        self.last(|last| last.begun = Some(Instant::now()));
        let seen = tailnet::look().await;
        self.last(|last| (last.seen, last.at_ms) = (seen, Some(clock::now_ms())));
    }

    /// Looks again in the background when it is time: who watches is not held up.
    fn keep_fresh(&self) {
        let due = self.last(|last| {
            let due = last.begun.is_none_or(|begun| begun.elapsed() >= LOOK_AGAIN);
            if due {
                last.begun = Some(Instant::now());
            }
            due
        });
        if due {
            let glance = self.clone();
            tokio::spawn(async move { glance.refresh().await });
        }
    }

    fn reply(&self) -> pb::TailnetReply {
        let (seen, at_ms) = self.last(|last| (last.seen.clone(), last.at_ms));
        let reply = |state: &str, sentence: String| pb::TailnetReply {
            state: state.to_owned(),
            sentence,
            looked_at_ms: at_ms,
            ..pb::TailnetReply::default()
        };
        match seen {
            Tailnet::Unknown => reply("unknown", "the tailnet was not looked at yet".to_owned()),
            Tailnet::NotInstalled => reply(
                "not-installed",
                "Tailscale is not installed on this machine".to_owned(),
            ),
            Tailnet::Trouble(words) => reply("trouble", words),
            Tailnet::Seen(seen) => pb::TailnetReply {
                name: seen.name.clone(),
                devices: seen.devices.iter().map(device).collect(),
                ..match seen.is_up() {
                    true => reply("up", String::new()),
                    false => reply("down", format!("Tailscale is {} here", seen.state_words())),
                }
            },
        }
    }
}

fn device(device: &tailnet::Device) -> pb::TailnetDevice {
    pb::TailnetDevice {
        name: device.name.clone(),
        os: device.os.clone(),
        address: device.address.clone(),
        online: device.online,
        this: device.this,
        last_seen_ms: device.last_seen_ms,
    }
}

impl Service {
    /// Looks now.
    pub(super) async fn answer_tailnet(&self, _: pb::TailnetRequest) -> Result<pb::TailnetReply, Status> {
        self.tailnet.refresh().await;
        Ok(self.tailnet.reply())
    }

    /// For a watch: what is known, and a look in the background when it is time.
    pub(super) fn watched_tailnet(&self) -> pb::TailnetReply {
        self.tailnet.keep_fresh();
        self.tailnet.reply()
    }
}
