//! Which server, which model, which key, and what bounds hold.
use std::{
    fmt,
    fs::File,
    io::Read,
    net::IpAddr,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use autopilot_core::ports::model::{ModelError, ServerFault};
use reqwest::{Url, header::HeaderValue};

/// Longest key that is read, bytes.
const KEY_BYTES_MAX: u64 = 4 << 10;

/// How a server is reached, and bounded.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Address up to and with the version: `http://127.0.0.1:8080/v1`.
    pub url: Url,
    /// The name that the server knows the model by; `None`: the only one that it serves.
    pub model: Option<String>,
    /// File with the key, readable by its owner alone; `None`: the server wants none. Read anew for each request.
    pub key_file: Option<PathBuf>,
    /// Requests that are sent at the same time, 1 to 64; further ones wait here.
    pub in_flight_max: u32,
    /// Requests that may wait.
    pub queue_max: usize,
    /// Context length in tokens; 0: what the server says, if it does.
    pub n_ctx: u32,
    /// Most bytes of an output.
    pub output_bytes_max: usize,
    /// Longest that a list of models may take.
    pub probe_bound: Duration,
    /// Longest silence of the server while it works.
    pub silence_bound: Duration,
    /// How long a server that can't be reached, or has no room, is asked again for one request.
    pub patience: Duration,
}

impl ServerConfig {
    /// The defaults for an address.
    ///
    /// # Errors
    /// A sentence, when the address could leak prompts or a key, or is none.
    pub fn new(url: &str) -> Result<ServerConfig, String> {
        Ok(ServerConfig {
            url: base(url)?,
            model: None,
            key_file: None,
            in_flight_max: 64,
            queue_max: 64,
            n_ctx: 0,
            output_bytes_max: 64 << 10,
            probe_bound: Duration::from_secs(10),
            silence_bound: Duration::from_secs(120),
            patience: Duration::from_secs(5),
        })
    }

    /// Whether the server runs on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }

    /// The address of one of its calls.
    pub(crate) fn call(&self, path: &str) -> String {
        format!("{}/{path}", self.url.as_str().trim_end_matches('/'))
    }

    /// The header that shows the key, where there is one.
    pub(crate) fn authorisation(&self) -> Result<Option<HeaderValue>, ModelError> {
        let Some(path) = &self.key_file else {
            return Ok(None);
        };
        let unusable = |why: String| ModelError::Server {
            fault: ServerFault::Unauthorised,
            detail: format!("the key file {}: {why}", path.display()),
        };
        let key = Key::read(path).map_err(unusable)?;
        let mut value = HeaderValue::from_str(&format!("Bearer {}", key.0))
            .map_err(|_| unusable("a key is one line of visible characters".into()))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// A key; it is shown to nobody but its server.
struct Key(String);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    fn read(path: &Path) -> Result<Key, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let about = file.metadata().map_err(|error| error.to_string())?;
        if !about.is_file() {
            return Err("it is no file".into());
        }
        if about.mode() & 0o077 != 0 {
            return Err(format!("others may read it: chmod 600 {}", path.display()));
        }
        let mut text = String::new();
        file.take(KEY_BYTES_MAX)
            .read_to_string(&mut text)
            .map_err(|_| "a key is one line of visible characters".to_owned())?;
        let key = text.trim();
        match key.is_empty() || key.chars().any(|c| !c.is_ascii_graphic()) {
            true => Err("a key is one line of visible characters".into()),
            false => Ok(Key(key.to_owned())),
        }
    }
}

/// The address, checked: https anywhere, http on this machine alone, no secret in it.
fn base(text: &str) -> Result<Url, String> {
    let mut url = Url::parse(text)
        .map_err(|error| format!("the model server's url {text:?} is no address: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the model server's url holds a user or password: put the key into a file and name it as key_file".into());
    }
    if url.query().is_some() || url.fragment().is_some() || url.host_str().is_none() {
        return Err("the model server's url is a plain address, like http://127.0.0.1:8080/v1".into());
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => {
            return Err(format!(
                "http would show prompts to the network: write https://{}, or tunnel the server to 127.0.0.1",
                url.host_str().unwrap_or_default()
            ));
        }
        other => return Err(format!("{other} is neither http nor https")),
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(if path.is_empty() { "/v1" } else { &path });
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn an_address_shows_nothing_to_the_network() {
        let good = |text: &str, expect: &str| assert_eq!(base(text).unwrap().as_str(), expect);
        good("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1");
        good("http://localhost:11434/v1/", "http://localhost:11434/v1");
        good("http://[::1]:8000/v1", "http://[::1]:8000/v1");
        good("https://models.example/api", "https://models.example/api");
        for (text, expect) in [
            ("http://192.168.1.5:8080/v1", "http would show"),
            ("http://localhost.example/v1", "http would show"),
            ("https://user:secret@models.example/v1", "key_file"),
            ("https://models.example/v1?key=secret", "plain address"),
            ("ftp://127.0.0.1/", "neither http nor https"),
            ("models", "no address"),
        ] {
            let refused = base(text).unwrap_err();
            assert!(
                refused.contains(expect) && !refused.contains("secret"),
                "{refused}"
            );
        }
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_and_none_is_ever_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let mut config = ServerConfig::new("http://127.0.0.1:1").unwrap();
        assert_eq!(config.authorisation().unwrap(), None);
        config.key_file = Some(path.clone());
        let check = |content: &str, mode: u32, expect: Result<&str, &str>| {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            match (config.authorisation(), expect) {
                (Ok(Some(value)), Ok(expect)) => {
                    assert_eq!(value.to_str().unwrap(), expect);
                    assert!(!format!("{value:?}").contains("sk-1"));
                }
                (Err(error), Err(expect)) => {
                    let words = error.to_string();
                    assert!(words.contains(expect) && !words.contains("sk-1"), "{words}");
                }
                other => panic!("{other:?}"),
            }
        };
        check("sk-1\n", 0o600, Ok("Bearer sk-1"));
        check("sk-1", 0o644, Err("chmod 600"));
        check("sk-1\nsk-1b", 0o600, Err("one line"));
        check("", 0o600, Err("one line"));
    }
}
