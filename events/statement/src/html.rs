//! The same figures as one page for people: no script, nothing fetched.
use std::io::{self, Write};

use jiff::Timestamp;

use crate::{Heading, LIMITS, Level, Line, Totals};

/// Writes a page, row by row.
#[derive(Debug)]
pub struct Page<W> {
    out: W,
    number: u64,
}

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:72em;padding:0 1em;color:#222}\
h1{font-size:1.5em}table{border-collapse:collapse;width:100%}th,td{padding:.3em .6em;text-align:left;vertical-align:top;\
border-bottom:1px solid #ddd}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\
code{font-size:.85em;word-break:break-all}.limits{border-left:4px solid #b60;padding:.3em .8em;background:#fff6ec}\
tfoot td{font-weight:600}@media print{body{margin:0;max-width:none}}";

impl<W: Write> Page<W> {
    /// Writes everything above the first row.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn begin(mut out: W, heading: &Heading) -> io::Result<Page<W>> {
        let moment = |ms: Option<i64>, open: &str| ms.map_or(open.to_owned(), utc);
        let node = heading.node.as_deref().unwrap_or("none");
        let witnesses: Vec<_> = heading
            .witnessed_by
            .iter()
            .map(|witness| format!("{} at {}", escape(&witness.by), utc(ms(witness.at_s))))
            .collect();
        let witnesses = match witnesses.is_empty() {
            true => "none that was asked for".to_owned(),
            false => witnesses.join(", "),
        };
        write!(
            out,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Earnings statement</title>\
             <style>{STYLE}</style></head><body>\n<h1>Earnings statement</h1>\n<p class=\"limits\">{}</p>\n<table>\n",
            escape(LIMITS)
        )?;
        let rows = [
            ("Seller", format!("<code>{}</code>", heading.seller)),
            ("From", moment(heading.from_ms, "the beginning")),
            ("To", moment(heading.to_ms, "the head")),
            ("Network", escape(&heading.network)),
            ("Lightning node", format!("<code>{}</code>", escape(node))),
            ("Ledger", format!("<code>{}</code>", escape(&heading.origin))),
            (
                "Head",
                format!("{} facts, signed {}", heading.facts, utc(ms(heading.head_at_s))),
            ),
            ("Root", format!("<code>{}</code>", escape(&heading.root))),
            ("Witnesses", witnesses),
        ];
        for (name, value) in rows {
            writeln!(out, "<tr><th>{name}</th><td>{value}</td></tr>")?;
        }
        writeln!(
            out,
            "</table>\n<h2>Payments</h2>\n<table>\n<thead><tr><th class=\"n\">#</th><th>Settled (UTC)</th>\
             <th class=\"n\">Amount, sat</th><th>What is proven</th><th>Request and payment</th></tr></thead>\n<tbody>"
        )?;
        Ok(Page { out, number: 0 })
    }

    /// Writes a row.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn row(&mut self, line: &Line) -> io::Result<()> {
        self.number += 1;
        let mut proven = line.proven.name().to_owned();
        for (holds, words) in [
            (line.witnessed, "witnessed"),
            (line.prepaid, "paid before the work"),
            (line.erased, "texts erased"),
        ] {
            if holds {
                proven = format!("{proven}<br>{words}");
            }
        }
        let mut details = Vec::new();
        let buyer = line.buyer.map(|buyer| buyer.to_string());
        let model = line.model.as_deref().map(escape);
        for (name, value) in [
            ("request", line.request.as_deref().map(escape)),
            ("buyer", buyer),
            ("payment", Some(line.payment_hash.to_string())),
            ("model", model),
        ] {
            details.extend(value.map(|value| format!("{name} <code>{value}</code>")));
        }
        writeln!(
            self.out,
            "<tr><td class=\"n\">{}</td><td>{}</td><td class=\"n\">{}</td><td>{proven}</td><td>{}<br>fact {}</td></tr>",
            self.number,
            utc(line.settled_at_ms),
            sat(line.amount_msat),
            details.join("<br>"),
            line.fact,
        )
    }

    /// Writes everything below the last row.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn end(mut self, totals: &Totals) -> io::Result<W> {
        writeln!(self.out, "</tbody>\n<tfoot>")?;
        for (name, sum) in [
            (Level::CounterpartyAttested.name(), &totals.counterparty_attested),
            (Level::SelfAttested.name(), &totals.self_attested),
            (Level::Recorded.name(), &totals.recorded),
            ("in all", &totals.all),
        ] {
            writeln!(
                self.out,
                "<tr><td class=\"n\">{}</td><td></td><td class=\"n\">{}</td><td>{name}</td><td></td></tr>",
                sum.lines,
                sat(sum.amount_msat)
            )?;
        }
        writeln!(
            self.out,
            "</tfoot>\n</table>\n<p>Recorded: the seller's ledger says so. Self-attested: invoice and preimage fit, \
             which the payee can always show. Counterparty-attested: the key that asked signed a receipt too. \
             Witnessed: somebody else signed the head of the ledger that the payment is in.</p>\n\
             <p>This page proves nothing by itself: check the file that it was made from with \
             <code>autopilotctl statement verify</code>.</p>\n</body></html>"
        )?;
        Ok(self.out)
    }
}

fn ms(seconds: u64) -> i64 {
    i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX)
}

/// Whole and thousandth satoshi.
fn sat(msat: u64) -> String {
    format!("{}.{:03}", msat / 1_000, msat % 1_000)
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            control if control.is_control() => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

/// A moment as `2026-11-20 15:00:00 UTC`; what no calendar has, as milliseconds.
fn utc(ms: i64) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(moment) => moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => format!("{ms} ms"),
    }
}
