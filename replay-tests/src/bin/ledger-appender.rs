//! Appends generated facts until it is killed, and says after each commit how many are durable: the victim of a test.
use std::io::Write;

use anyhow::Context;
use autopilot_events::Head;
use autopilot_replay_tests::{
    Pen,
    stories::{End, Story, drafts},
};
use autopilot_store_sqlite::{Commit, Store};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let path = std::env::args_os()
        .nth(1)
        .context("usage: ledger-appender LEDGER.db")?;
    let (mut store, opened) = Store::open(path.as_ref(), &mut |_| {}).await?;
    let mut so_far = Vec::new();
    store
        .reader()
        .replay(&Head::empty(), &mut |_| {}, |fact| so_far.push(fact.clone()))
        .await?;
    let mut pen = Pen::behind(&so_far);
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", opened.head.sequence)?;
    // Stories are numbered by the place where they begin, so that a restart repeats none.
    let mut size = 1;
    loop {
        let number = pen.head.sequence;
        let facts: Vec<_> = drafts(&Story::Job(1_000 + number, End::Paid), number)
            .into_iter()
            .map(|draft| pen.write(draft, 1_700_000_000_000))
            .collect();
        for facts in facts.chunks(size) {
            store
                .append(Commit {
                    facts,
                    ..Commit::default()
                })
                .await?;
            writeln!(out, "{}", store.head().sequence)?;
            out.flush()?;
        }
        if store.compaction_due() {
            store.compact().await?;
        }
        size = size % 7 + 1;
    }
}
