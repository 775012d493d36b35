//! The bundled fonts: every text can be drawn on a machine without any.
use std::borrow::Cow;

use iced::{Font, font::Weight};

/// Everything that is read.
pub const BODY: Font = Font::with_name("Inter");
/// Titles and figures.
pub const BOLD: Font = Font {
    weight: Weight::Bold,
    ..BODY
};
/// Ids, invoices and logs.
pub const MONO: Font = Font::with_name("JetBrains Mono");

const FILES: [&[u8]; 9] = [
    include_bytes!("../../fonts/Inter-Regular.otf"),
    include_bytes!("../../fonts/Inter-Bold.otf"),
    include_bytes!("../../fonts/JetBrainsMono-Regular.ttf"),
    include_bytes!("../../fonts/JetBrainsMono-Bold.ttf"),
    include_bytes!("../../fonts/DejaVuSans.ttf"),
    include_bytes!("../../fonts/NotoSansArabic-Regular.ttf"),
    include_bytes!("../../fonts/NotoSansDevanagari-Regular.ttf"),
    include_bytes!("../../fonts/NotoSansThai-Regular.ttf"),
    include_bytes!("../../fonts/DroidSansFallbackFull.ttf"),
];

/// The files, as the window loads them.
pub fn files() -> Vec<Cow<'static, [u8]>> {
    FILES.iter().map(|file| Cow::Borrowed(*file)).collect()
}
