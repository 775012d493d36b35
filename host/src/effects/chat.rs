//! Has the model answer a person's message, with as much of the conversation before it as fits.
use autopilot_core::{
    Input,
    input::{Outcome, Replied},
    ports::model::{
        self, GenerateRequest, Generation, Message, Model, ModelError, ModelErrorCode, Role, Sampling,
        ServerFault,
    },
};
use autopilot_events::{
    Event,
    pb::{self, FailureClass},
    words::{JobId, MessageId},
};
use autopilot_projections::chat::Waiting;

use super::{
    NotYet, happened,
    work::{failed, made_ready, receipt, refusal},
};
use crate::{crash, outside::Outside, serving::Serving};

/// How long an answer may take, in milliseconds.
const ANSWER_BOUND_MS: u64 = 10 * 60 * 1_000;
/// Tries at a message whose worker or server dies of it, in one run of the host.
const MAX_TRIES: u32 = 3;
/// Earlier messages with their answers that the model is given at most: a request takes 64 turns.
const MAX_EARLIER: usize = 31;
/// A token of a context stands for at least about so many bytes of a text; what does not fit after all is cut again.
const BYTES_OF_A_TOKEN: usize = 3;
/// A context whose length is not told, in tokens.
const USUAL_CONTEXT: u32 = 2_048;

/// A message with its answer.
type Turn = (String, String);

/// What is given to the model.
struct Talk {
    /// Earlier messages that were answered, the oldest first.
    earlier: Vec<Turn>,
    question: String,
    /// Place of the question in its conversation, from 1.
    number: u64,
}

impl Talk {
    fn left_out(&self) -> u32 {
        let before = self.number.saturating_sub(1);
        u32::try_from(before.saturating_sub(self.earlier.len() as u64)).unwrap_or(u32::MAX)
    }

    fn messages(&self) -> Vec<Message> {
        let said = |role, content: &String| Message {
            role,
            content: content.clone(),
        };
        let earlier = self.earlier.iter();
        earlier
            .flat_map(|(question, answer)| [said(Role::User, question), said(Role::Assistant, answer)])
            .chain([said(Role::User, &self.question)])
            .collect()
    }
}

pub(super) async fn answer(outside: &Outside, message: MessageId) -> Result<(), NotYet> {
    let waits = outside
        .ledger
        .look(move |engine| {
            let state = engine.state();
            let most = state.provider.policy().max_output_tokens;
            let waiting = state.chat.waits(&message);
            waiting.map(|(sequence, waiting)| (sequence, waiting.clone(), most))
        })
        .await?;
    let Some((sequence, waiting, most_tokens)) = waits else {
        return Ok(());
    };
    let Some(model) = &outside.model else {
        return Err(NotYet::because("no model is configured"));
    };
    let described = made_ready(outside, model).await.map_err(NotYet::because)?;
    let context = match described.n_ctx {
        0 => USUAL_CONTEXT,
        tokens => tokens,
    };
    let max_tokens = most_tokens.clamp(1, (context / 2).max(1));
    let room_bytes = (context - max_tokens.min(context)) as usize * BYTES_OF_A_TOKEN;
    let (outcome, left_out) = match read(outside, sequence, &waiting, room_bytes).await? {
        Ok(mut talk) => {
            let outcome = generate(outside, model, &waiting, &mut talk, max_tokens).await?;
            (outcome, talk.left_out())
        }
        Err(detail) => (
            Err(failed(FailureClass::Execution, "text-lost", detail, false)),
            0,
        ),
    };
    happened("answer");
    let (outcome, text) = match outcome {
        Ok(generation) => (
            Outcome::Done {
                receipt: Box::new(receipt(&generation.receipt)),
                output: pb::BodyRef::default(),
            },
            Some(generation.text),
        ),
        Err(outcome) => (outcome, None),
    };
    let body = text
        .as_ref()
        .map(|text| (waiting.thread.subject(), text.as_bytes()));
    let replied = Replied {
        message,
        outcome,
        left_out,
    };
    outside.ledger.submit(Input::Replied(replied), body).await?;
    Ok(())
}

/// The message, and before it what was said and fits. Walks back from message to message; `Err` says why there is nothing
/// to answer.
async fn read(
    outside: &Outside,
    sequence: u64,
    waiting: &Waiting,
    room_bytes: usize,
) -> Result<Result<Talk, String>, NotYet> {
    let Some(question) = text(outside, &waiting.text).await? else {
        return Ok(Err(outside.lost(&waiting.text.subject).await));
    };
    let (mut number, mut previous) = (1, 0);
    if let Some((asked, _)) = asked_at(outside, sequence).await? {
        (number, previous) = (asked.number, asked.previous);
    }
    let mut left = room_bytes.saturating_sub(question.len());
    let mut earlier: Vec<Turn> = Vec::new();
    while previous > 0 && earlier.len() < MAX_EARLIER {
        let Some((asked, answered)) = asked_at(outside, previous).await? else {
            break;
        };
        previous = asked.previous;
        let Some((reference, output)) = asked.text.zip(answered.and_then(|answered| answered.output)) else {
            continue;
        };
        if (reference.size + output.size) as usize > left {
            break;
        }
        if let (Some(said), Some(answer)) = (text(outside, &reference).await?, text(outside, &output).await?)
        {
            left = left.saturating_sub(said.len() + answer.len());
            earlier.push((said, answer));
        }
    }
    earlier.reverse();
    Ok(Ok(Talk {
        earlier,
        question,
        number,
    }))
}

async fn text(outside: &Outside, reference: &pb::BodyRef) -> Result<Option<String>, NotYet> {
    let bytes = outside.ledger.text(reference).await.map_err(NotYet::because)?;
    Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
}

/// The message that a fact asks, and its answer, if there is one.
async fn asked_at(
    outside: &Outside,
    sequence: u64,
) -> Result<Option<(pb::ChatAsked, Option<pb::ChatAnswered>)>, NotYet> {
    let found = crate::talk::asked_at(outside.ledger.reader(), sequence).await;
    let found = found.map_err(NotYet::because)?;
    Ok(
        found.map(|(asked, _, outcome)| match outcome.map(|fact| fact.event) {
            Some(Event::ChatAnswered(answered)) => (asked, Some(answered)),
            _ => (asked, None),
        }),
    )
}

/// Runs the model; where the conversation is too long for it after all, without the oldest of it.
async fn generate(
    outside: &Outside,
    model: &Serving,
    waiting: &Waiting,
    talk: &mut Talk,
    max_tokens: u32,
) -> Result<Result<Generation, Outcome>, NotYet> {
    let mut tries = 0;
    loop {
        let (tokens, name) = (outside.tokens.clone(), waiting.message.to_string());
        // An empty piece: whoever watches begins anew. Nobody may be watching.
        let _ = tokens.send((name.clone(), String::new()));
        let request = GenerateRequest {
            job: JobId(waiting.message.0),
            input: model::Input::Chat(talk.messages()),
            max_tokens,
            sampling: Sampling {
                seed: waiting
                    .message
                    .0
                    .first_chunk()
                    .map_or(0, |bytes| u32::from_le_bytes(*bytes)),
                ..Sampling::default()
            },
            stop: Vec::new(),
            deadline_ms: Some(ANSWER_BOUND_MS),
        };
        let generated = model
            .generate(request, move |piece| {
                crash::point("effect.during", "answer");
                let _ = tokens.send((name.clone(), piece.to_owned()));
            })
            .await;
        let error = match generated {
            Ok(generation) => return Ok(Ok(generation)),
            Err(error) => error,
        };
        match meaning(&error) {
            Meaning::TooLong if !talk.earlier.is_empty() => {
                talk.earlier.remove(0);
            }
            Meaning::NotReady => return Err(NotYet::because(error)),
            Meaning::Died if tries + 1 < MAX_TRIES => tries += 1,
            Meaning::Died => {
                let Outcome::Failed {
                    class, code, detail, ..
                } = refusal(&error)
                else {
                    return Err(NotYet::because(error));
                };
                return Ok(Err(Outcome::Failed {
                    class,
                    code,
                    detail,
                    again: false,
                }));
            }
            Meaning::TooLong | Meaning::Failed => return Ok(Err(refusal(&error))),
        }
    }
}

/// What a model's failure means for a message.
enum Meaning {
    /// The conversation does not fit.
    TooLong,
    /// There is no model now: the message waits.
    NotReady,
    /// It may have died of the message, or by chance.
    Died,
    /// There will be no answer.
    Failed,
}

fn meaning(error: &ModelError) -> Meaning {
    match error.code() {
        ModelErrorCode::PromptTooLong | ModelErrorCode::Server(ServerFault::ContextTooLong) => {
            Meaning::TooLong
        }
        ModelErrorCode::WorkerCrashed
        | ModelErrorCode::WorkerHung
        | ModelErrorCode::OutOfMemory
        | ModelErrorCode::Server(ServerFault::Silent | ServerFault::Failed) => Meaning::Died,
        ModelErrorCode::ModelMissing
        | ModelErrorCode::ModelUnreadable
        | ModelErrorCode::ModelDigestMismatch
        | ModelErrorCode::ModelTooLarge
        | ModelErrorCode::Busy
        | ModelErrorCode::WorkerMissing
        | ModelErrorCode::WorkerUnavailable
        | ModelErrorCode::Server(
            ServerFault::Unreachable
            | ServerFault::Unauthorised
            | ServerFault::ModelMissing
            | ServerFault::Overloaded,
        ) => Meaning::NotReady,
        ModelErrorCode::RequestInvalid
        | ModelErrorCode::Cancelled
        | ModelErrorCode::DeadlineExceeded
        | ModelErrorCode::Internal
        | ModelErrorCode::Server(ServerFault::Malformed | ServerFault::OutputTooLarge) => Meaning::Failed,
    }
}
