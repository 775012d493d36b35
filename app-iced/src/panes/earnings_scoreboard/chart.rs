//! Earnings over days and models: the host's sums, drawn, and written beside it.
use autopilot_proto::control::v1::{DaySum, EarningsChartReply, ModelSum};
use iced::{
    Alignment,
    widget::{column, row},
};

use super::{super::frame, Message, Scene};
use crate::{
    design::{Element, Tone, body, caption, card, chart, chip, choice, flow, heading, line, space, swatch, toned},
    face::Answer,
    words::{date, one_line, short},
};

/// Spans that can be chosen, in days.
pub(super) const SPANS: [(u16, &str); 4] = [(7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "A year")];
/// Series with a colour of their own; the others share the last one.
const SERIES: usize = 5;

/// The chart as it is looked at.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) days: u16,
    pub(super) answer: Option<Answer<EarningsChartReply>>,
    /// The day that is looked at; none: all of them.
    pub(super) day: Option<usize>,
}

impl Default for Chart {
    fn default() -> Self {
        Chart {
            days: 30,
            answer: None,
            day: None,
        }
    }
}

impl Chart {
    /// Days of the answer.
    fn known(&self) -> &[DaySum] {
        match &self.answer {
            Some(Ok(reply)) => &reply.days,
            _ => &[],
        }
    }

    /// Looks at the day before or after; the first step looks at the newest one.
    pub(super) fn step(&mut self, later: bool) {
        let last = self.known().len().checked_sub(1);
        self.day = match (self.day, last) {
            (_, None) => None,
            (None, Some(last)) => Some(last),
            (Some(day), Some(last)) if later => Some((day + 1).min(last)),
            (Some(day), Some(_)) => Some(day.saturating_sub(1)),
        };
    }

    pub(super) fn actions(&self) -> Vec<(String, Message)> {
        let named = |words: &str| format!("Earnings: {words}");
        let spans = SPANS.into_iter().filter(|(days, _)| *days != self.days);
        let mut actions: Vec<_> = spans.map(|(days, label)| (named(label), Message::Span(days))).collect();
        actions.push((named("the day before"), Message::Step(false)));
        actions.push((named("the day after"), Message::Step(true)));
        actions.push((named("all days"), Message::Day(None)));
        actions
    }

    pub(super) fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        let spans = SPANS
            .into_iter()
            .map(|(days, label)| chip(label, days == self.days, Message::Span(days)));
        let content: Element<'a, Message> = match &self.answer {
            None => caption("Adding up …").into(),
            Some(Err(trouble)) => frame::broken(trouble),
            Some(Ok(reply)) if reply.models.is_empty() => caption("Nothing was earned in these days.").into(),
            Some(Ok(reply)) => self.drawn(scene, reply),
        };
        card(column![heading("Earned by day and model"), flow(spans.collect()), content].spacing(space::S))
    }

    fn drawn<'a>(&'a self, scene: &Scene<'a>, reply: &'a EarningsChartReply) -> Element<'a, Message> {
        let bars = reply.days.iter().map(|day| parts(day, &reply.models)).collect();
        let drawn = chart::bars(bars, self.day, |day| Message::Day(Some(day)));
        let looked = self.day.and_then(|day| reply.days.get(day));
        let (title, models) = match looked {
            Some(day) => (date(day.start_ms, scene.zone), &day.models),
            None => ("All these days".to_owned(), &reply.models),
        };
        let sum = looked.map(|day| {
            let words = format!("{} from {} jobs", scene.amounts.show(day.earned_msat), day.jobs);
            toned(words, Tone::Good)
        });
        let steps = row![
            choice("Day before", Some(Message::Step(false))),
            choice("Day after", Some(Message::Step(true))),
            choice("All days", self.day.map(|_| Message::Day(None))),
        ]
        .spacing(space::S);
        let model = |sum: &'a ModelSum| {
            let series = reply.models.iter().position(|model| model.model == sum.model);
            let words = format!("{} from {} jobs", scene.amounts.show(sum.earned_msat), sum.jobs);
            row![swatch(series_of(series)), line(name(&sum.model), words)]
                .spacing(space::S)
                .align_y(Alignment::Center)
                .into()
        };
        let ends = reply.days.first().zip(reply.days.last()).map(|(first, last)| {
            row![
                caption(date(first.start_ms, scene.zone)),
                crate::design::fill(),
                caption(date(last.start_ms, scene.zone)),
            ]
        });
        column![drawn]
            .push(ends)
            .push(steps)
            .push(body(title))
            .push(sum)
            .extend(models.iter().map(model))
            .spacing(space::XS)
            .into()
    }
}

/// A model as people know it; a digest is cut.
fn name(model: &str) -> String {
    match model {
        "" => "model not recorded".to_owned(),
        digest if digest.len() == 64 && digest.chars().all(|c| c.is_ascii_hexdigit()) => short(digest),
        name => one_line(name),
    }
}

fn series_of(place: Option<usize>) -> usize {
    place.unwrap_or(SERIES).min(SERIES)
}

fn parts(day: &DaySum, models: &[ModelSum]) -> Vec<chart::Part> {
    let mut parts: Vec<_> = day
        .models
        .iter()
        .map(|sum| (series_of(models.iter().position(|model| model.model == sum.model)), sum.earned_msat))
        .collect();
    parts.sort_unstable();
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(model: &str, earned_msat: u64) -> ModelSum {
        ModelSum {
            model: model.to_owned(),
            earned_msat,
            jobs: 1,
        }
    }

    #[test]
    fn a_models_parts_keep_their_series_on_every_day() {
        let models = [sum("b", 9), sum("a", 3)];
        let day = DaySum {
            models: vec![sum("a", 2), sum("b", 1)],
            ..DaySum::default()
        };
        assert_eq!(parts(&day, &models), [(0, 1), (1, 2)]);
    }

    #[test]
    fn days_are_stepped_through_and_not_beyond() {
        let mut chart = Chart::default();
        chart.step(true);
        assert_eq!(chart.day, None);
        let days = vec![DaySum::default(), DaySum::default()];
        chart.answer = Some(Ok(EarningsChartReply {
            days,
            ..EarningsChartReply::default()
        }));
        chart.step(false);
        assert_eq!(chart.day, Some(1), "the newest");
        chart.step(true);
        assert_eq!(chart.day, Some(1));
        chart.step(false);
        chart.step(false);
        assert_eq!(chart.day, Some(0));
    }
}
