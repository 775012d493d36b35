//! What stands where there is nothing to show yet, nothing at all, or something broken.
use autopilot_host::desk::Pane;
use autopilot_proto::control::v1::Trouble;
use iced::{
    Length,
    widget::{center, column},
};

use super::Scene;
use crate::{
    design::{Element, Tone, caption, choice, heading, space, toned},
    face::Shown,
};

/// The content of a view, or why there is none. A view that had an answer keeps showing it under its trouble.
pub fn shown<'a, T, M: 'a>(
    view: &'a Shown<T>,
    content: impl FnOnce(&'a T) -> Element<'a, M>,
) -> Element<'a, M> {
    match (&view.value, &view.trouble) {
        (Some(value), None) => content(value),
        (Some(value), Some(trouble)) => column![unreadable(trouble), content(value)]
            .spacing(space::M)
            .into(),
        (None, Some(trouble)) => center(unreadable(trouble)).into(),
        (None, None) => loading(),
    }
}

/// It is coming.
pub fn loading<'a, M: 'a>() -> Element<'a, M> {
    center(caption("Loading …")).into()
}

/// There is nothing, and what to do about it.
pub fn empty<'a, M: 'a>(what: &'a str, next: &'a str) -> Element<'a, M> {
    let lines = column![heading(what), caption(next)]
        .spacing(space::S)
        .max_width(460.0);
    center(lines).height(Length::Fill).padding(space::L).into()
}

/// What the host says of a pane that has no view of its own; these words where it says nothing.
pub fn told<'a, M: 'a>(scene: &Scene<'a>, pane: Pane, what: &'a str, next: &'a str) -> Element<'a, M> {
    let Some(panes) = &scene.views.panes.value else {
        return loading();
    };
    match panes.panes.iter().find(|line| line.id == pane.id()) {
        Some(line) if line.state == "error" => {
            let lines = column![
                toned(line.sentence.as_str(), Tone::Bad),
                caption(line.next.as_str())
            ];
            center(lines.spacing(space::XS)).into()
        }
        Some(line) if !line.sentence.is_empty() => match line.next.as_str() {
            "" => empty(&line.sentence, next),
            next => empty(&line.sentence, next),
        },
        _ => empty(what, next),
    }
}

/// The same, and the way to another pane.
pub fn signpost<'a, M: Clone + 'a>(told: Element<'a, M>, label: &'a str, way: M) -> Element<'a, M> {
    column![told, choice(label, Some(way))]
        .spacing(space::S)
        .padding(space::M)
        .into()
}

/// What a pane shows can't be read now; that says nothing of earning, which has its place above every pane.
pub fn unreadable<'a, M: 'a>(trouble: &'a Trouble) -> Element<'a, M> {
    column![
        broken(trouble),
        caption("The bar above says whether earning is possible now.")
    ]
    .spacing(space::XS)
    .into()
}

/// Something broke: what, and what can be done.
pub fn broken<'a, M: 'a>(trouble: &'a Trouble) -> Element<'a, M> {
    column![toned(trouble.sentence.as_str(), Tone::Bad)]
        .push((!trouble.next.is_empty()).then(|| caption(trouble.next.as_str())))
        .spacing(space::XS)
        .into()
}
