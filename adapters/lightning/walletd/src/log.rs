//! The log: `walletd.log` in the wallet folder, one older file kept, both bounded. Nothing secret reaches it: the
//! engine's lines below INFO, which can name preimages, are dropped.
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use ldk_node::logger::{LogLevel, LogRecord, LogWriter};
use tracing_subscriber::{Layer, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// A file is put aside when it is this long.
const FILE_LIMIT: u64 = 8 << 20;

struct Bounded {
    path: PathBuf,
    file: File,
    written: u64,
}

impl Bounded {
    fn open(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        let written = file.metadata()?.len();
        Ok(Self { path, file, written })
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written > FILE_LIMIT {
            fs::rename(&self.path, self.path.with_extension("log.old"))?;
            *self = Self::open(self.path.clone())?;
        }
        let count = self.file.write(bytes)?;
        self.written += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Starts logging into `wallet_dir`. `RUST_LOG` narrows or widens our own lines.
pub(crate) fn start(wallet_dir: &Path) -> io::Result<()> {
    let file = Mutex::new(Bounded::open(wallet_dir.join("walletd.log"))?);
    let wanted = std::env::var("RUST_LOG")
        .ok()
        .and_then(|text| text.parse::<Targets>().ok());
    let targets = wanted.unwrap_or_else(|| Targets::new().with_default(tracing::Level::INFO));
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(file);
    tracing_subscriber::registry()
        .with(lines.with_filter(targets))
        .init();
    Ok(())
}

/// Hands the engine's lines to our log.
pub(crate) struct EngineLog;

impl LogWriter for EngineLog {
    fn log(&self, record: LogRecord<'_>) {
        match record.level {
            LogLevel::Gossip | LogLevel::Trace | LogLevel::Debug => {}
            LogLevel::Info => tracing::info!(target: "engine", at = record.module_path, "{}", record.args),
            LogLevel::Warn => tracing::warn!(target: "engine", at = record.module_path, "{}", record.args),
            LogLevel::Error => tracing::error!(target: "engine", at = record.module_path, "{}", record.args),
        }
    }
}

/// The writer that the engine's builder takes.
pub(crate) fn engine() -> Arc<dyn LogWriter> {
    Arc::new(EngineLog)
}
