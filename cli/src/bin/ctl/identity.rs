//! The identity: shown, backed up, protected, restored. Words and passphrases are in no argument, reply or log.
use std::{
    fs,
    io::{self, IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use autopilot_cli::passphrase;
use autopilot_host::{
    home::Home,
    identity::{self as offline},
    secrets::{Key, Protection, Secrets, SecretsError, expose, protection},
};
use autopilot_proto::control::v1::{IdentityReply, IdentityRequest};
use serde::Serialize;

use crate::{
    args::{Identity, NewPassphrase, Yes},
    confirm::{can_ask, confirm, rehearsed},
    connect::{call, connect},
    failure::{Failure, Kind, Outcome},
    output::{Out, at, fields, say},
};

pub async fn identity(home: &Path, out: Out, action: Identity) -> Outcome {
    match action {
        Identity::Show => show(home, out).await,
        Identity::Backup { to, passphrase, yes } => {
            let file = passphrase.passphrase_file;
            backup(home, out, to.as_deref(), file.as_deref(), yes).await
        }
        Identity::Protect { keyring, new } => protect(home, out, keyring, &new).await,
        Identity::Unprotect { passphrase, yes } => {
            unprotect(home, out, passphrase.passphrase_file.as_deref(), yes).await
        }
        Identity::ChangePassphrase { passphrase, new } => {
            change(home, out, passphrase.passphrase_file.as_deref(), &new).await
        }
        Identity::Restore {
            words_file,
            passphrase_file,
        } => restore(home, out, words_file.as_deref(), passphrase_file.as_deref()),
    }
}

/// A home folder that has an identity. Looking makes none.
pub fn existing(path: &Path) -> Outcome<Home> {
    let file = path.join("identity.age");
    match file.exists() {
        true => Home::open(path).map_err(|error| SecretsError::from(error).into()),
        false => Err(Failure::new(
            Kind::NotFound,
            "identity-missing",
            format!("there is no identity at {}", file.display()),
        )
        .next("name the home folder with --home; a host makes an identity at its first start")),
    }
}

fn no_terminal(error: io::Error) -> Failure {
    Failure::new(
        Kind::Usage,
        "usage",
        format!("no passphrase can be read: {error}"),
    )
}

/// Opens the identity, asking for its passphrase where that may be.
pub fn open(home: &Home, out: Out, file: Option<&Path>) -> Outcome<Secrets> {
    let key = passphrase::key(home, file, can_ask(out)).map_err(no_terminal)?;
    Ok(Secrets::open(home, &key)?)
}

fn new_key(out: Out, new: &NewPassphrase) -> Outcome<Key> {
    let key = passphrase::new_key(new.new_passphrase_file.as_deref(), can_ask(out)).map_err(no_terminal)?;
    key.ok_or_else(|| {
        Failure::new(
            Kind::Usage,
            "passphrase-needed",
            "a new passphrase is needed, and there is nobody to ask",
        )
        .next("add --new-passphrase-file FILE")
    })
}

/// Records what was done: by the host that runs, else in the ledger itself.
async fn note(home: &Home, secrets: &Secrets, request: IdentityRequest) -> Outcome {
    let recorded = match connect(home.path()).await {
        Ok(mut client) => call(client.identity(request)).await.map(|_| true),
        Err(_) => offline::record(home, secrets, &request)
            .await
            .map_err(Failure::from),
    };
    match recorded {
        Ok(true) => Ok(()),
        Ok(false) => {
            say("There is no ledger yet, so this is not recorded.");
            Ok(())
        }
        Err(failure) => Err(Failure::new(
            failure.kind,
            &failure.code,
            format!("it was done, and could not be recorded: {}", failure.message),
        )),
    }
}

async fn show(path: &Path, out: Out) -> Outcome {
    if let Ok(mut client) = connect(path).await {
        let reply = call(client.identity(IdentityRequest::default())).await?;
        return out.show(&reply, text);
    }
    let home = existing(path)?;
    let known = offline::known(path).await?.ok_or_else(|| {
        Failure::new(Kind::NotFound, "not-found", "the ledger has no first fact yet")
            .next("start a host on it: autopilot-headless provider")
    })?;
    let reply = IdentityReply {
        npub: known.npub,
        public_key: known.public_key,
        network: known.network,
        protected_by: protection(&home).name().to_owned(),
        ..IdentityReply::default()
    };
    out.show(&reply, text)
}

fn text(reply: &IdentityReply) -> String {
    let backed_up = match (reply.backed_up_at_ms, &reply.basis) {
        (Some(ms), _) => at(ms),
        (None, Some(_)) => "never: autopilotctl identity backup".to_owned(),
        // Without a host nobody folded the facts.
        (None, None) => String::new(),
    };
    fields(&[
        ("npub", reply.npub.clone()),
        ("public key", reply.public_key.clone()),
        ("network", reply.network.clone()),
        ("protected by", reply.protected_by.clone()),
        ("backed up", backed_up),
    ])
}

#[derive(Serialize)]
struct Done<'a> {
    done: &'a str,
    protected_by: &'a str,
}

fn done(home: &Home, out: Out, done: &str, words: &str) -> Outcome {
    let protected_by = protection(home).name();
    out.show(&Done { done, protected_by }, |_| words.to_owned())
}

async fn backup(path: &Path, out: Out, to: Option<&Path>, file: Option<&Path>, yes: Yes) -> Outcome {
    let home = existing(path)?;
    let what = match to {
        Some(to) => format!(
            "Write the words of this identity, unprotected, to {}.",
            to.display()
        ),
        None => "Show the words of this identity on this screen: whoever sees them can spend everything."
            .to_owned(),
    };
    if to.is_none() && (out.json || !can_ask(out) || !io::stdout().is_terminal()) {
        let message = "words are shown on a terminal only";
        return Err(
            Failure::new(Kind::Usage, "terminal-needed", message).next("name a new file with --to FILE")
        );
    }
    let secrets = open(&home, out, file)?;
    if yes.dry_run {
        return rehearsed(out, &what);
    }
    confirm(out, yes, &what)?;
    match to {
        None => on_screen(&secrets.words())?,
        Some(to) => into_file(to, &secrets.words())?,
    }
    let backed_up_to = if to.is_some() { "file" } else { "terminal" }.to_owned();
    let request = IdentityRequest {
        backed_up_to,
        ..IdentityRequest::default()
    };
    note(&home, &secrets, request).await?;
    done(
        &home,
        out,
        "backed-up",
        "Backed up. The words bring back keys and on-chain funds, not channels: keep the home folder too.",
    )
}

/// On the terminal's second screen, which leaves nothing to scroll back to.
fn on_screen(words: &str) -> Outcome {
    let numbered: Vec<String> = words
        .split(' ')
        .enumerate()
        .map(|(number, word)| format!("{:>2}  {word}", number + 1))
        .collect();
    let mut stderr = io::stderr();
    let shown = write!(
        stderr,
        "\x1b[?1049h\x1b[H{}\n\nWrite them down on paper, in this order, and press Enter. ",
        numbered.join("\n")
    );
    let mut line = String::new();
    let read = shown.and_then(|()| io::stdin().read_line(&mut line));
    // The screen goes back whatever happened.
    let back = write!(stderr, "\x1b[?1049l");
    let failed =
        |error: io::Error| Failure::new(Kind::Other, "output", format!("the terminal is gone: {error}"));
    read.map_err(failed)?;
    back.map_err(failed)
}

fn into_file(path: &Path, words: &str) -> Outcome {
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| {
            file.write_all(format!("{words}\n").as_bytes())?;
            file.sync_all()
        });
    written.map_err(|error| {
        Failure::new(Kind::Refused, "file", format!("{}: {error}", path.display()))
            .next("name a new file with --to FILE")
    })
}

async fn protect(path: &Path, out: Out, keyring: bool, new: &NewPassphrase) -> Outcome {
    let home = existing(path)?;
    let already = |by: &str, next: &str| {
        let message = format!("the identity is protected by {by} already");
        Err(Failure::new(Kind::Refused, "already-so", message).next(next))
    };
    match (protection(&home), keyring) {
        (Protection::Passphrase, false) => {
            return already("a passphrase", "autopilotctl identity change-passphrase");
        }
        (Protection::Passphrase, true) => return already("a passphrase", "autopilotctl identity unprotect"),
        (Protection::Keyring, true) => return already("the keyring", "autopilotctl identity show"),
        _ => {}
    }
    let secrets = Secrets::open(&home, &Key::of(&home))?;
    let (key, by, words) = match keyring {
        true => (
            Key::Keyring,
            "keyring",
            "Protected. The desktop's keyring opens the identity; back up the words: without that keyring nothing else does.",
        ),
        false => (
            new_key(out, new)?,
            "passphrase",
            "Protected. A host asks for the passphrase at its start, or reads it from --passphrase-file; without it everything here is lost.",
        ),
    };
    secrets.protect(&home, &key)?;
    noted(&home, &secrets, by).await?;
    done(&home, out, "protected", words)
}

async fn noted(home: &Home, secrets: &Secrets, by: &str) -> Outcome {
    let request = IdentityRequest {
        protected_by: by.to_owned(),
        ..IdentityRequest::default()
    };
    note(home, secrets, request).await
}

async fn unprotect(path: &Path, out: Out, file: Option<&Path>, yes: Yes) -> Outcome {
    let home = existing(path)?;
    if protection(&home) == Protection::Folder {
        return Err(SecretsError::AlreadySo("the identity is protected by its folder alone already").into());
    }
    let secrets = open(&home, out, file)?;
    let what = format!(
        "Give the passphrase up: whoever can read {} then has the identity.",
        path.display()
    );
    if yes.dry_run {
        return rehearsed(out, &what);
    }
    confirm(out, yes, &what)?;
    secrets.unprotect(&home)?;
    noted(&home, &secrets, "folder").await?;
    done(
        &home,
        out,
        "unprotected",
        "The folder's permissions alone protect the identity now.",
    )
}

async fn change(path: &Path, out: Out, file: Option<&Path>, new: &NewPassphrase) -> Outcome {
    let home = existing(path)?;
    if protection(&home) == Protection::Folder && file.is_none() {
        let message = "the identity has no passphrase of its own";
        return Err(Failure::new(Kind::Refused, "already-so", message).next("autopilotctl identity protect"));
    }
    let secrets = open(&home, out, file)?;
    secrets.protect(&home, &new_key(out, new)?)?;
    noted(&home, &secrets, "passphrase").await?;
    done(
        &home,
        out,
        "changed",
        "The new passphrase opens the identity; the old one does not any more.",
    )
}

fn restore(path: &Path, out: Out, words_file: Option<&Path>, passphrase_file: Option<&Path>) -> Outcome {
    let words = match words_file {
        Some(file) => fs::read_to_string(file)
            .map_err(|error| Failure::usage(format!("{} can't be read: {error}", file.display())))?,
        None if can_ask(out) => expose(&passphrase::typed("Words of the identity: ").map_err(no_terminal)?),
        None => {
            let message = "the words are needed, and there is nobody to ask";
            return Err(Failure::new(Kind::Usage, "words-needed", message).next("add --words-file FILE"));
        }
    };
    let home = Home::open(path).map_err(SecretsError::from)?;
    let key = passphrase_file.map_or(Key::Own, |file| Key::File(file.to_owned()));
    Secrets::restore(&home, &words, &key)?;
    let words = "Restored. Channels are not: what was in them comes back on chain once the peers close them.";
    done(&home, out, "restored", words)?;
    out.hint("autopilot-headless provider --network …");
    Ok(())
}
