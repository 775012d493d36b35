//! Pages of the history, with every filter, from places all over it.
use std::{path::Path, time::Instant};

use autopilot_projections::rows::Role;
use autopilot_store_sqlite::{Reader, rows::HistoryQuery};

use crate::{cpu::cpu_time, table::quantile};

/// Pages of one filter.
const PAGES: u64 = 400;
/// Rows of a page.
const ROWS: u32 = 50;

/// Role, work, money; the last two have no row in a ledger of ours.
const FILTERS: [(Option<Role>, Option<&str>, Option<&str>); 10] = [
    (None, None, None),
    (Some(Role::Provider), None, None),
    (Some(Role::Buyer), None, None),
    (None, Some("refused"), None),
    (None, Some("failed"), None),
    (None, None, Some("settled")),
    (None, None, Some("expired")),
    (Some(Role::Buyer), None, Some("settled")),
    (Some(Role::Buyer), Some("refused"), None),
    (None, Some("no-such-state"), None),
];

/// What was asked for, the 99th percentile of a page in seconds, and the processor time of one, filter by filter.
pub async fn cost(ledger: &Path) -> anyhow::Result<Vec<(String, [f64; 2])>> {
    let reader = Reader::open(ledger).await?;
    let end = reader.head().await?.sequence;
    let mut all = Vec::new();
    for (role, work, money) in FILTERS {
        let (mut took, since) = (Vec::new(), cpu_time());
        for page in 0..PAGES {
            let query = HistoryQuery {
                role,
                work: work.map(str::to_owned),
                money: money.map(str::to_owned),
                before: (page % 4 > 0).then(|| 1 + page.wrapping_mul(0x9e37_79b9_7f4a_7c15) % end),
                after: None,
                search: None,
                limit: ROWS,
            };
            let begun = Instant::now();
            reader.history(&query).await?;
            took.push(begun.elapsed());
        }
        let cpu_s = (cpu_time() - since).as_secs_f64() / PAGES as f64;
        let words: Vec<_> = [role.map(Role::name), work, money]
            .into_iter()
            .flatten()
            .collect();
        let name = if words.is_empty() {
            "all".to_owned()
        } else {
            words.join(" ")
        };
        all.push((name, [quantile(&took, 0.99), cpu_s]));
    }
    reader.close().await;
    Ok(all)
}
