//! What was said in one conversation: a page of it, and how far each message is.
use autopilot_proto::control::v1::{ChatMessage, ChatTranscriptReply, ChatTranscriptRequest};
use iced::{
    Alignment, Length, Task,
    widget::{Column, column, row, scrollable},
};

use super::{Message, Scene, beginning, frame, is_open, threads::tone};
use crate::{
    design::{Element, Sheet, Tone, badge, body, caption, card, choice, space, toned},
    face::Answer,
    words::time,
};

/// Messages on a page.
const PAGE: u32 = 20;

/// A conversation that is looked at.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) thread_id: String,
    /// Before which fact each page began that leads to the one in sight; none: it is the newest.
    pages: Vec<u64>,
    page: Option<Answer<ChatTranscriptReply>>,
}

impl Talk {
    pub(super) fn new(thread_id: String) -> Talk {
        Talk {
            thread_id,
            pages: Vec::new(),
            page: None,
        }
    }

    fn before(&self) -> u64 {
        self.pages.last().copied().unwrap_or(0)
    }

    /// The page in sight, from the host.
    pub(super) fn ask(&self, scene: &Scene<'_>) -> Task<Message> {
        let (thread_id, before) = (self.thread_id.clone(), self.before());
        let request = ChatTranscriptRequest {
            thread_id: thread_id.clone(),
            limit: PAGE,
            before_sequence: before,
        };
        let asked = scene.face.ask(move |mut host| async move { host.chat_transcript(request).await });
        asked.map(move |answer| Message::Said(thread_id.clone(), before, answer))
    }

    /// A page came; one that is not looked at any more is dropped, and trouble does not hide what was said.
    pub(super) fn answered(&mut self, before: u64, answer: Answer<ChatTranscriptReply>) {
        let known = matches!(&self.page, Some(Ok(_)));
        if before == self.before() && (answer.is_ok() || !known) {
            self.page = Some(answer);
        }
    }

    pub(super) fn earlier(&mut self) {
        if let Some(Ok(page)) = &self.page
            && page.next_before_sequence > 0
        {
            self.pages.push(page.next_before_sequence);
            self.page = None;
        }
    }

    pub(super) fn later(&mut self) {
        if self.pages.pop().is_some() {
            self.page = None;
        }
    }

    fn messages(&self) -> impl Iterator<Item = &ChatMessage> {
        self.page.iter().flatten().flat_map(|page| &page.messages)
    }

    fn has_earlier(&self) -> bool {
        matches!(&self.page, Some(Ok(page)) if page.next_before_sequence > 0)
    }

    pub(super) fn actions(&self) -> Vec<(String, Message)> {
        let mut actions = Vec::new();
        for message in self.messages() {
            let words = beginning(&message.text, &message.message_id);
            if is_open(message) {
                actions.push((format!("stop: {words}"), Message::Stop(message.message_id.clone())));
            }
            if !message.answer.is_empty() {
                let copied = Message::Copy(message.answer.clone(), "Answer");
                actions.push((format!("copy the answer to: {words}"), copied));
            }
        }
        if self.has_earlier() {
            actions.push(("earlier messages".to_owned(), Message::Earlier));
        }
        if !self.pages.is_empty() {
            actions.push(("later messages".to_owned(), Message::Later));
        }
        actions
    }

    pub(super) fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        let page = match &self.page {
            None => return frame::loading(),
            Some(Err(trouble)) => return frame::broken(trouble),
            Some(Ok(page)) => page,
        };
        let earlier = self
            .has_earlier()
            .then(|| choice("Earlier messages", Some(Message::Earlier)));
        let later = (!self.pages.is_empty()).then(|| choice("Later messages", Some(Message::Later)));
        let said = page.messages.iter().rev().map(|message| one(scene, message));
        let lines = Column::new().push(earlier).extend(said).push(later);
        // The newest stands at the end, beside the line to write in.
        let lines = lines.spacing(space::M).padding(space::S).width(Length::Fill);
        scrollable(Sheet::new(lines))
            .anchor_bottom()
            .height(Length::Fill)
            .width(Length::Fill)
            .into()
    }
}

/// A message and what became of it.
fn one<'a>(scene: &Scene<'a>, message: &'a ChatMessage) -> Element<'a, Message> {
    let title = row![
        caption("You"),
        caption(time(message.asked_at_ms, scene.now_ms, scene.zone)),
        badge(message.state.as_str(), tone(&message.state)),
    ]
    .push((!message.words.is_empty() && is_open(message)).then(|| caption(message.words.as_str())))
    .push(is_open(message).then(|| choice("Stop", Some(Message::Stop(message.message_id.clone())))))
    .spacing(space::S)
    .align_y(Alignment::Center)
    .wrap();
    let asked: Element<'a, Message> = match message.text.is_empty() {
        true => caption("Its text is forgotten or damaged.").into(),
        false => body(message.text.as_str()).into(),
    };
    card(column![title, asked].push(became(scene, message)).spacing(space::S))
}

/// The answer as far as it is there, or what there is instead.
fn became<'a>(scene: &Scene<'a>, message: &'a ChatMessage) -> Option<Element<'a, Message>> {
    Some(match message.state.as_str() {
        "running" | "queued" => {
            let pieces = scene.views.tokens.get(&message.message_id)?;
            toned(pieces.as_str(), Tone::Quiet).into()
        }
        "done" => done(message),
        "error" => column![
            toned(message.words.as_str(), Tone::Bad),
            caption(format!("{}, fact {}", message.code, message.outcome_sequence)),
        ]
        .spacing(space::XS)
        .into(),
        _ => caption(format!("Stopped before its answer, fact {}", message.outcome_sequence)).into(),
    })
}

fn done(message: &ChatMessage) -> Element<'_, Message> {
    let answer: Element<'_, Message> = match message.answer.is_empty() {
        true if message.text_lost => caption("Its answer is forgotten or damaged.").into(),
        true => caption("The model ended without a word.").into(),
        false => body(message.answer.as_str()).into(),
    };
    let cut = if message.finish == "length" { ", cut at the longest answer" } else { "" };
    let left_out = match message.left_out {
        0 => String::new(),
        1 => ", without 1 earlier message".to_owned(),
        some => format!(", without {some} earlier messages"),
    };
    let made = format!(
        "{}: {} tokens{cut}{left_out}, fact {}",
        message.model, message.output_tokens, message.outcome_sequence
    );
    let copy = (!message.answer.is_empty()).then(|| {
        let copied = Message::Copy(message.answer.clone(), "Answer");
        choice("Copy the answer", Some(copied))
    });
    let below = row![caption(made)].push(copy).spacing(space::S).align_y(Alignment::Center).wrap();
    column![answer, below].spacing(space::S).into()
}
