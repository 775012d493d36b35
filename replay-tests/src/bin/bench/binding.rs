//! What the way to SQLite costs: the statements of a commit through sqlx, whose thread runs them one by one, and through the
//! C interface in the calling thread, in turns on two files of the same kind. Nothing is synced: the disk is not what is
//! asked about.
use std::{
    collections::HashMap,
    ffi::{CStr, CString},
    path::Path,
    ptr::null_mut,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure};
use libsqlite3_sys as c;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::{cpu::cpu_time, table::Figure};

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

async fn by_sqlx(connection: &mut SqliteConnection, statements: Vec<Statement>) -> anyhow::Result<()> {
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

#[allow(unsafe_code)]
impl Direct {
    fn open(path: &Path) -> anyhow::Result<Direct> {
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

    fn check(&self, code: i32) -> anyhow::Result<()> {
        if matches!(code, c::SQLITE_OK | c::SQLITE_DONE | c::SQLITE_ROW) {
            return Ok(());
        }
        // SQLite's own text, valid until its next call.
        let why = unsafe { CStr::from_ptr(c::sqlite3_errmsg(self.database)) };
        bail!("SQLite: {}", why.to_string_lossy())
    }

    fn run(&mut self, statements: &[Statement]) -> anyhow::Result<()> {
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

#[allow(unsafe_code)]
impl Drop for Direct {
    fn drop(&mut self) {
        for statement in self.prepared.values() {
            unsafe { c::sqlite3_finalize(*statement) };
        }
        unsafe { c::sqlite3_close(self.database) };
    }
}

/// Microseconds of a commit, by sqlx and directly: processor time, then wall time.
pub async fn figures(folder: &Path, rounds: usize) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for decisions in [1, 16, 256] {
        let options = SqliteConnectOptions::new().create_if_missing(true);
        let mut by = options
            .filename(folder.join(format!("sqlx-{decisions}.db")))
            .connect()
            .await?;
        sqlx::raw_sql(TABLES).execute(&mut by).await?;
        let mut direct = Direct::open(&folder.join(format!("direct-{decisions}.db")))?;
        let name = |what| format!("commit of {decisions} decisions by sqlx / by the C interface, {what}");
        let (mut cpu, mut wall) = (Figure::new(name("CPU"), "µs"), Figure::new(name("wall"), "µs"));
        let mut n = 1;
        for round in 0..=rounds {
            let work: Vec<_> = (n..n + COMMITS).map(|n| commit(n, decisions)).collect();
            n += COMMITS;
            let mut took = [(Duration::ZERO, Duration::ZERO); 2];
            // Each is the first one every other round: what the first one leaves to be written, the second one waits for.
            for turn in [round % 2, 1 - round % 2] {
                let (begun, since) = (Instant::now(), cpu_time());
                for statements in &work {
                    match turn {
                        0 => by_sqlx(&mut by, statements.clone()).await?,
                        _ => direct.run(statements)?,
                    }
                }
                took[turn] = (cpu_time() - since, begun.elapsed());
            }
            let [ours, theirs] = took;
            let each = |time: Duration| time.as_secs_f64() * 1e6 / COMMITS as f64;
            if round > 0 {
                cpu.add(each(ours.0), each(theirs.0));
                wall.add(each(ours.1), each(theirs.1));
            }
        }
        let rows = |text: &str| format!("SELECT count(*) FROM {text}");
        for table in ["stream", "idempotency", "block"] {
            let found: i64 = sqlx::query_scalar(AssertSqlSafe(rows(table)))
                .fetch_one(&mut by)
                .await?;
            ensure!(found > 0, "{table} is empty");
        }
        by.close().await?;
        figures.extend([cpu, wall]);
    }
    Ok(figures)
}
