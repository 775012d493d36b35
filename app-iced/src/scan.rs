//! QR codes in pictures: a screenshot in the clipboard, or a picture that is dropped on the window.
use std::{collections::BTreeSet, io, path::Path};

use arboard::Clipboard;
use image::{GrayImage, ImageReader, Limits, imageops};
use rqrr::PreparedImage;

/// Pixels of a side at most: beyond every screen, and a bound on time and memory.
const SIDE_MOST: u32 = 8_192;
/// Memory that a decoder may take, in bytes: a picture of that size in full colour.
const DECODER_MOST: u64 = 8_192 * 8_192 * 4;

/// Why nothing could be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// The clipboard can't be reached, or holds neither text nor a picture.
    #[error("there is neither text nor a picture in the clipboard")]
    Nothing,
    /// Not a picture, a damaged one, or one of another format.
    #[error("this is no PNG or JPEG picture that can be read: {0}")]
    Unreadable(String),
    /// A side is longer than [`SIDE_MOST`].
    #[error("the picture is larger than {SIDE_MOST} × {SIDE_MOST} pixels: cut it to the code")]
    TooLarge,
    /// There is no code in it.
    #[error("no QR code was found in the picture: cut it to the code, or paste the text")]
    NoCode,
    /// There are several codes in it: which of them is meant is nobody's guess where money is sent.
    #[error("there are several QR codes in the picture: cut it to the one that is meant")]
    Several,
}

/// The text of the one code in a picture file. Blocks for as long as it decodes.
///
/// # Errors
/// Whatever [`ScanError`] says, [`ScanError::Nothing`] apart.
pub fn file(path: &Path) -> Result<String, ScanError> {
    let unreadable = |error: &dyn std::fmt::Display| ScanError::Unreadable(error.to_string());
    let mut reader = ImageReader::open(path)
        .and_then(ImageReader::with_guessed_format)
        .map_err(|error| unreadable(&error))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_MOST);
    limits.max_image_height = Some(SIDE_MOST);
    limits.max_alloc = Some(DECODER_MOST);
    reader.limits(limits);
    match reader.decode() {
        Ok(picture) => text(picture.to_luma8()),
        Err(image::ImageError::Limits(_)) => Err(ScanError::TooLarge),
        Err(error) => Err(unreadable(&error)),
    }
}

/// The text of the one code in the picture that the clipboard holds. Blocks while its owner hands it over.
///
/// # Errors
/// Whatever [`ScanError`] says.
pub fn clipboard() -> Result<String, ScanError> {
    let held = Clipboard::new().and_then(|mut clipboard| clipboard.get_image());
    let held = held.map_err(|error| match error {
        arboard::Error::ConversionFailure => ScanError::Unreadable(error.to_string()),
        _ => ScanError::Nothing,
    })?;
    let side = |pixels: usize| u32::try_from(pixels).ok().filter(|pixels| *pixels <= SIDE_MOST);
    let (Some(width), Some(height)) = (side(held.width), side(held.height)) else {
        return Err(ScanError::TooLarge);
    };
    let picture = image::RgbaImage::from_raw(width, height, held.bytes.into_owned());
    let picture = picture.ok_or_else(|| ScanError::Unreadable(io::ErrorKind::UnexpectedEof.to_string()))?;
    text(image::DynamicImage::from(picture).to_luma8())
}

/// Dark codes on light ground, and light ones on dark ground, as screens at night have them.
fn text(mut picture: GrayImage) -> Result<String, ScanError> {
    let mut codes = codes(&picture);
    if codes.is_empty() {
        imageops::invert(&mut picture);
        codes = self::codes(&picture);
    }
    match (codes.pop_first(), codes.is_empty()) {
        (Some(code), true) => Ok(code),
        (Some(_), false) => Err(ScanError::Several),
        (None, _) => Err(ScanError::NoCode),
    }
}

fn codes(picture: &GrayImage) -> BTreeSet<String> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let mut prepared =
        PreparedImage::prepare_from_greyscale(width, height, |x, y| picture.as_raw()[y * width + x]);
    let grids = prepared.detect_grids();
    let decoded = grids.into_iter().filter_map(|grid| grid.decode().ok());
    decoded.map(|(_, text)| text).collect()
}

#[cfg(test)]
mod tests {
    use iced::widget::qr_code::Data;

    use super::*;

    /// An invoice as long as real ones, in the capitals that make its code small.
    const INVOICE: &str = "LIGHTNING:LNBCRT100N1PJ0XW5FPP5ZCQ9Y6H3R5Z4J7L6E0T2F8K9M3S5D7G1V4B6N8Q0W2E4R6TYS";
    /// Pixels of a module.
    const MODULE: usize = 4;
    /// Light modules round a code.
    const QUIET: usize = 4;

    /// A picture of codes side by side.
    fn drawn(texts: &[&str], inverted: bool) -> GrayImage {
        let codes: Vec<_> = texts
            .iter()
            .map(|text| qrcode::QrCode::new(text).unwrap())
            .collect();
        let side = codes.iter().map(qrcode::QrCode::width).max().unwrap_or(0) + 2 * QUIET;
        let (width, height) = (side * texts.len().max(1) * MODULE, side * MODULE);
        GrayImage::from_fn(width as u32, height as u32, |x, y| {
            let (x, y) = (x as usize / MODULE, y as usize / MODULE);
            let dark = codes.get(x / side).is_some_and(|code| {
                let within = |at: usize| at.checked_sub(QUIET).filter(|at| *at < code.width());
                let cell = within(x % side).zip(within(y));
                cell.is_some_and(|cell| code[cell] == qrcode::Color::Dark)
            });
            image::Luma([if dark == inverted { 255 } else { 0 }])
        })
    }

    #[test]
    fn a_code_is_read_from_a_file_dark_or_light() {
        assert!(Data::new(INVOICE).is_ok(), "the window draws such codes itself");
        let folder = tempfile::tempdir().unwrap();
        for (name, inverted) in [("day.png", false), ("night.jpg", true)] {
            let path = folder.path().join(name);
            drawn(&[INVOICE], inverted).save(&path).unwrap();
            assert_eq!(file(&path), Ok(INVOICE.to_owned()), "{name}");
        }
    }

    #[test]
    fn what_can_not_be_read_says_why() {
        assert_eq!(text(drawn(&["one", "other"], false)), Err(ScanError::Several));
        assert_eq!(text(GrayImage::new(40, 40)), Err(ScanError::NoCode));
        assert_eq!(text(GrayImage::new(0, 0)), Err(ScanError::NoCode));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broad.png");
        GrayImage::new(SIDE_MOST + 1, 1).save(&path).unwrap();
        assert_eq!(file(&path), Err(ScanError::TooLarge));
        std::fs::write(&path, "no picture").unwrap();
        assert!(matches!(file(&path), Err(ScanError::Unreadable(_))));
        assert!(matches!(file(folder.path()), Err(ScanError::Unreadable(_))));
    }
}
