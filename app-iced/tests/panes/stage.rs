//! A pane on a stage: given views, clicked, and read.
use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use autopilot_app::{
    design::{Element, fonts},
    face::{Face, News, Views},
    panes::{Action, Scene, Screen, Wish},
    words::Amounts,
};
use autopilot_proto::control::v1::{Trouble, WatchUpdate, watch_update::Answer};
use iced::{Settings, Size};
use iced_test::{Simulator, selector::Candidate};
use jiff::tz::TimeZone;

/// A quarter past noon on 2026-11-20, UTC.
pub const NOW_MS: i64 = 1_795_176_900_000;

/// What a pane is given, and the pane.
pub struct Stage<S> {
    pub screen: S,
    pub amounts: Amounts,
    views: Views,
    face: Face,
    home: PathBuf,
    zone: TimeZone,
}

impl<S: Screen> Stage<S> {
    /// The pane before anything was heard.
    pub fn new() -> Stage<S> {
        Stage {
            screen: S::default(),
            amounts: Amounts::default(),
            views: Views::default(),
            face: Face::new("/nowhere/control.sock"),
            home: PathBuf::from("/nowhere"),
            zone: TimeZone::UTC,
        }
    }

    fn scene<'a>(
        views: &'a Views,
        face: &'a Face,
        home: &'a PathBuf,
        amounts: &'a Amounts,
        zone: &'a TimeZone,
    ) -> Scene<'a> {
        Scene {
            views,
            face,
            home,
            key: None,
            amounts,
            now_ms: NOW_MS,
            zone,
        }
    }

    /// The host tells a view; the pane hears of it.
    pub fn tell(&mut self, view: &str, answer: Answer) -> &mut Self {
        self.views.take(News::Updates(vec![WatchUpdate {
            revision: 1,
            view: view.to_owned(),
            answer: Some(answer),
        }]));
        let scene = Self::scene(&self.views, &self.face, &self.home, &self.amounts, &self.zone);
        drop(self.screen.news(&scene));
        self
    }

    /// A view can't be answered now.
    pub fn break_view(&mut self, view: &str) -> &mut Self {
        self.tell(view, Answer::Trouble(trouble()))
    }

    /// Something happens in the pane; what it asks of its parent.
    pub fn update(&mut self, message: S::Message) -> Vec<Wish> {
        let scene = Self::scene(&self.views, &self.face, &self.home, &self.amounts, &self.zone);
        let action: Action<S::Message> = self.screen.update(message, &scene);
        action.wishes
    }

    /// Does something with the pane and what it is given.
    pub fn act(&mut self, act: impl FnOnce(&mut S, &Scene<'_>)) {
        let scene = Self::scene(&self.views, &self.face, &self.home, &self.amounts, &self.zone);
        act(&mut self.screen, &scene);
    }

    /// Clicks what has this text; what comes of it.
    pub fn click(&mut self, words: &str) -> Vec<Wish> {
        let scene = Self::scene(&self.views, &self.face, &self.home, &self.amounts, &self.zone);
        let mut simulator = simulate(self.screen.view(&scene));
        if simulator.click(words).is_err() {
            drop(simulator);
            panic!("there is no {words:?} to click in\n{}", self.read().join("\n"));
        }
        let messages: Vec<_> = simulator.into_messages().collect();
        assert!(!messages.is_empty(), "{words:?} does nothing");
        messages
            .into_iter()
            .flat_map(|message| self.update(message))
            .collect()
    }

    /// Everything that can be read, in order.
    pub fn read(&self) -> Vec<String> {
        let scene = Self::scene(&self.views, &self.face, &self.home, &self.amounts, &self.zone);
        texts(self.screen.view(&scene))
    }

    /// Whether all of these words can be read.
    pub fn shows(&self, words: &[&str]) {
        let texts = self.read();
        for words in words {
            let found = texts.iter().any(|text| text.contains(words));
            assert!(found, "{words:?} is not among\n{}", texts.join("\n"));
        }
    }

    /// Whether none of these words can be read.
    pub fn hides(&self, words: &[&str]) {
        let texts = self.read();
        for words in words {
            let found = texts.iter().any(|text| text.contains(words));
            assert!(!found, "{words:?} is among\n{}", texts.join("\n"));
        }
    }

    /// Labels of what the keyboard can do in it.
    pub fn actions(&self) -> Vec<String> {
        let scene = Self::scene(&self.views, &self.face, &self.home, &self.amounts, &self.zone);
        self.screen
            .actions(&scene)
            .into_iter()
            .map(|(label, _)| label)
            .collect()
    }

    /// Does what the keyboard can do, by its label.
    pub fn choose(&mut self, label: &str) -> Vec<Wish> {
        let scene = Self::scene(&self.views, &self.face, &self.home, &self.amounts, &self.zone);
        let mut actions = self.screen.actions(&scene).into_iter();
        let found = actions.find(|(words, _)| words == label);
        let Some((_, message)) = found else {
            panic!("there is no {label:?} among\n{}", self.actions().join("\n"));
        };
        self.update(message)
    }
}

/// Something that a host says when it can't answer.
pub fn trouble() -> Trouble {
    Trouble {
        code: "store".to_owned(),
        sentence: "the ledger can't be read now".to_owned(),
        next: "look at the disk".to_owned(),
    }
}

fn simulate<M: Clone + 'static>(element: Element<'_, M>) -> Simulator<'_, M> {
    let settings = Settings {
        fonts: fonts::files(),
        default_font: fonts::BODY,
        ..Settings::default()
    };
    Simulator::with_size(settings, Size::new(1_000.0, 2_400.0), element)
}

fn texts<M: Clone + 'static>(element: Element<'_, M>) -> Vec<String> {
    let found = Arc::new(Mutex::new(Vec::new()));
    let kept = found.clone();
    let collect = move |candidate: Candidate<'_>| -> Option<()> {
        match candidate {
            Candidate::Text { content, .. } => kept.lock().unwrap().push(content.to_owned()),
            Candidate::TextInput { state, .. } => kept.lock().unwrap().push(state.text().to_owned()),
            _ => {}
        }
        None
    };
    let mut simulator = simulate(element);
    // Nothing is selected: every candidate is seen.
    let _ = simulator.find(collect);
    drop(simulator);
    std::mem::take(&mut *found.lock().unwrap())
}
