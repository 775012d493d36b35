//! Buying by itself: how it stands, its kill switch, and the form that starts it.
use autopilot_proto::control::v1::BuyModeReply;
use iced::widget::{Column, column, row};

use super::{super::frame, Message, NetworkRequests, Scene, form};
use crate::{
    design::{Element, Tone, badge, caption, card, danger, flow, heading, line, space, stat},
    words::time,
};

impl NetworkRequests {
    pub(super) fn mode<'a>(&'a self, scene: &Scene<'a>) -> Column<'a, Message> {
        let standing: Element<'a, Message> = match &self.mode {
            None => caption("Asking how it stands …").into(),
            Some(Err(trouble)) => frame::broken(trouble),
            Some(Ok(mode)) => standing(scene, mode),
        };
        let form = (!self.is_buying()).then(|| self.form(scene, &form::MODE));
        column![card(standing)].push(form)
    }
}

fn standing<'a>(scene: &Scene<'a>, mode: &'a BuyModeReply) -> Element<'a, Message> {
    let show = |msat| scene.amounts.show(msat);
    let tone = if mode.state == "running" { Tone::Good } else { Tone::Quiet };
    let title = row![heading("Buy mode"), badge(mode.state.as_str(), tone)].spacing(space::S);
    if mode.state == "never" {
        return column![title, caption("It never ran here. It spends a budget by itself, request by request.")]
            .spacing(space::S)
            .into();
    }
    let running = mode.state == "running";
    let figures = flow(vec![
        stat("Spent", show(mode.spent_msat), Tone::Accent),
        stat("Set aside", show(mode.reserved_msat), Tone::Plain),
        stat("Left", show(mode.left_msat), Tone::Plain),
        stat("Requests", mode.purchases.to_string(), Tone::Plain),
        stat("Paid", mode.paid.to_string(), Tone::Plain),
    ]);
    let next = mode.next_at_ms.map(|at_ms| line("Next request", time(at_ms, scene.now_ms, scene.zone)));
    let reason = (!mode.reason.is_empty()).then(|| line("Why it ended", mode.reason.as_str()));
    let open = (!mode.open.is_empty()).then(|| line("Not paid yet", mode.open.len().to_string()));
    column![
        title,
        figures,
        line("Budget", show(mode.budget_msat)),
        line("One answer, at most", show(mode.per_job_msat)),
        line("Ends", time(mode.ends_at_ms, scene.now_ms, scene.zone)),
    ]
    .push(next)
    .push(open)
    .push(reason)
    .push(running.then(|| danger("Stop buying", Some(Message::Stop))))
    .spacing(space::S)
    .into()
}
