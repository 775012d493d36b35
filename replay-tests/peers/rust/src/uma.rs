//! UmaDB's own core in this process, with the options that its server has by default. Two syncs a commit are its own doing.
//! A fact has its stream for a tag; appends have no condition.
use std::{path::Path, sync::Arc};

use umadb_core::{
    db::UmaDb,
    mvcc::{Mvcc, StorageOptions},
};
use umadb_dcb::{DcbEvent, DcbEventStoreSync};

use crate::{Read, Store, facts::Fact};

/// What its server reads at a time.
const PAGE: u32 = 1_024;

impl Store for UmaDb {
    type Event = DcbEvent;

    async fn open(path: &Path) -> anyhow::Result<Self> {
        let mvcc = Mvcc::new(false, StorageOptions::default().db_path(path))?;
        Ok(Self::from_arc(Arc::new(mvcc)))
    }

    fn event(fact: &Fact) -> anyhow::Result<DcbEvent> {
        Ok(DcbEvent::new()
            .event_type("fact")
            .tags([fact.stream.clone()])
            .data(fact.bytes.clone()))
    }

    async fn append(&self, events: Vec<DcbEvent>) -> anyhow::Result<()> {
        DcbEventStoreSync::append(self, events, None, None)?;
        Ok(())
    }

    async fn replay(&self) -> anyhow::Result<Read> {
        let (mut read, mut start) = (Read::default(), 1);
        loop {
            let (page, _) = self.read_with_head(None, Some(start), false, Some(PAGE))?;
            let Some(last) = page.last() else { return Ok(read) };
            start = last.position + 1;
            for recorded in &page {
                read.count(&recorded.event.data);
            }
        }
    }
}
