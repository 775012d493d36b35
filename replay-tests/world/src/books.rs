//! A ledger's books as hledger reads them, held against the wallet's own figures.
use std::{collections::BTreeMap, path::Path, process::Command};

use anyhow::{Context, Result, bail, ensure};
use autopilot_host::{
    audit::Audit,
    books::{self, Format, Valuing, Window},
};

/// Exports the ledger of a home whose host has stopped, has hledger check it, and answers with hledger's balances in
/// millisatoshi by account.
///
/// # Errors
/// The journal is not accepted, or something in it is explained by no fact.
pub async fn balanced(home: &Path) -> Result<BTreeMap<String, i64>> {
    let audit = Audit::open(home).await?;
    let file = tempfile::Builder::new().suffix(".journal").tempfile()?;
    let valuing = Valuing {
        currency: None,
        max_age_ms: 0,
    };
    let mut out = file.as_file();
    books::export(
        &audit,
        Format::Hledger,
        Window::default(),
        &valuing,
        &mut out,
        &mut |_| {},
    )
    .await?;
    hledger(file.path(), &["check", "--strict"])?;
    let wanted = [
        "balance",
        "--flat",
        "--empty",
        "--no-total",
        "--output-format",
        "csv",
    ];
    let text = hledger(file.path(), &wanted)?;
    let balances: BTreeMap<String, i64> = text.lines().skip(1).map(line).collect::<Result<_>>()?;
    let unexplained = balances.get("equity:unexplained");
    if unexplained != Some(&0) {
        let journal = std::fs::read_to_string(file.path())?;
        bail!("explained by no fact: {unexplained:?} msat\n{journal}");
    }
    let reported = books::report(&audit, Window::default(), &valuing, &mut |_| {}).await?;
    let wallet = reported.differences;
    ensure!(
        wallet.accounts.len() == 2,
        "the wallet showed all its figures: {wallet:?}"
    );
    for compared in &wallet.accounts {
        let by_hledger = i128::from(balances.get(compared.account.name()).copied().unwrap_or(0));
        ensure!(by_hledger == compared.wallet_msat, "{compared:?}: {balances:?}");
    }
    Ok(balances)
}

/// `"assets:lightning","1036.996 sat"`; a sum of nothing is a bare 0.
fn line(line: &str) -> Result<(String, i64)> {
    let cells = line.trim_matches('"').split_once("\",\"");
    let (account, sum) = cells.with_context(|| line.to_owned())?;
    let digits: String = sum.chars().filter(|c| c.is_ascii_digit() || *c == '-').collect();
    Ok((account.to_owned(), digits.parse()?))
}

fn hledger(journal: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("hledger");
    command
        .arg("-f")
        .arg(journal)
        .args(arguments)
        .env("LC_ALL", "C.UTF-8");
    let ran = command
        .output()
        .context("hledger is not installed: ./test installs it")?;
    ensure!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    Ok(String::from_utf8(ran.stdout)?)
}
