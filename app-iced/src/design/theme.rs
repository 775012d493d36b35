//! Colours by meaning, light and dark.
use iced::{
    Background, Border, Color, Theme,
    theme::Palette,
    widget::{button, container, text_editor, text_input},
};

use super::size;

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Light on dark.
    #[default]
    Dark,
    /// Dark on light.
    Light,
}

impl Mode {
    /// The other one.
    pub fn other(self) -> Mode {
        match self {
            Mode::Dark => Mode::Light,
            Mode::Light => Mode::Dark,
        }
    }

    /// Its colours.
    pub fn theme(self) -> Theme {
        let (name, palette) = match self {
            Mode::Dark => (
                "Autopilot dark",
                Palette {
                    background: Color::from_rgb8(0x0d, 0x11, 0x17),
                    text: Color::from_rgb8(0xe6, 0xed, 0xf3),
                    primary: Color::from_rgb8(0xf7, 0x93, 0x1a),
                    success: Color::from_rgb8(0x3f, 0xd1, 0x7c),
                    warning: Color::from_rgb8(0xf2, 0xc1, 0x4e),
                    danger: Color::from_rgb8(0xff, 0x6b, 0x6b),
                },
            ),
            Mode::Light => (
                "Autopilot light",
                Palette {
                    background: Color::from_rgb8(0xfa, 0xfa, 0xf7),
                    text: Color::from_rgb8(0x1b, 0x1f, 0x24),
                    primary: Color::from_rgb8(0xc2, 0x63, 0x00),
                    success: Color::from_rgb8(0x13, 0x7a, 0x43),
                    warning: Color::from_rgb8(0x8a, 0x62, 0x00),
                    danger: Color::from_rgb8(0xb4, 0x23, 0x18),
                },
            ),
        };
        Theme::custom(name, palette)
    }
}

/// What a colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Rests on a recent good outcome.
    Good,
    /// Needs a look.
    Attention,
    /// Is broken.
    Bad,
    /// Is only there.
    Quiet,
    /// Is the point of the screen.
    Accent,
    /// Plain text.
    Plain,
}

impl Tone {
    /// Its colour.
    pub fn colour(self, theme: &Theme) -> Color {
        let palette = theme.palette();
        match self {
            Tone::Good => palette.success,
            Tone::Attention => palette.warning,
            Tone::Bad => palette.danger,
            Tone::Quiet => mix(palette.text, palette.background, 0.42),
            Tone::Accent => palette.primary,
            Tone::Plain => palette.text,
        }
    }
}

/// `share` of `other` in `one`.
pub fn mix(one: Color, other: Color, share: f32) -> Color {
    let between = |a: f32, b: f32| a + (b - a) * share;
    Color {
        r: between(one.r, other.r),
        g: between(one.g, other.g),
        b: between(one.b, other.b),
        a: one.a,
    }
}

/// A surface that is `level` steps above the ground.
pub fn surface(theme: &Theme, level: u8) -> Color {
    let palette = theme.palette();
    mix(palette.background, palette.text, 0.035 * f32::from(level))
}

/// The colour of a series of a chart: steps from the accent to the ground.
pub fn series(theme: &Theme, series: usize) -> Color {
    let palette = theme.palette();
    match series {
        0 => palette.primary,
        1 => mix(palette.primary, palette.text, 0.5),
        2 => mix(palette.primary, palette.background, 0.45),
        3 => palette.text,
        4 => mix(palette.text, palette.background, 0.4),
        _ => mix(palette.text, palette.background, 0.7),
    }
}

/// A box of a series' colour.
pub fn swatch(of: usize) -> impl Fn(&Theme) -> container::Style {
    move |theme| container::Style {
        background: Some(Background::Color(series(theme, of))),
        ..container::Style::default()
    }
}

fn edge(theme: &Theme) -> Border {
    Border {
        color: surface(theme, 4),
        width: 1.0,
        radius: size::ROUND.into(),
    }
}

/// A card.
pub fn card(theme: &Theme) -> container::Style {
    container::Style {
        background: Some(Background::Color(surface(theme, 1))),
        border: edge(theme),
        ..container::Style::default()
    }
}

/// The card that the keyboard acts on.
pub fn card_in_front(theme: &Theme) -> container::Style {
    let style = card(theme);
    container::Style {
        border: style
            .border
            .color(mix(theme.palette().primary, theme.palette().background, 0.3)),
        ..style
    }
}

/// A bar along an edge of the window.
pub fn bar(theme: &Theme) -> container::Style {
    container::Style {
        background: Some(Background::Color(surface(theme, 1))),
        ..container::Style::default()
    }
}

/// What lies over everything else.
pub fn overlay(theme: &Theme) -> container::Style {
    container::Style {
        background: Some(Background::Color(surface(theme, 2))),
        border: edge(theme).color(surface(theme, 7)),
        ..container::Style::default()
    }
}

/// What dims everything under an overlay.
pub fn veil(theme: &Theme) -> container::Style {
    container::Style {
        background: Some(Background::Color(Color {
            a: 0.6,
            ..theme.palette().background
        })),
        ..container::Style::default()
    }
}

/// A badge of a tone.
pub fn badge(tone: Tone) -> impl Fn(&Theme) -> container::Style {
    move |theme| {
        let colour = tone.colour(theme);
        container::Style {
            text_color: Some(colour),
            background: Some(Background::Color(mix(colour, theme.palette().background, 0.84))),
            border: Border::default().rounded(size::ROUND),
            ..container::Style::default()
        }
    }
}

fn pressed(background: Color, text_color: Color, border: Border, status: button::Status) -> button::Style {
    let style = button::Style {
        background: Some(Background::Color(background)),
        text_color,
        border,
        ..button::Style::default()
    };
    match status {
        button::Status::Active => style,
        button::Status::Hovered => button::Style {
            background: Some(Background::Color(mix(background, text_color, 0.12))),
            ..style
        },
        button::Status::Pressed => button::Style {
            background: Some(Background::Color(mix(background, text_color, 0.22))),
            ..style
        },
        button::Status::Disabled => button::Style {
            background: Some(Background::Color(background.scale_alpha(0.4))),
            text_color: text_color.scale_alpha(0.5),
            ..style
        },
    }
}

/// The one thing to do.
pub fn primary(theme: &Theme, status: button::Status) -> button::Style {
    let palette = theme.palette();
    let border = Border::default().rounded(size::ROUND);
    pressed(palette.primary, palette.background, border, status)
}

/// Something that can be done.
pub fn quiet(theme: &Theme, status: button::Status) -> button::Style {
    pressed(surface(theme, 2), theme.palette().text, edge(theme), status)
}

/// Something that can't be undone.
pub fn dangerous(theme: &Theme, status: button::Status) -> button::Style {
    let palette = theme.palette();
    let border = Border::default().rounded(size::ROUND);
    pressed(palette.danger, palette.background, border, status)
}

/// A row that can be chosen.
pub fn row(chosen: bool) -> impl Fn(&Theme, button::Status) -> button::Style {
    move |theme, status| {
        let level = if chosen { 3 } else { 0 };
        let border = Border::default().rounded(size::ROUND / 2.0);
        pressed(surface(theme, level), theme.palette().text, border, status)
    }
}

/// The edge of a field.
fn field_edge(theme: &Theme, wrong: bool, focused: bool) -> Color {
    match (wrong, focused) {
        (true, _) => theme.palette().danger,
        (false, true) => theme.palette().primary,
        (false, false) => surface(theme, 5),
    }
}

/// A field, with or without something wrong in it.
pub fn field(wrong: bool) -> impl Fn(&Theme, text_input::Status) -> text_input::Style {
    move |theme, status| {
        let style = text_input::default(theme, status);
        let colour = field_edge(theme, wrong, matches!(status, text_input::Status::Focused { .. }));
        text_input::Style {
            background: Background::Color(surface(theme, 0)),
            border: style.border.color(colour).rounded(size::ROUND),
            ..style
        }
    }
}

/// A field of several lines.
pub fn editor(wrong: bool) -> impl Fn(&Theme, text_editor::Status) -> text_editor::Style {
    move |theme, status| {
        let style = text_editor::default(theme, status);
        let colour = field_edge(
            theme,
            wrong,
            matches!(status, text_editor::Status::Focused { .. }),
        );
        text_editor::Style {
            background: Background::Color(surface(theme, 0)),
            border: style.border.color(colour).rounded(size::ROUND),
            ..style
        }
    }
}
