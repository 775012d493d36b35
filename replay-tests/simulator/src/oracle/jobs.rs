//! What facts of jobs have to mean.
use autopilot_events::{
    Event, pb,
    words::{EventId, JobId, PaymentHash},
};

use super::{ATTEMPTS, JobSeen, Oracle, Wrong, wrong};
use crate::wallet::Wallet;

impl Oracle {
    pub(super) fn of_job(&mut self, event: &Event, wallet: &Wallet) -> Result<(), Wrong> {
        if let Event::JobReceived(m) = event {
            let native = EventId::of(&m.native_id);
            match self.requests.get(&native) {
                None => return wrong("nobody signed this request".to_owned()),
                Some(asked) if asked.bid_msat != m.bid_msat => {
                    return wrong(format!(
                        "its buyer bid {:?}, not {:?}",
                        asked.bid_msat, m.bid_msat
                    ));
                }
                Some(_) => {}
            }
            if self
                .jobs
                .insert(
                    JobId::of(&m.job_id),
                    JobSeen {
                        native,
                        ..JobSeen::default()
                    },
                )
                .is_some()
            {
                return wrong("it was received before".to_owned());
            }
            return Ok(());
        }
        let id = match event {
            Event::JobAccepted(m) => &m.job_id,
            Event::JobRefused(m) => &m.job_id,
            Event::JobStarted(m) => &m.job_id,
            Event::JobExecuted(m) => &m.job_id,
            Event::JobFailed(m) => &m.job_id,
            Event::JobDelivered(m) => &m.job_id,
            Event::InvoiceIssued(m) => &m.job_id,
            Event::InvoiceExpired(m) => &m.job_id,
            Event::JobPrepaid(m) => &m.job_id,
            Event::JobSettled(m) => &m.job_id,
            Event::JobRefunded(m) => &m.job_id,
            _ => return Ok(()),
        };
        let Some(job) = self.jobs.get_mut(&JobId::of(id)) else {
            return wrong("of a job that was never received".to_owned());
        };
        let arrived = |hash: &[u8], msat: u64| {
            let key = format!("wallet/received/{}", hex::encode(hash));
            wallet.moves.get(&key) == Some(&i128::from(msat))
        };
        let bound = |job: &JobSeen, hash: &[u8]| job.invoice.is_some_and(|invoice| invoice.0 == *hash);
        match event {
            Event::JobAccepted(_) if self.requests.get(&job.native).is_some_and(|asked| asked.own) => {
                return wrong("our own request is taken".to_owned());
            }
            Event::JobAccepted(m) => {
                job.price_msat = m.price_msat;
                job.pay_first = m.order() == pb::PaymentOrder::PayFirst;
            }
            Event::JobRefused(_) => job.refused = true,
            Event::JobStarted(m) if job.executed || job.refused || job.failed => {
                return wrong(format!("attempt {} at a job that is over", m.attempt));
            }
            Event::JobStarted(m) if job.pay_first && job.prepaid_msat.is_none() => {
                return wrong(format!(
                    "attempt {} before the payment that it waits for",
                    m.attempt
                ));
            }
            Event::JobStarted(m) if m.attempt > ATTEMPTS => return wrong(format!("attempt {}", m.attempt)),
            Event::JobStarted(m) if m.attempt == job.attempts + 1 => job.attempts = m.attempt,
            Event::JobStarted(m) => return wrong(format!("attempt {} after {}", m.attempt, job.attempts)),
            Event::JobExecuted(_) if job.executed || job.failed || job.refused => {
                return wrong("worked a second time, or when it was over".to_owned());
            }
            Event::JobExecuted(_) => job.executed = true,
            Event::JobFailed(m) if m.code == "cancelled" => {
                let taken_back = self
                    .requests
                    .get(&job.native)
                    .is_some_and(|asked| asked.taken_back);
                if !taken_back || job.prepaid_msat.is_some() || job.executed {
                    return wrong("it can't be taken back, or its buyer never did".to_owned());
                }
                job.failed = true;
            }
            Event::JobFailed(_) => job.failed = true,
            Event::InvoiceExpired(_) => job.expired = true,
            Event::JobDelivered(_) if job.delivered => return wrong("delivered a second time".to_owned()),
            Event::JobDelivered(m) if !self.taken.contains(&EventId::of(&m.event_id)) => {
                return wrong("delivered, and no relay has it".to_owned());
            }
            Event::JobDelivered(_) if !job.executed => return wrong("delivered without a result".to_owned()),
            Event::JobDelivered(_) => job.delivered = true,
            Event::InvoiceIssued(m) => {
                if job.invoice.is_some() {
                    return wrong("a second invoice".to_owned());
                }
                if m.amount_msat != job.price_msat {
                    return wrong(format!(
                        "it asks for {}, {} was agreed",
                        m.amount_msat, job.price_msat
                    ));
                }
                job.invoice = Some(PaymentHash::of(&m.payment_hash));
            }
            Event::JobPrepaid(m) => {
                if job.prepaid_msat.is_some()
                    || job.settled
                    || !bound(job, &m.payment_hash)
                    || !arrived(&m.payment_hash, m.amount_msat)
                {
                    return wrong(
                        "no payment of its invoice stands behind it, or it was paid before".to_owned(),
                    );
                }
                job.prepaid_msat = Some(m.amount_msat);
            }
            Event::JobSettled(m) => {
                if job.settled || !bound(job, &m.payment_hash) || !arrived(&m.payment_hash, m.amount_msat) {
                    return wrong(
                        "no payment of its invoice stands behind it, or it was settled before".to_owned(),
                    );
                }
                if m.prepaid != job.prepaid_msat.is_some() {
                    return wrong(format!(
                        "prepaid is {}, and it was prepaid: {:?}",
                        m.prepaid, job.prepaid_msat
                    ));
                }
                if !job.executed || (job.pay_first && !job.delivered) {
                    return wrong("earned without work".to_owned());
                }
                job.settled = true;
                self.earned_msat += m.amount_msat;
            }
            Event::JobRefunded(m) => {
                if job.refunded || job.prepaid_msat != Some(m.amount_msat) || job.settled {
                    return wrong(format!(
                        "{} msat paid back of {:?}",
                        m.amount_msat, job.prepaid_msat
                    ));
                }
                job.refunded = true;
            }
            _ => {}
        }
        Ok(())
    }
}
