//! Takes everything away again, after saying what there is and what would be lost with it.
mod holdings;
mod stake;

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    args::Uninstall,
    confirm::{confirm, rehearsed},
    failure::{Failure, Kind, Outcome},
    output::{Out, bytes, clean_line, table},
};
use holdings::Holding;
use stake::Stake;

/// Files whose lock the ledger's writer and the wallet hold.
const LOCKS: [&str; 2] = ["ledger/ledger.sqlite.lock", "wallet/walletd.lock"];

#[derive(Serialize)]
struct Report {
    home: PathBuf,
    removed: bool,
    holdings: Vec<Holding>,
    stake: Stake,
}

pub async fn uninstall(home: &Path, out: Out, wish: Uninstall) -> Outcome {
    if !holdings::is_home(home) {
        let message = format!("{} is no home folder of a host", home.display());
        return Err(Failure::new(Kind::NotFound, "not-found", message).next("name it with --home"));
    }
    // Held until the end: no host can start on a home that is being taken away.
    let _locks = LOCKS
        .iter()
        .filter_map(|lock| held(&home.join(lock)).transpose())
        .collect::<Outcome<Vec<File>>>()?;
    let holdings = holdings::of(home, wish.cache, wish.programs);
    let stake = stake::of(home).await;
    let mut report = Report {
        home: home.to_owned(),
        removed: false,
        holdings,
        stake,
    };
    let what = text(&report);
    let forfeited = report.stake.allows(wish.forfeit.as_deref());
    if wish.yes.dry_run {
        return match forfeited {
            Ok(()) => rehearsed(out, &what),
            Err(failure) => {
                out.show(&report, text)?;
                Err(failure)
            }
        };
    }
    if let Err(failure) = forfeited {
        out.show(&report, text)?;
        return Err(failure);
    }
    confirm(out, wish.yes, &what)?;
    remove(&report.holdings)?;
    // Only if nothing of somebody else's is left in it.
    let _ = fs::remove_dir(home);
    report.removed = true;
    out.show(&report, |report| match report.home.exists() {
        true => format!(
            "Removed. {} still holds files of somebody else's.",
            report.home.display()
        ),
        false => "Removed. Nothing is left.".to_owned(),
    })
}

/// Takes a lock that a running program would hold; none where its file is not there.
fn held(path: &Path) -> Outcome<Option<File>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path, &error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {
            let message = "a host runs on this home folder, or its wallet is still stopping";
            Err(Failure::new(Kind::Refused, "host-running", message).next("autopilotctl stop"))
        }
        Err(TryLockError::Error(error)) => Err(failed(path, &error)),
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Kind::Other, "file", format!("{}: {error}", path.display()))
}

fn remove(holdings: &[Holding]) -> Outcome {
    for holding in holdings.iter().filter(|holding| holding.goes) {
        let removed = match fs::symlink_metadata(&holding.path) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&holding.path),
            Ok(_) => fs::remove_file(&holding.path),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(&holding.path, &error).next("the same command again goes on from there"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn text(report: &Report) -> String {
    let row = |holding: &Holding| {
        let fate = if holding.goes { "goes" } else { "stays" };
        vec![
            fate.to_owned(),
            bytes(holding.bytes),
            clean_line(&holding.path.display().to_string()),
            holding.what.to_owned(),
        ]
    };
    let rows: Vec<_> = report.holdings.iter().map(row).collect();
    let holdings = table(&["", "size", "path", "what"], &rows);
    format!(
        "Take away {}:\n{holdings}\n\n{}",
        report.home.display(),
        report.stake.text()
    )
}
