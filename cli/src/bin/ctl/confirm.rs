//! What spends or deletes asks first: on a terminal a question, elsewhere only `--yes`. A rehearsal asks nothing.
use std::io::{self, BufRead, IsTerminal, Read, Write};

use serde::Serialize;

use crate::{
    args::Yes,
    failure::{Failure, Kind, Outcome},
    output::{Out, say},
};

const ANSWER_BYTES_MAX: u64 = 64;

fn refused(message: &str) -> Failure {
    Failure::new(Kind::Usage, "confirmation-needed", message)
}

/// Whether a question can be asked: there is a terminal, and `--no-input` was not given.
pub fn can_ask(out: Out) -> bool {
    !out.no_input && io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Says what will happen, and asks unless `--yes` was given.
pub fn confirm(out: Out, yes: Yes, what: &str) -> Outcome {
    say(what);
    if yes.yes {
        return Ok(());
    }
    if !can_ask(out) {
        return Err(
            refused("this needs a yes, and there is nobody to ask; nothing was done").next("add --yes"),
        );
    }
    match answer("Go ahead? [y/N] ")?.to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(refused("not confirmed; nothing was done")),
    }
}

/// Asks for a line of text.
fn answer(question: &str) -> Outcome<String> {
    let mut answer = String::new();
    let asked = write!(io::stderr(), "{question}");
    let read = asked.and_then(|()| io::stdin().lock().take(ANSWER_BYTES_MAX).read_line(&mut answer));
    read.map_err(|error| refused(&format!("no answer can be read: {error}; nothing was done")))?;
    Ok(answer.trim().to_owned())
}

#[derive(Serialize)]
struct Rehearsal<'a> {
    dry_run: bool,
    would: &'a str,
}

/// What `--dry-run` answers with, once everything that can be checked was.
pub fn rehearsed(out: Out, what: &str) -> Outcome {
    let rehearsal = Rehearsal {
        dry_run: true,
        would: what,
    };
    out.show(&rehearsal, |rehearsal| {
        format!("{}\nNothing was done: this was a dry run.", rehearsal.would)
    })
}
