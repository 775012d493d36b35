//! Earnings statements, as a stranger hands them over.
use autopilot_statement::check;

/// Checks a file. Whatever is wrong with it has a line and a closed code.
pub fn statement(bytes: &[u8]) {
    let (mut heading, mut lines) = (0_u32, 0_u64);
    let checked = check(bytes, &[], |_| heading += 1, |_| lines += 1);
    match checked {
        Ok((_, totals)) => assert_eq!((heading, lines), (1, totals.all.lines)),
        Err(error) => assert!(!error.why.code().is_empty() && !error.to_string().is_empty()),
    }
}
