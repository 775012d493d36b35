//! Curves as SVG, both axes logarithmic.
use std::fmt::Write;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 170.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
const COLOURS: [&str; 6] = ["#2563eb", "#dc2626", "#16a34a", "#9333ea", "#d97706", "#0891b2"];

/// One curve.
pub struct Curve {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// What the axes say.
pub struct Labels {
    pub title: &'static str,
    pub x: &'static str,
    pub y: &'static str,
}

/// A range of powers of ten around all values.
fn decades(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .filter(|value| *value > 0.0)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value.log10()), high.max(value.log10()))
        });
    (low.floor(), high.ceil().max(low.floor() + 1.0))
}

/// A power of ten in few letters.
fn tick(power: f64) -> String {
    match power as i32 {
        power @ 6.. => format!("{}M", 10_i64.pow(power as u32 - 6)),
        power @ 3..=5 => format!("{}k", 10_i64.pow(power as u32 - 3)),
        power @ 0..=2 => format!("{}", 10_i64.pow(power as u32)),
        power => format!("{}", 10_f64.powi(power)),
    }
}

/// The picture. Writing into a string has no way to fail, so its results are dropped.
pub fn draw(labels: &Labels, curves: &[Curve]) -> String {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let (x_low, x_high) = decades(points().map(|point| point.0));
    let (y_low, y_high) = decades(points().map(|point| point.1));
    let x = |value: f64| LEFT + (value.log10() - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT);
    let y =
        |value: f64| HEIGHT - BOTTOM - (value.log10() - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM);
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{}</text>\n",
        labels.title
    );
    for power in x_low as i32..=x_high as i32 {
        let (at, name) = (x(10_f64.powi(power)), tick(power.into()));
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{bottom}\" stroke=\"#ddd\"/>\
             <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{name}</text>",
            bottom + 18.0
        );
    }
    for power in y_low as i32..=y_high as i32 {
        let (at, name) = (y(10_f64.powi(power)), tick(power.into()));
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>",
            LEFT - 6.0,
            at + 4.0
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\
         <text transform=\"translate(18 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
        (LEFT + right) / 2.0,
        HEIGHT - 12.0,
        labels.x,
        (TOP + bottom) / 2.0,
        labels.y
    );
    for (place, (curve, colour)) in curves.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let mut path = String::new();
        for (at_x, at_y) in &curve.points {
            let (at_x, at_y) = (x(*at_x), y(*at_y));
            let _ = write!(path, "{at_x:.1},{at_y:.1} ");
            let _ = writeln!(
                svg,
                "<circle cx=\"{at_x:.1}\" cy=\"{at_y:.1}\" r=\"3\" fill=\"{colour}\"/>"
            );
        }
        let legend = TOP + 18.0 * (place as f64 + 1.0);
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <text x=\"{}\" y=\"{legend}\" fill=\"{colour}\">{}</text>",
            path.trim_end(),
            right + 10.0,
            curve.name
        );
    }
    svg + "</svg>\n"
}
