//! The pieces that screens are put together from.
use iced::{
    Alignment, Length, Theme,
    widget::{Column, Row, Space, Text, button, column, container, row, scrollable, text, text_input},
};

use super::{Element, Sheet, Tone, fonts, reachable, size, space, theme};

/// Plain text.
pub fn body<'a>(words: impl text::IntoFragment<'a>) -> Text<'a> {
    text(words).size(size::BODY)
}

/// Text of a tone.
pub fn toned<'a>(words: impl text::IntoFragment<'a>, tone: Tone) -> Text<'a> {
    body(words).style(move |theme: &Theme| text::Style {
        color: Some(tone.colour(theme)),
    })
}

/// A label, a time, an aside.
pub fn caption<'a>(words: impl text::IntoFragment<'a>) -> Text<'a> {
    toned(words, Tone::Quiet).size(size::CAPTION)
}

/// Text of a row in a list, which has room for one line.
pub fn flat<'a>(words: impl text::IntoFragment<'a>, tone: Tone) -> Text<'a> {
    toned(words, tone).wrapping(text::Wrapping::None)
}

/// The title of a pane or a group.
pub fn heading<'a>(words: impl text::IntoFragment<'a>) -> Text<'a> {
    text(words).size(size::HEADING).font(fonts::BOLD)
}

/// A figure among others.
pub fn figure<'a>(words: impl text::IntoFragment<'a>, tone: Tone) -> Text<'a> {
    toned(words, tone).size(size::FIGURE).font(fonts::BOLD)
}

/// The figure of a screen.
pub fn hero<'a>(words: impl text::IntoFragment<'a>, tone: Tone) -> Text<'a> {
    figure(words, tone).size(size::HERO)
}

/// Ids, invoices, log lines.
pub fn mono<'a>(words: impl text::IntoFragment<'a>) -> Text<'a> {
    body(words).font(fonts::MONO).size(size::CAPTION)
}

/// A short word in a box of its tone.
pub fn badge<'a, M: 'a>(words: impl text::IntoFragment<'a>, tone: Tone) -> Element<'a, M> {
    container(text(words).size(size::CAPTION).font(fonts::BOLD))
        .padding([space::XS / 2.0, space::S])
        .style(theme::badge(tone))
        .into()
}

/// A figure under its name.
pub fn stat<'a, M: 'a>(name: &'a str, value: impl text::IntoFragment<'a>, tone: Tone) -> Element<'a, M> {
    column![caption(name), figure(value, tone)]
        .spacing(space::XS / 2.0)
        .into()
}

/// A name and its value on one line.
pub fn line<'a, M: 'a>(
    name: impl text::IntoFragment<'a>,
    value: impl text::IntoFragment<'a>,
) -> Element<'a, M> {
    let pair = row![
        caption(name).width(Length::FillPortion(2)),
        // Ids have no spaces to wrap at.
        body(value)
            .width(Length::FillPortion(3))
            .wrapping(text::Wrapping::WordOrGlyph)
    ]
    .spacing(space::S)
    .align_y(Alignment::Center);
    // In a wide pane the eye would lose the line between the two.
    container(pair).max_width(size::LINE).into()
}

/// The one thing to do; dead without a message.
pub fn action<'a, M: Clone + 'a>(label: &'a str, message: Option<M>) -> Element<'a, M> {
    let live = message.is_some();
    let button = button(text(label).size(size::BODY).font(fonts::BOLD))
        .padding([space::S, space::L])
        .style(theme::primary)
        .on_press_maybe(message);
    reachable(button, live)
}

/// Something that can be done; dead without a message.
pub fn choice<'a, M: Clone + 'a>(label: impl text::IntoFragment<'a>, message: Option<M>) -> Element<'a, M> {
    let live = message.is_some();
    let button = button(text(label).size(size::BODY))
        .padding([space::XS, space::M])
        .style(theme::quiet)
        .on_press_maybe(message);
    reachable(button, live)
}

/// One of several that can be chosen.
pub fn chip<'a, M: Clone + 'a>(
    label: impl text::IntoFragment<'a>,
    chosen: bool,
    message: M,
) -> Element<'a, M> {
    let button = button(
        text(label)
            .size(size::CAPTION)
            .font(if chosen { fonts::BOLD } else { fonts::BODY }),
    );
    let button = button.padding([space::XS, space::S]);
    reachable(button.style(theme::row(chosen)).on_press(message), true)
}

/// A row of a list that can be chosen.
pub fn entry<'a, M: Clone + 'a>(
    content: impl Into<Element<'a, M>>,
    chosen: bool,
    message: M,
) -> Element<'a, M> {
    let button = button(content).padding([space::XS, space::S]).width(Length::Fill);
    reachable(button.style(theme::row(chosen)).on_press(message), true)
}

/// Something that can't be undone.
pub fn danger<'a, M: Clone + 'a>(label: &'a str, message: Option<M>) -> Element<'a, M> {
    let live = message.is_some();
    let button = button(text(label).size(size::BODY).font(fonts::BOLD))
        .padding([space::S, space::L])
        .style(theme::dangerous)
        .on_press_maybe(message);
    reachable(button, live)
}

/// A field under its name, with what is wrong in it or what it means.
pub fn field<'a, M: Clone + 'a>(
    name: &'a str,
    value: &str,
    hint: &'a str,
    wrong: Option<&'a str>,
    on_input: impl Fn(String) -> M + 'a,
) -> Column<'a, M> {
    let input = text_input(hint, value)
        .id(iced::widget::Id::from(name.to_owned()))
        .size(size::BODY)
        .padding(space::S)
        .style(theme::field(wrong.is_some()))
        .on_input(on_input);
    let below = wrong.map(|words| toned(words, Tone::Bad).size(size::CAPTION));
    column![caption(name), input].push(below).spacing(space::XS)
}

/// The colour of a series of a chart.
pub fn swatch<'a, M: 'a>(series: usize) -> Element<'a, M> {
    container(Space::new().width(size::CAPTION).height(size::CAPTION))
        .style(theme::swatch(series))
        .into()
}

/// A group of things in a box.
pub fn card<'a, M: 'a>(content: impl Into<Element<'a, M>>) -> Element<'a, M> {
    container(content)
        .padding(space::M)
        .width(Length::Fill)
        .style(theme::card)
        .into()
}

/// Lines of a pane, which scroll where there is no room.
pub fn page<'a, M: 'a>(lines: Column<'a, M>) -> Element<'a, M> {
    let lines = lines.spacing(space::M).padding(space::M).width(Length::Fill);
    scrollable(Sheet::new(lines))
        .height(Length::Fill)
        .width(Length::Fill)
        .into()
}

/// Pieces side by side that wrap where there is no room.
pub fn flow<'a, M: 'a>(pieces: Vec<Element<'a, M>>) -> Element<'a, M> {
    Row::from_vec(pieces)
        .spacing(space::M)
        .align_y(Alignment::Center)
        .wrap()
        .into()
}

/// Pushes what follows to the other side.
pub fn fill() -> Space {
    Space::new().width(Length::Fill)
}
