//! The desktop around a window: a session bus of its own, with a tray and somebody who takes notifications, which tell what
//! they were told.
use std::process::Stdio;

use futures_util::StreamExt;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::watch,
    time::timeout,
};
use zbus::{Connection, MatchRule, MessageStream, connection, interface, message::Type, names::UniqueName};

use super::PATIENCE;

/// Where a program's tray icon lies, by the StatusNotifierItem specification.
const ITEM_PATH: &str = "/StatusNotifierItem";
const ITEM: &str = "org.kde.StatusNotifierItem";

/// `org.kde.StatusNotifierWatcher`, as the panel of a desktop serves it.
struct Tray(watch::Sender<Option<String>>);

#[interface(name = "org.kde.StatusNotifierWatcher")]
impl Tray {
    async fn register_status_notifier_item(
        &self,
        service: String,
        #[zbus(header)] header: zbus::message::Header<'_>,
    ) {
        let sender = header.sender().map(UniqueName::to_string);
        // Some name themselves by a bus name, others by a path alone.
        self.0.send_replace(if service.starts_with('/') {
            sender
        } else {
            Some(service)
        });
    }

    async fn register_status_notifier_host(&self, _service: String) {}

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn registered_status_notifier_items(&self) -> Vec<String> {
        self.0.borrow().iter().cloned().collect()
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }
}

/// `org.freedesktop.Notifications`, without a screen.
struct Notifications(watch::Sender<Vec<String>>);

#[interface(name = "org.freedesktop.Notifications")]
impl Notifications {
    #[allow(clippy::too_many_arguments, reason = "the specification's own")]
    async fn notify(
        &self,
        app_name: String,
        _replaces: u32,
        _icon: String,
        summary: String,
        body: String,
        _actions: Vec<String>,
        _hints: std::collections::HashMap<String, zbus::zvariant::OwnedValue>,
        _expires_ms: i32,
    ) -> u32 {
        let mut number = 0;
        self.0.send_modify(|told| {
            told.push(format!("{app_name}: {summary}: {body}"));
            number = told.len() as u32;
        });
        number
    }

    async fn get_capabilities(&self) -> Vec<String> {
        vec!["body".to_owned()]
    }

    async fn get_server_information(&self) -> (String, String, String, String) {
        (
            "test".to_owned(),
            "test".to_owned(),
            "1".to_owned(),
            "1.2".to_owned(),
        )
    }
}

/// A session bus with both.
pub struct Desktop {
    /// As `DBUS_SESSION_BUS_ADDRESS` names it.
    pub address: String,
    bus: Child,
    connection: Connection,
    tray: watch::Receiver<Option<String>>,
    notifications: watch::Receiver<Vec<String>>,
}

impl Desktop {
    pub async fn start() -> Desktop {
        let mut bus = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--print-address=1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("dbus-daemon is installed: ./test does that");
        let mut lines = BufReader::new(bus.stdout.take().unwrap()).lines();
        let address = timeout(PATIENCE, lines.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        let (item, tray) = watch::channel(None);
        let (told, notifications) = watch::channel(Vec::new());
        let connection = connection::Builder::address(address.as_str())
            .unwrap()
            .serve_at("/StatusNotifierWatcher", Tray(item))
            .unwrap()
            .serve_at("/org/freedesktop/Notifications", Notifications(told))
            .unwrap()
            .name("org.kde.StatusNotifierWatcher")
            .unwrap()
            .name("org.freedesktop.Notifications")
            .unwrap()
            .build()
            .await
            .unwrap();
        Desktop {
            address,
            bus,
            connection,
            tray,
            notifications,
        }
    }

    /// Waits until the tray icon says this.
    pub async fn tray_says(&mut self, words: &str) {
        let said = async {
            let item = self
                .tray
                .wait_for(Option::is_some)
                .await
                .unwrap()
                .clone()
                .unwrap();
            let changes = MatchRule::builder()
                .msg_type(Type::Signal)
                .path(ITEM_PATH)
                .unwrap()
                .build();
            let mut changes = MessageStream::for_match_rule(changes, &self.connection, None)
                .await
                .unwrap();
            loop {
                let asked = ("org.kde.StatusNotifierItem", "Title");
                let properties = Some("org.freedesktop.DBus.Properties");
                let answer = self
                    .connection
                    .call_method(Some(item.as_str()), ITEM_PATH, properties, "Get", &asked)
                    .await
                    .unwrap();
                let title: zbus::zvariant::OwnedValue = answer.body().deserialize().unwrap();
                let title = String::try_from(title).unwrap();
                if title == words {
                    return;
                }
                changes
                    .next()
                    .await
                    .unwrap_or_else(|| panic!("{ITEM} is gone"))
                    .unwrap();
            }
        };
        timeout(PATIENCE, said)
            .await
            .unwrap_or_else(|_| panic!("the tray never said {words:?}"));
    }

    /// What was told, once it was told at least once.
    pub async fn notifications(&mut self) -> Vec<String> {
        let told = self.notifications.wait_for(|told| !told.is_empty());
        timeout(PATIENCE, told).await.unwrap().unwrap().clone()
    }

    /// What was told so far.
    pub fn told(&self) -> usize {
        self.notifications.borrow().len()
    }

    pub async fn stop(mut self) {
        drop(self.connection);
        self.bus.kill().await.unwrap();
    }
}
