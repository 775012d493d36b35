use autopilot_app::panes::{
    Wish,
    earnings_scoreboard::{EarningsScoreboard, Message},
};
use autopilot_proto::control::v1::{
    DaySum, EarningsChartReply, EarningsReply, ModelSum, watch_update::Answer,
};

use crate::stage::{NOW_MS, Stage, trouble};

const DAY_MS: i64 = 86_400_000;

fn chart() -> EarningsChartReply {
    let sum = |model: &str, earned_msat| ModelSum {
        model: model.into(),
        earned_msat,
        jobs: 2,
    };
    let day = |start_ms, models: Vec<ModelSum>| DaySum {
        start_ms,
        earned_msat: models.iter().map(|sum| sum.earned_msat).sum(),
        jobs: 2,
        models,
    };
    EarningsChartReply {
        days: vec![
            day(NOW_MS - DAY_MS, vec![sum("small", 7_000)]),
            day(NOW_MS, vec![sum("small", 4_000), sum("large", 30_000)]),
        ],
        models: vec![sum("large", 30_000), sum("small", 11_000)],
        ..EarningsChartReply::default()
    }
}

fn earning() -> Stage<EarningsScoreboard> {
    let mut stage = Stage::<EarningsScoreboard>::new();
    let reply = EarningsReply {
        earned_msat: 41_000,
        jobs_settled: 4,
        jobs_accepted: 5,
        today_msat: 34_000,
        ..EarningsReply::default()
    };
    stage.tell("earnings", Answer::Earnings(reply));
    stage
}

#[test]
fn it_loads_breaks_is_empty_or_counts() {
    let mut stage = Stage::<EarningsScoreboard>::new();
    stage.shows(&["Loading"]);
    stage.break_view("earnings");
    stage.shows(&["the ledger can't be read now"]);
    stage.tell("earnings", Answer::Earnings(EarningsReply::default()));
    stage.shows(&["Nothing was earned yet"]);
    earning().shows(&["41 sats", "34 sats", "Adding up"]);
}

#[test]
fn the_chart_is_written_beside_its_bars() {
    let mut stage = earning();
    stage.update(Message::Chart(30, Err(trouble())));
    stage.shows(&["the ledger can't be read now", "41 sats"]);
    stage.update(Message::Chart(30, Ok(EarningsChartReply::default())));
    stage.shows(&["Nothing was earned in these days."]);
    stage.update(Message::Chart(30, Ok(chart())));
    stage.shows(&[
        "All these days",
        "30 sats from 2 jobs",
        "11 sats from 2 jobs",
        "Thu 2026-11-19",
    ]);
    stage.choose("Earnings: the day before");
    stage.shows(&["Fri 2026-11-20", "34 sats from 2 jobs"]);
    stage.click("Day before");
    stage.shows(&["7 sats from 2 jobs"]);
    stage.hides(&["30 sats from 2 jobs"]);
    stage.choose("Earnings: 7 days");
    stage.update(Message::Chart(30, Ok(chart())));
    stage.shows(&["Adding up"]);
}

#[test]
fn the_export_is_a_command_that_is_shown() {
    let mut stage = earning();
    stage.shows(&["autopilotctl export --format csv --output earnings.csv"]);
    let copied = stage.click("Copy the export command");
    assert!(
        matches!(&copied[..], [Wish::Copy(command, "Command")] if command.starts_with("autopilotctl export"))
    );
}
