//! Whether a figure grows with the jobs: straight lines by least squares.
use serde::Serialize;

/// A line through points, and how far they lie from it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Growth of `y` for each `x`.
    pub slope: f64,
    /// `y` at `x` = 0.
    pub intercept: f64,
    /// Standard error of the slope.
    pub slope_error: f64,
}

/// The line through points of different `x`; nothing for fewer than three.
pub fn line(points: &[(f64, f64)]) -> Option<Line> {
    if points.len() < 3 {
        return None;
    }
    let n = points.len() as f64;
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x_mean, y_mean) = (mean(&|p| p.0), mean(&|p| p.1));
    let sxx: f64 = points.iter().map(|p| (p.0 - x_mean).powi(2)).sum();
    if sxx == 0.0 {
        return None;
    }
    let sxy: f64 = points.iter().map(|p| (p.0 - x_mean) * (p.1 - y_mean)).sum();
    let slope = sxy / sxx;
    let intercept = y_mean - slope * x_mean;
    let rest: f64 = points
        .iter()
        .map(|p| (p.1 - intercept - slope * p.0).powi(2))
        .sum();
    Some(Line {
        slope,
        intercept,
        slope_error: (rest / (n - 2.0) / sxx).sqrt(),
    })
}

/// How a figure behaves over jobs.
#[derive(Clone, Debug, Serialize)]
pub struct Growth {
    /// Of what.
    pub what: String,
    /// Over all rounds.
    pub all: Line,
    /// Over the first half, and over the second: a figure that grows evenly has the same slope in both.
    pub halves: Option<(Line, Line)>,
}

impl Growth {
    /// The growth of a figure; nothing for fewer than three points.
    pub fn of(what: &str, points: &[(f64, f64)]) -> Option<Growth> {
        let (first, second) = points.split_at(points.len() / 2);
        Some(Growth {
            what: what.to_owned(),
            all: line(points)?,
            halves: line(first).zip(line(second)),
        })
    }

    /// Whether each job costs the later half no more than the earlier: by a quarter, or by what the points scatter.
    pub fn is_even(&self) -> bool {
        self.halves.is_none_or(|(first, second)| {
            let scatter = 2.0 * (first.slope_error + second.slope_error);
            second.slope <= (first.slope * 1.25).max(first.slope + scatter)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_and_a_bend_is_seen() {
        let straight: Vec<(f64, f64)> = (0..10)
            .map(|x| (f64::from(x), 3.0 + 2.0 * f64::from(x)))
            .collect();
        let found = line(&straight).unwrap();
        assert!(
            (found.slope - 2.0).abs() < 1e-9 && (found.intercept - 3.0).abs() < 1e-9,
            "{found:?}"
        );
        assert!(Growth::of("straight", &straight).unwrap().is_even());
        let bent: Vec<(f64, f64)> = (0..10).map(|x| (f64::from(x), f64::from(x * x))).collect();
        assert!(!Growth::of("bent", &bent).unwrap().is_even());
        assert_eq!(line(&straight[..2]), None);
    }
}
