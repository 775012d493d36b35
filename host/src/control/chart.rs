//! The earnings chart: sums by day and by model, over a year at most. The facts are folded once and then followed.
use std::collections::BTreeMap;

use autopilot_events::{Event, Head};
use autopilot_projections::chart::{Chart, Late, Sum};
use autopilot_proto::control::v1::{self as pb};
use autopilot_store_sqlite::{ReadError, Reader};
use tonic::Status;

use super::{Service, errors, views::basis};

/// Days of one chart at most: a leap year.
const DAYS_MAX: usize = 366;

/// A chart, and how far it is folded.
pub(crate) struct Drawn {
    chart: Chart,
    head: Head,
}

impl Default for Drawn {
    fn default() -> Drawn {
        Drawn {
            chart: Chart::default(),
            head: Head::empty(),
        }
    }
}

impl Service {
    pub(super) async fn answer_earnings_chart(
        &self,
        request: pb::EarningsChartRequest,
    ) -> Result<pb::EarningsChartReply, Status> {
        let bounds = request.day_bounds_ms;
        if !(2..=DAYS_MAX + 1).contains(&bounds.len()) || !bounds.is_sorted_by(|a, b| a < b) {
            return Err(errors::invalid(
                "a chart takes the beginnings of 1 to 366 days and the end of the last one, ascending",
            ));
        }
        // One at a time: the first one reads the whole ledger, the others wait for it and read what is new.
        let mut drawn = self.chart.lock().await;
        if let Err(error) = follow(self.outside.ledger.reader(), &mut drawn).await {
            *drawn = Drawn::default();
            return Err(errors::read(error));
        }
        if bounds
            .first()
            .is_some_and(|from| *from < drawn.chart.kept_from_ms())
        {
            return Err(errors::invalid(
                "a chart reaches 366 days back from the last settlement: `autopilotctl report` sums any window",
            ));
        }
        let basis = self.look(|engine| basis(engine, "wallet")).await?;
        Ok(reply(&drawn, &bounds, basis))
    }
}

/// Folds what is new.
pub(super) async fn follow(reader: &Reader, drawn: &mut Drawn) -> Result<(), ReadError> {
    let Drawn { chart, head } = drawn;
    let end = reader
        .replay(&head.clone(), &mut |_| {}, |fact| chart.apply(fact))
        .await?;
    for late in chart.take_late() {
        let receipt = receipt(reader, &late).await?;
        chart.settle_late(&late, receipt.as_ref());
    }
    *head = end;
    Ok(())
}

/// How the work of a late settlement came about, out of the facts that the settlement binds.
async fn receipt(reader: &Reader, late: &Late) -> Result<Option<autopilot_events::pb::Receipt>, ReadError> {
    for sequence in &late.evidence {
        for fact in reader.facts(sequence.saturating_sub(1), 1).await? {
            if let Event::JobExecuted(m) = fact.event {
                return Ok(m.receipt);
            }
        }
    }
    Ok(None)
}

pub(super) fn reply(drawn: &Drawn, bounds: &[i64], basis: pb::Basis) -> pb::EarningsChartReply {
    let mut models: BTreeMap<&str, Sum> = BTreeMap::new();
    let mut days = Vec::new();
    for day in bounds.windows(2) {
        let sums = drawn.chart.between(day[0], day[1]);
        let mut all = Sum::default();
        for (model, sum) in &sums {
            models.entry(model).or_default().add(*sum);
            all.add(*sum);
        }
        days.push(pb::DaySum {
            start_ms: day[0],
            earned_msat: all.msat,
            jobs: all.jobs,
            models: lines(sums),
        });
    }
    let mut models = lines(models);
    models.sort_by_key(|line| std::cmp::Reverse(line.earned_msat));
    pb::EarningsChartReply {
        basis: Some(basis),
        days,
        models,
    }
}

fn lines(sums: BTreeMap<&str, Sum>) -> Vec<pb::ModelSum> {
    let line = |(model, sum): (&str, Sum)| pb::ModelSum {
        model: model.to_owned(),
        earned_msat: sum.msat,
        jobs: sum.jobs,
    };
    sums.into_iter().map(line).collect()
}
