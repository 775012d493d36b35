//! What was said in one conversation, newest first, page by page.
use autopilot_events::{Event, Recorded, pb as facts, texts::body_ref, words::Digest};
use autopilot_proto::control::v1::{self as pb};
use tonic::Status;

use super::{super::Service, page, standing::Standing};
use crate::{
    control::{errors, views::basis},
    talk::asked_at,
};

impl Service {
    pub(in crate::control) async fn answer_chat_transcript(
        &self,
        request: pb::ChatTranscriptRequest,
    ) -> Result<pb::ChatTranscriptReply, Status> {
        let id = self.thread_named(&request.thread_id).await?;
        let standing = self.chat_standing().await?;
        let (basis, newest) = self
            .look(move |engine| {
                let thread = engine.state().chat.thread(&id);
                (
                    basis(engine, "ledger"),
                    thread.map_or(0, |thread| thread.last_asked),
                )
            })
            .await?;
        let reader = self.outside.ledger.reader();
        let mut at = match request.before_sequence {
            0 => newest,
            before => match asked_at(reader, before).await.map_err(errors::read)? {
                Some((asked, ..)) if asked.thread_id == id.0 => asked.previous,
                _ => return Err(errors::invalid(format!("fact {before} is no message of it"))),
            },
        };
        let mut messages = Vec::new();
        while at > 0 && messages.len() < page(request.limit) {
            let Some((asked, fact, outcome)) = asked_at(reader, at).await.map_err(errors::read)? else {
                break;
            };
            at = asked.previous;
            messages.push(self.message(asked, &fact, outcome, &standing).await?);
        }
        let last = messages
            .last()
            .map_or(0, |message: &pb::ChatMessage| message.sequence);
        Ok(pb::ChatTranscriptReply {
            basis: Some(basis),
            thread_id: id.to_string(),
            messages,
            next_before_sequence: if at > 0 { last } else { 0 },
        })
    }

    async fn message(
        &self,
        asked: facts::ChatAsked,
        fact: &Recorded,
        outcome: Option<Recorded>,
        standing: &Standing,
    ) -> Result<pb::ChatMessage, Status> {
        let mut line = pb::ChatMessage {
            message_id: hex::encode(&asked.message_id),
            sequence: fact.fact.sequence,
            asked_at_ms: fact.fact.recorded_at_ms,
            number: asked.number,
            ..pb::ChatMessage::default()
        };
        let read = |event: &Event| {
            let reference = body_ref(event).cloned();
            async move {
                let Some(reference) = reference else {
                    return Ok::<_, Status>(None);
                };
                let text = self.outside.ledger.text(&reference).await;
                text.map_err(errors::read)
            }
        };
        let text = read(&fact.event).await?;
        line.text_lost = text.is_none();
        line.text = said(text.unwrap_or_default());
        let Some(ended) = outcome else {
            let (state, words) = standing.state_at(line.sequence);
            (line.state, line.words) = (state.to_owned(), words);
            return Ok(line);
        };
        line.outcome_sequence = ended.fact.sequence;
        line.ended_at_ms = ended.fact.recorded_at_ms;
        match &ended.event {
            Event::ChatAnswered(answered) => {
                let answer = read(&ended.event).await?;
                line.state = "done".to_owned();
                line.text_lost |= answer.is_none();
                line.answer_digest = answer
                    .as_ref()
                    .map(|answer| Digest::of_content(answer).to_string())
                    .unwrap_or_default();
                line.answer = said(answer.unwrap_or_default());
                line.left_out = answered.left_out;
                let receipt = answered.receipt.clone().unwrap_or_default();
                line.model = receipt.model;
                line.prompt_tokens = receipt.prompt_tokens;
                line.output_tokens = receipt.output_tokens;
                line.finish = receipt.finish;
            }
            Event::ChatFailed(failed) => {
                line.state = "error".to_owned();
                (line.code, line.words) = (failed.code.clone(), failed.detail.clone());
            }
            _ => line.state = "stopped".to_owned(),
        }
        Ok(line)
    }
}

/// What was sealed away as text is text.
fn said(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}
