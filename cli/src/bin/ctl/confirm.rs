//! What spends asks first: on a terminal a question, elsewhere only `--yes`.
use std::io::{self, BufRead, IsTerminal, Read, Write};

use crate::{
    args::Yes,
    failure::{Failure, Kind, Outcome},
    output::say,
};

const ANSWER_BYTES_MAX: u64 = 64;

/// Says what will happen, and asks unless `--yes` was given.
pub fn confirm(yes: Yes, what: &str) -> Outcome {
    say(what);
    if yes.yes {
        return Ok(());
    }
    let refused = |message: &str| Failure::new(Kind::Usage, "confirmation-needed", message);
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(
            refused("this spends, and there is no terminal to ask on; nothing was done").next("add --yes"),
        );
    }
    let mut answer = String::new();
    let asked = write!(io::stderr(), "Go ahead? [y/N] ");
    let read = asked.and_then(|()| io::stdin().lock().take(ANSWER_BYTES_MAX).read_line(&mut answer));
    match read {
        Ok(_) if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") => Ok(()),
        _ => Err(refused("not confirmed; nothing was done")),
    }
}
