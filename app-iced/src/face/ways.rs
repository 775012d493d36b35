//! The window's own ways. The host's sentences are written once, for every face, and name commands of a terminal, where
//! everything can be done. Here each of them becomes the window's entry for the same thing, or says that it is for a
//! terminal.
use autopilot_host::desk::Pane;
use autopilot_proto::control::v1::{Cause, PanesReply, StatusReply, Trouble, watch_update::Answer};

use crate::{command::Command, shortcuts};

/// The program of the commands.
const PROGRAM: &str = "autopilotctl";

/// Where the window does what a command does, by the command's first words.
const WAYS: [(&str, Command); 24] = [
    ("provider online", Command::Toggle),
    ("provider offline", Command::Toggle),
    ("status", Command::Open(Pane::GoOnline)),
    ("alerts", Command::Open(Pane::AlertsRecovery)),
    ("wait wallet-connected", Command::Open(Pane::Wallet)),
    ("wallet", Command::Open(Pane::Wallet)),
    ("withdraw", Command::Open(Pane::PayInvoice)),
    ("policy", Command::Open(Pane::Settings)),
    ("model", Command::Open(Pane::Settings)),
    ("relays", Command::Open(Pane::RelayConnections)),
    ("chat", Command::Open(Pane::AutopilotChat)),
    ("jobs", Command::Open(Pane::ActiveJob)),
    ("history", Command::Open(Pane::JobHistory)),
    ("why", Command::Open(Pane::JobHistory)),
    ("refusals", Command::Open(Pane::JobInbox)),
    ("missed", Command::Open(Pane::ProviderStatus)),
    ("canary", Command::Open(Pane::ProviderStatus)),
    ("provider", Command::Open(Pane::ProviderStatus)),
    ("identity backup", Command::Open(Pane::IdentityKeys)),
    ("report", Command::Open(Pane::EarningsScoreboard)),
    ("buy-mode", Command::Open(Pane::NetworkRequests)),
    ("purchase", Command::Open(Pane::NetworkRequests)),
    ("cancel", Command::Open(Pane::NetworkRequests)),
    ("tailnet", Command::Open(Pane::TailnetStatus)),
];

/// Every command of a sentence as the window's way.
pub fn here(sentence: &mut String) {
    if !sentence.contains(PROGRAM) {
        return;
    }
    let mut told = String::with_capacity(sentence.len());
    let mut rest = sentence.as_str();
    while let Some(at) = rest.find(PROGRAM) {
        let (before, command) = rest.split_at(at);
        let (quoted, aside) = (before.ends_with('`'), before.ends_with('('));
        let end = match (quoted, aside) {
            (true, _) => command.find('`'),
            (_, true) => command.find(')'),
            // A step that is nothing but a command.
            _ => None,
        };
        let (command, behind) = command.split_at(end.unwrap_or(command.len()));
        told += before.strip_suffix('`').unwrap_or(before);
        told += &way(command.trim_end(), aside);
        rest = behind.strip_prefix('`').filter(|_| quoted).unwrap_or(behind);
    }
    told += rest;
    *sentence = told;
}

/// One command; in brackets already, or not.
fn way(command: &str, aside: bool) -> String {
    let words = command.strip_prefix(PROGRAM).unwrap_or(command).trim_start();
    let is = |first: &str| {
        words
            .strip_prefix(first)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    match WAYS.iter().find(|(first, _)| is(first)) {
        Some((_, command)) => {
            let keys = shortcuts::of(*command).unwrap_or_else(|| "Ctrl+K".to_owned());
            match aside {
                true => format!("“{}”, {keys}", command.label()),
                false => format!("“{}” ({keys})", command.label()),
            }
        }
        None => format!("`{command}` in a terminal"),
    }
}

/// Everything in an answer that says what to do. Status and panes are answers of commands too, and have their own way in.
pub(super) fn answer_here(answer: &mut Answer) {
    match answer {
        Answer::Alerts(alerts) => {
            for alert in &mut alerts.alerts {
                here(&mut alert.what);
                here(&mut alert.next);
            }
        }
        Answer::Provider(provider) => {
            provider.blockers.iter_mut().for_each(here);
            here(&mut provider.canary);
        }
        Answer::Trouble(trouble) => trouble_here(trouble),
        _ => {}
    }
}

/// How the host is.
pub(super) fn status_here(status: &mut StatusReply) {
    status.blockers.iter_mut().for_each(here);
    status.warnings.iter_mut().for_each(here);
    status.why_no_jobs.iter_mut().for_each(cause_here);
    here(&mut status.earning);
    here(&mut status.canary);
}

/// How the panes are.
pub(super) fn panes_here(panes: &mut PanesReply) {
    for line in &mut panes.panes {
        here(&mut line.sentence);
        here(&mut line.next);
    }
}

fn cause_here(cause: &mut Cause) {
    here(&mut cause.sentence);
    here(&mut cause.next);
}

/// What a refusal says.
pub(super) fn trouble_here(trouble: &mut Trouble) {
    here(&mut trouble.sentence);
    here(&mut trouble.next);
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    fn told(sentence: &str) -> String {
        let mut sentence = sentence.to_owned();
        here(&mut sentence);
        sentence
    }

    #[test]
    fn commands_become_the_windows_own_ways() {
        for (sentence, wished) in [
            ("", ""),
            ("no relay answers", "no relay answers"),
            (
                "autopilotctl provider online",
                "“Switch online or offline” (Ctrl+G)",
            ),
            (
                "check `autopilotctl relays`, then wait",
                "check “Relay Connections” (Ctrl+K), then wait",
            ),
            (
                "it waits (autopilotctl wallet balance). A peer",
                "it waits (“Wallet”, Ctrl+6). A peer",
            ),
            (
                "autopilotctl policy set --min-price 3000msat",
                "“Settings” (Ctrl+,)",
            ),
            (
                "see `autopilotctl debts`",
                "see `autopilotctl debts` in a terminal",
            ),
            (
                "`autopilotctl wallets` and `autopilotctl model pull`, or",
                "`autopilotctl wallets` in a terminal and “Settings” (Ctrl+,), or",
            ),
        ] {
            assert_eq!(told(sentence), wished);
        }
    }

    /// Every command that the host names has a way, or is known to be for a terminal.
    #[test]
    fn no_command_of_the_hosts_sentences_is_forgotten() {
        const TERMINAL: [&str; 6] = [
            "forget",
            "doctor",
            "debts",
            "ledger",
            "identity protect",
            "pane list",
        ];
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut sources = Vec::new();
        for folder in ["host/src", "core/src"] {
            collect(&root.join(folder), &mut sources);
        }
        let mut seen = 0;
        for source in sources {
            let text = fs::read_to_string(&source).unwrap();
            for (at, _) in text.match_indices("autopilotctl ") {
                let command = &text[at..];
                let command = &command[..command.find(['`', '"', ')', '\n']).unwrap()];
                let words = command["autopilotctl ".len()..].trim_end();
                let known = TERMINAL.iter().any(|first| words.starts_with(first));
                let way = way(command, false);
                assert!(
                    known || !way.ends_with("in a terminal"),
                    "{command:?} of {source:?}"
                );
                seen += 1;
            }
        }
        assert!(seen > 30, "{seen}");
    }

    fn collect(folder: &Path, sources: &mut Vec<std::path::PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => collect(&path, sources),
                false => sources.push(path),
            }
        }
    }
}
