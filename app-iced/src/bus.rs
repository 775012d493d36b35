//! The desktop around the window: a tray icon that says how things stand, and notifications for sats that arrived. Both go
//! over D-Bus; a desktop without it loses nothing but them.
use iced::{
    Task,
    futures::{SinkExt, channel::mpsc},
    stream,
};
use ksni::{MenuItem, ToolTip, TrayMethods, menu::StandardItem};
use notify_rust::Notification;

/// Clicks in the tray that wait to be taken.
const CLICKS: usize = 8;

/// What the tray tells.
#[derive(Clone, Debug)]
pub enum Event {
    /// It is there.
    Up(Tray),
    /// The window is to come to the front.
    Show,
    /// Go online, or offline.
    Toggle,
    /// The program is to end.
    Quit,
}

/// The tray icon. Cheap to clone.
#[derive(Clone)]
pub struct Tray(ksni::Handle<Icon>);

impl std::fmt::Debug for Tray {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tray")
    }
}

impl Tray {
    /// Says how things stand.
    pub fn say<M: Send + 'static>(&self, state: String, online: bool) -> Task<M> {
        let handle = self.0.clone();
        let said = async move {
            handle
                .update(|icon| {
                    icon.state = state;
                    icon.online = online;
                })
                .await;
        };
        Task::future(said).discard()
    }
}

struct Icon {
    state: String,
    online: bool,
    clicks: mpsc::Sender<Event>,
}

impl Icon {
    fn click(&mut self, event: Event) {
        // Clicks beyond those that wait are the same clicks again.
        let _ = self.clicks.try_send(event);
    }
}

impl ksni::Tray for Icon {
    fn id(&self) -> String {
        "autopilot".to_owned()
    }

    fn title(&self) -> String {
        format!("Autopilot: {}", self.state)
    }

    fn icon_name(&self) -> String {
        "dev.autopilot.Autopilot".to_owned()
    }

    fn tool_tip(&self) -> ToolTip {
        ToolTip {
            title: self.title(),
            ..ToolTip::default()
        }
    }

    fn activate(&mut self, _: i32, _: i32) {
        self.click(Event::Show);
    }

    fn menu(&self) -> Vec<MenuItem<Self>> {
        let item = |label: &str, event: Event| -> MenuItem<Self> {
            StandardItem {
                label: label.to_owned(),
                activate: Box::new(move |icon: &mut Icon| icon.click(event.clone())),
                ..StandardItem::default()
            }
            .into()
        };
        let toggle = if self.online { "Go offline" } else { "Go online" };
        vec![
            StandardItem {
                label: self.title(),
                enabled: false,
                ..StandardItem::default()
            }
            .into(),
            item("Show the window", Event::Show),
            item(toggle, Event::Toggle),
            item("Quit", Event::Quit),
        ]
    }
}

/// Puts the icon into the tray, where there is one.
pub fn tray() -> Task<Event> {
    Task::stream(stream::channel(CLICKS, async move |mut told| {
        let (clicks, mut clicked) = mpsc::channel(CLICKS);
        let icon = Icon {
            state: "starting".to_owned(),
            online: false,
            clicks,
        };
        let handle = match icon.spawn().await {
            Ok(handle) => handle,
            Err(error) => {
                tracing::debug!(%error, "this desktop has no tray");
                return;
            }
        };
        let _ = told.send(Event::Up(Tray(handle))).await;
        while let Some(event) = iced::futures::StreamExt::next(&mut clicked).await {
            if told.send(event).await.is_err() {
                return;
            }
        }
    }))
}

/// Tells something on the desktop.
pub fn notify<M: Send + 'static>(summary: String, body: String) -> Task<M> {
    let told = async move {
        let mut notification = Notification::new();
        notification.appname("Autopilot").summary(&summary).body(&body);
        if let Err(error) = notification.show_async().await {
            tracing::debug!(%error, "this desktop takes no notifications");
        }
    };
    Task::future(told).discard()
}
