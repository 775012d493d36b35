//! Demand that was counted and not claimed: on a line.
use autopilot_proto::control::v1::DemandLine;
use iced::{Alignment, widget::row};

use super::Scene;
use crate::design::{Element, Tone, badge, body, caption, space};

/// What was asked for of one kind, and what was bid for it.
pub fn line<'a, M: 'a>(scene: &Scene<'a>, demand: &'a DemandLine) -> Element<'a, M> {
    let bids = (demand.bids > 0).then(|| {
        let (all, highest) = (
            scene.amounts.show(demand.bids_msat),
            scene.amounts.show(demand.highest_bid_msat),
        );
        caption(format!("{} bids, {all} in all, {highest} at most", demand.bids))
    });
    let targeted =
        (demand.targeted > 0).then(|| caption(format!("{} of them meant for you", demand.targeted)));
    let elsewhere = (demand.elsewhere > 0).then(|| caption(format!("{} for others", demand.elsewhere)));
    row![
        badge(format!("kind {}", demand.kind), Tone::Quiet),
        body(format!("{} requests", demand.jobs)),
    ]
    .push(targeted)
    .push(elsewhere)
    .push(bids)
    .spacing(space::S)
    .align_y(Alignment::Center)
    .wrap()
    .into()
}
