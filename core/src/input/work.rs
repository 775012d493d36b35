//! What came of work: of fetching a job's inputs, of an attempt at it, and of a message to the model.
use autopilot_events::{
    pb,
    words::{JobId, MessageId},
};

/// What became of the inputs of a job that lie elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedInputs {
    /// The job.
    pub job: JobId,
    /// All of them; or why one will never do, in words.
    pub outcome: Result<pb::JobInputsResolved, String>,
    /// Their text, for the content policy. Never a fact: the events are sealed away.
    pub text: String,
}

/// The model's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Worked {
    /// The job.
    pub job: JobId,
    /// Which attempt.
    pub attempt: u32,
    /// What came of it.
    pub outcome: Outcome,
}

/// What the model made of a message to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Replied {
    /// The message.
    pub message: MessageId,
    /// What came of it; one that may succeed later leaves the message waiting.
    pub outcome: Outcome,
    /// Earlier messages of the conversation that the model was not given.
    pub left_out: u32,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// An output with its receipt.
    Done {
        /// How it came about.
        receipt: Box<pb::Receipt>,
        /// The output, sealed away.
        output: pb::BodyRef,
    },
    /// None.
    Failed {
        /// Which kind of failure.
        class: pb::FailureClass,
        /// Closed code.
        code: String,
        /// For a person.
        detail: String,
        /// Another attempt may succeed.
        again: bool,
    },
}
