//! What the way to SQLite costs: the statements of a commit through sqlx, whose thread runs them one by one, and through the
//! C interface in the calling thread, in turns on two files of the same kind. Nothing is synced: the disk is not what is
//! asked about. `cargo run --release -p autopilot-store-sqlite --example binding`, twelve rounds, prints medians.
#![allow(clippy::unwrap_used, unsafe_code)]
use std::{
    collections::HashMap,
    ffi::{CStr, CString},
    path::Path,
    ptr::null_mut,
    time::{Duration, Instant},
};

use libsqlite3_sys as c;
use nix::sys::resource::{UsageWho, getrusage};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};

type Failed = Box<dyn std::error::Error>;

/// Rounds, after one that warms both up.
const ROUNDS: usize = 12;

/// Processor time of all threads of this process.
fn cpu_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let micros = |time: nix::sys::time::TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
    Duration::from_micros((micros(usage.user_time()) + micros(usage.system_time())).unsigned_abs())
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

const TABLES: &str = "
PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
CREATE TABLE block(first_sequence INTEGER PRIMARY KEY, count INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;
CREATE TABLE stream(stream TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE idempotency(key TEXT PRIMARY KEY, sequence INTEGER NOT NULL, payload_digest BLOB NOT NULL)
STRICT, WITHOUT ROWID;
";

/// Rows of one statement, as the store cuts them.
const SIZES: [usize; 5] = [256, 64, 16, 4, 1];
/// Commits of one round.
const COMMITS: usize = 150;
/// Bytes of a fact.
const FACT: usize = 310;

/// A value that is bound.
#[derive(Clone)]
enum Value {
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A statement and what is bound to it.
type Statement = (String, Vec<Value>);

/// The statements of commit `n` with `decisions` of three facts each: the shape of what the store runs.
fn commit(n: usize, decisions: usize) -> Vec<Statement> {
    let rows = |before: &str, tuple: &str, after: &str, rows: Vec<Vec<Value>>| {
        let (mut all, mut rest) = (Vec::new(), rows.as_slice());
        while let Some(size) = SIZES.into_iter().find(|size| *size <= rest.len()) {
            let (piece, after_it) = rest.split_at(size);
            let text = format!("{before} {} {after}", vec![tuple; size].join(","));
            all.push((text, piece.concat()));
            rest = after_it;
        }
        all
    };
    let id = |what: &str, at: usize| {
        format!(
            "{what}/{}",
            blake3::hash(&(n * 10_000 + at).to_le_bytes()).to_hex()
        )
    };
    let streams = (0..decisions.min(64)).map(|at| vec![Value::Text(id("job", at)), Value::Number(3)]);
    let keys = (0..decisions).map(|at| {
        let digest = Value::Bytes(vec![at as u8; 32]);
        vec![Value::Text(id("settled", at)), Value::Number(at as i64), digest]
    });
    let mut all = vec![("BEGIN IMMEDIATE".to_owned(), Vec::new())];
    let upsert = "ON CONFLICT(stream) DO UPDATE SET version = excluded.version";
    all.extend(rows(
        "INSERT INTO stream VALUES",
        "(?,?)",
        upsert,
        streams.collect(),
    ));
    all.extend(rows(
        "INSERT INTO idempotency VALUES",
        "(?,?,?)",
        "",
        keys.collect(),
    ));
    all.push((
        "INSERT INTO block VALUES (?,?,?)".to_owned(),
        vec![
            Value::Number(n as i64),
            Value::Number(decisions as i64 * 3),
            Value::Bytes(vec![7; decisions * 3 * FACT]),
        ],
    ));
    all.push(("COMMIT".to_owned(), Vec::new()));
    all
}

async fn by_sqlx(connection: &mut SqliteConnection, statements: Vec<Statement>) -> Result<(), Failed> {
    for (text, values) in statements {
        let mut query = sqlx::query(AssertSqlSafe(text));
        for value in values {
            query = match value {
                Value::Number(number) => query.bind(number),
                Value::Text(text) => query.bind(text),
                Value::Bytes(bytes) => query.bind(bytes),
            };
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// SQLite by its C interface, with statements prepared once.
struct Direct {
    database: *mut c::sqlite3,
    prepared: HashMap<String, *mut c::sqlite3_stmt>,
}

impl Direct {
    fn open(path: &Path) -> Result<Direct, Failed> {
        let name = CString::new(path.to_string_lossy().as_bytes())?;
        let (mut database, tables) = (null_mut(), CString::new(TABLES)?);
        // The strings end in zero and outlive the calls.
        let opened = unsafe { c::sqlite3_open(name.as_ptr(), &raw mut database) };
        let direct = Direct {
            database,
            prepared: HashMap::new(),
        };
        direct.check(opened)?;
        let made = unsafe { c::sqlite3_exec(database, tables.as_ptr(), None, null_mut(), null_mut()) };
        direct.check(made)?;
        Ok(direct)
    }

    fn check(&self, code: i32) -> Result<(), Failed> {
        if matches!(code, c::SQLITE_OK | c::SQLITE_DONE | c::SQLITE_ROW) {
            return Ok(());
        }
        // SQLite's own text, valid until its next call.
        let why = unsafe { CStr::from_ptr(c::sqlite3_errmsg(self.database)) };
        Err(format!("SQLite: {}", why.to_string_lossy()).into())
    }

    fn run(&mut self, statements: &[Statement]) -> Result<(), Failed> {
        for (text, values) in statements {
            let statement = match self.prepared.get(text) {
                Some(statement) => *statement,
                None => {
                    let (sql, mut made) = (CString::new(text.as_str())?, null_mut());
                    // As above.
                    let prepared = unsafe {
                        c::sqlite3_prepare_v2(self.database, sql.as_ptr(), -1, &raw mut made, null_mut())
                    };
                    self.check(prepared)?;
                    self.prepared.insert(text.clone(), made);
                    made
                }
            };
            for (place, value) in values.iter().enumerate() {
                let place = i32::try_from(place + 1)?;
                // What is bound outlives the step; `None` tells SQLite to take no copy.
                let bound = unsafe {
                    match value {
                        Value::Number(number) => c::sqlite3_bind_int64(statement, place, *number),
                        Value::Text(text) => {
                            let length = i32::try_from(text.len())?;
                            c::sqlite3_bind_text(statement, place, text.as_ptr().cast(), length, None)
                        }
                        Value::Bytes(bytes) => {
                            let length = i32::try_from(bytes.len())?;
                            c::sqlite3_bind_blob(statement, place, bytes.as_ptr().cast(), length, None)
                        }
                    }
                };
                self.check(bound)?;
            }
            // A prepared statement of this database.
            let done = unsafe { c::sqlite3_step(statement) };
            self.check(done)?;
            self.check(unsafe { c::sqlite3_reset(statement) })?;
        }
        Ok(())
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        for statement in self.prepared.values() {
            unsafe { c::sqlite3_finalize(*statement) };
        }
        unsafe { c::sqlite3_close(self.database) };
    }
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let folder = tempfile::tempdir_in(".")?;
    println!("| decisions | sqlx: CPU, wall | C interface: CPU, wall | ratio of CPU |\n|---|---|---|---|");
    for decisions in [1, 16, 256] {
        let options = SqliteConnectOptions::new().create_if_missing(true);
        let path = |name: &str| folder.path().join(format!("{name}-{decisions}.db"));
        let mut by = options.filename(path("sqlx")).connect().await?;
        sqlx::raw_sql(TABLES).execute(&mut by).await?;
        let mut direct = Direct::open(&path("direct"))?;
        let mut took = [const { (Vec::new(), Vec::new()) }; 2];
        for round in 0..=ROUNDS {
            let first = round * COMMITS + 1;
            let work: Vec<_> = (first..first + COMMITS).map(|n| commit(n, decisions)).collect();
            // Each is the first one every other round: what the first one leaves to be written, the second one waits for.
            for turn in [round % 2, 1 - round % 2] {
                let (begun, since) = (Instant::now(), cpu_time());
                for statements in &work {
                    match turn {
                        0 => by_sqlx(&mut by, statements.clone()).await?,
                        _ => direct.run(statements)?,
                    }
                }
                let each = |time: Duration| time.as_secs_f64() * 1e6 / COMMITS as f64;
                if round > 0 {
                    took[turn].0.push(each(cpu_time() - since));
                    took[turn].1.push(each(begun.elapsed()));
                }
            }
        }
        by.close().await?;
        let [ours, theirs] = took;
        let ratios: Vec<f64> = ours.0.iter().zip(&theirs.0).map(|(a, b)| a / b).collect();
        println!(
            "| {decisions} | {:.0} µs, {:.0} µs | {:.0} µs, {:.0} µs | {:.2} |",
            median(&ours.0),
            median(&ours.1),
            median(&theirs.0),
            median(&theirs.1),
            median(&ratios)
        );
    }
    Ok(())
}
