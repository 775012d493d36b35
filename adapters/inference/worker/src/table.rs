//! All generations at work: each has a sequence of its own in one context, and their tokens are computed together.
//!
//! A step computes at most one part of one prompt, in turn, and then the next token of everybody who has got that far.
//! A prompt is computed alone and always cut at the same places, so that what others do changes nothing about it.
use autopilot_proto::inference::v1::{FinishReason, generate_event::Event};
use llama_cpp_2::llama_batch::LlamaBatch;

use crate::{
    engine::Model,
    failure::Failure,
    fault::Fault,
    generate::{Job, add, decode},
    seat::Seat,
};

/// A generation that came to its end.
pub type Ended = (Box<Job>, Result<Vec<Event>, Failure>);

/// The seats, one for each sequence.
pub struct Table {
    seats: Vec<Option<Seat>>,
    /// The seat whose prompt is next.
    turn: usize,
    fault: Fault,
}

impl Table {
    pub fn new(seats: u32, fault: Fault) -> Table {
        Table {
            seats: (0..seats.max(1)).map(|_| None).collect(),
            turn: 0,
            fault,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.seats.iter().all(Option::is_none)
    }

    /// Gives the job a seat, or gives it back with what is wrong.
    pub fn take(&mut self, model: &Model<'_, '_>, job: Box<Job>, load_ms: u64) -> Option<Ended> {
        let Some(free) = self.seats.iter_mut().find(|seat| seat.is_none()) else {
            return Some((job, Err(Failure::Busy)));
        };
        match Seat::take(model, job, load_ms) {
            Ok(seat) => *free = Some(seat),
            Err((job, failure)) => return Some((job, Err(failure))),
        }
        None
    }

    /// Computes a little of everybody's work, and returns who came to an end.
    pub fn step(&mut self, model: &mut Model<'_, '_>) -> Vec<Ended> {
        let mut ended = Vec::new();
        for at in 0..self.seats.len() {
            if let Some(reason) = self.seats[at].as_ref().and_then(Seat::asked_to_end) {
                ended.extend(self.leave(model, at, Ok(reason)));
            }
        }
        ended.extend(self.prompt_step(model));
        ended.extend(self.token_step(model));
        ended
    }

    /// The next part of one prompt.
    fn prompt_step(&mut self, model: &mut Model<'_, '_>) -> Option<Ended> {
        let n_batch = model.info.n_batch as usize;
        let seats = self.seats.len();
        let waits = |at: &usize| {
            self.seats[*at]
                .as_ref()
                .is_some_and(|seat| seat.next_chunk(1).is_some())
        };
        let at = (self.turn..self.turn + seats).map(|at| at % seats).find(waits)?;
        self.turn = (at + 1) % seats;
        let seat = self.seats[at].as_mut()?;
        let (begin, chunk) = seat.next_chunk(n_batch)?;
        let tokens = chunk.len();
        let mut batch = LlamaBatch::new(n_batch, 1);
        let last = begin + tokens - 1;
        let filled = chunk
            .iter()
            .zip(begin..)
            .try_for_each(|(token, position)| add(&mut batch, *token, position, at, position == last));
        if let Err(failure) = filled.and_then(|()| decode(model.context, &mut batch)) {
            return self.leave(model, at, Err(failure));
        }
        match seat.chunk_done(tokens) {
            true => self.sample(model, at, batch.n_tokens() - 1),
            false => None,
        }
    }

    /// One token of everybody whose prompt is done.
    fn token_step(&mut self, model: &mut Model<'_, '_>) -> Vec<Ended> {
        let wants = |(at, seat): (usize, &Option<Seat>)| Some((at, seat.as_ref()?.next_token()?));
        let wanted: Vec<_> = self.seats.iter().enumerate().filter_map(wants).collect();
        if wanted.is_empty() {
            return Vec::new();
        }
        for (at, _) in &wanted {
            self.seats[*at]
                .iter_mut()
                .for_each(|seat| seat.joins(wanted.len()));
        }
        let mut batch = LlamaBatch::new(wanted.len(), 1);
        let filled = wanted
            .iter()
            .try_for_each(|(at, (position, token))| add(&mut batch, *token, *position, *at, true));
        if let Err(failure) = filled.and_then(|()| decode(model.context, &mut batch)) {
            // Whose token it was can't be told: all of them end, each with the reason.
            let leave = |(at, _)| self.leave(model, at, Err(failure.clone()));
            return wanted.into_iter().filter_map(leave).collect();
        }
        let mut ended = Vec::new();
        for (index, (at, _)) in (0..).zip(wanted) {
            ended.extend(self.sample(model, at, index));
        }
        ended
    }

    fn sample(&mut self, model: &mut Model<'_, '_>, at: usize, index: i32) -> Option<Ended> {
        let seat = self.seats[at].as_mut()?;
        let reason = seat.sample(model, index);
        self.fault.strike(seat.sampled());
        self.leave(model, at, Ok(reason?))
    }

    /// Frees a seat and its part of the cache.
    fn leave(
        &mut self,
        model: &mut Model<'_, '_>,
        at: usize,
        outcome: Result<FinishReason, Failure>,
    ) -> Option<Ended> {
        let seat = self.seats[at].take()?;
        let sequence = u32::try_from(at).ok();
        let cleared = model.context.clear_kv_cache_seq(sequence, None, None);
        let outcome = match cleared {
            Ok(true) => outcome,
            _ => Err(Failure::Internal(
                "the cache of a sequence can't be cleared".into(),
            )),
        };
        Some(match outcome {
            Ok(reason) => {
                let (job, events) = seat.finish(model, reason);
                (job, Ok(events))
            }
            Err(failure) => (seat.job, Err(failure)),
        })
    }
}
