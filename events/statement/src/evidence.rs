//! The facts that a settlement binds by their leaves: each is there, in order, and about the same job.
use autopilot_events::{Event, pb, tree, words::JobId};
use prost::Message;

use crate::{Settlement, Why};

/// What the bound facts say.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    pub(crate) received: Option<pb::JobReceived>,
    pub(crate) executed: Option<pb::JobExecuted>,
    pub(crate) invoiced: Option<pb::InvoiceIssued>,
    pub(crate) result: Option<pb::EventSigned>,
}

/// Reads a fact as it is stored.
pub(crate) fn fact(bytes: &[u8]) -> Result<(pb::Fact, Event), Why> {
    let fact = pb::Fact::decode(bytes).map_err(|_| Why::Fact("it can't be decoded"))?;
    let event = Event::decode(&fact.r#type, fact.version, &fact.payload)
        .map_err(|_| Why::Fact("its payload can't be decoded"))?;
    Ok((fact, event))
}

impl Evidence {
    pub(crate) fn of(settlement: &Settlement, settled: &pb::JobSettled) -> Result<Evidence, Why> {
        if settlement.evidence.len() != settled.evidence.len() {
            return Err(Why::Evidence("not as many facts as it binds"));
        }
        let mut found = Evidence::default();
        for (bytes, link) in settlement.evidence.iter().zip(&settled.evidence) {
            if tree::leaf(&bytes.0).0[..] != link.leaf[..] {
                return Err(Why::Evidence("a fact is not the one that was bound"));
            }
            let (fact, event) = fact(&bytes.0).map_err(|_| Why::Evidence("a fact can't be decoded"))?;
            if fact.sequence != link.sequence {
                return Err(Why::Evidence("a fact has another number"));
            }
            if found.take(event)? != JobId::of(&settled.job_id) {
                return Err(Why::Evidence("a fact is about another job"));
            }
        }
        Ok(found)
    }

    /// Files a fact away and answers its job.
    fn take(&mut self, event: Event) -> Result<JobId, Why> {
        let id = match event {
            Event::JobReceived(m) => place(&mut self.received, m)?.job_id.clone(),
            Event::JobExecuted(m) => place(&mut self.executed, m)?.job_id.clone(),
            Event::InvoiceIssued(m) => place(&mut self.invoiced, m)?.job_id.clone(),
            Event::EventSigned(m) if m.purpose == pb::Purpose::Result as i32 => {
                place(&mut self.result, m)?.job_id.clone()
            }
            _ => return Err(Why::Evidence("a fact of a type that is no evidence")),
        };
        Ok(JobId::of(&id))
    }
}

fn place<T>(place: &mut Option<T>, message: T) -> Result<&T, Why> {
    match place {
        Some(_) => Err(Why::Evidence("two facts of one type")),
        none => Ok(none.insert(message)),
    }
}
