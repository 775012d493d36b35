//! The HTTP control of the host, as a client.
use std::{path::PathBuf, time::Duration};

use reqwest::{Client, RequestBuilder};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::manifest::Manifest;

/// How long a host may take to answer, beyond what it was asked to wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// A refusal or failure, in the host's own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{sentence}")]
pub struct Trouble {
    /// Closed code.
    pub code: String,
    /// For a person.
    pub sentence: String,
    /// What can be done, or empty.
    pub next: String,
}

impl Trouble {
    pub fn new(code: &str, sentence: impl Into<String>, next: &str) -> Trouble {
        Trouble {
            code: code.to_owned(),
            sentence: sentence.into(),
            next: next.to_owned(),
        }
    }
}

#[derive(Deserialize)]
struct Refused {
    error: Trouble,
}

/// A host that may come and go.
pub struct Host {
    home: PathBuf,
    client: Client,
}

impl Host {
    /// Of a home folder.
    ///
    /// # Errors
    /// No client can be made.
    pub fn new(home: PathBuf) -> Result<Host, reqwest::Error> {
        // What is for this machine goes through no proxy, and no other place is gone to.
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        Ok(Host {
            home,
            client: client.build()?,
        })
    }

    /// Views, all or those that are named.
    ///
    /// # Errors
    /// What the host says, or that it can't be reached.
    pub async fn snapshot(&self, views: &[String]) -> Result<Value, Trouble> {
        let query = match views {
            [] => String::new(),
            views => format!("?views={}", views.join(",")),
        };
        self.ask(|host| host.get(&format!("/v1/snapshot{query}"))).await
    }

    /// A call that changes nothing that lasts.
    ///
    /// # Errors
    /// As [`Host::snapshot`].
    pub async fn question(&self, command: &str, params: Value) -> Result<Value, Trouble> {
        self.command(&json!({ "command": command, "params": params }))
            .await
    }

    /// A call that changes something: under a key of its own, so that asking again after a broken connection does it once.
    ///
    /// # Errors
    /// As [`Host::snapshot`].
    pub async fn act(&self, command: &str, params: Value) -> Result<Value, Trouble> {
        let key = format!("mcp-{:032x}", rand::random::<u128>());
        self.command(&json!({ "command": command, "key": key, "params": params }))
            .await
    }

    async fn command(&self, order: &Value) -> Result<Value, Trouble> {
        let wait_s = order["params"]["wait_s"].as_u64().unwrap_or(0);
        let body = order.to_string();
        let answer = self.ask(|host| {
            let request = host.post("/v1/commands", &body);
            request.timeout(PATIENCE + Duration::from_secs(wait_s))
        });
        Ok(answer.await?["reply"].take())
    }

    /// Asks, and once more where the connection broke: the host may just have been started again.
    async fn ask(&self, request: impl Fn(&Reached<'_>) -> RequestBuilder) -> Result<Value, Trouble> {
        let once = async || {
            let manifest = Manifest::read(&self.home).ok_or_else(|| self.nobody())?;
            let reached = Reached {
                client: &self.client,
                manifest: &manifest,
            };
            match request(&reached).send().await {
                Ok(answer) => Ok(Some(answer)),
                Err(error) if error.is_timeout() => Err(Trouble::new(
                    "timeout",
                    "the host did not answer in time",
                    "ask for provider_status",
                )),
                Err(_) => Ok(None),
            }
        };
        let answer = match once().await? {
            Some(answer) => answer,
            None => {
                tokio::time::sleep(Duration::from_secs(1)).await;
                once().await?.ok_or_else(|| self.nobody())?
            }
        };
        let fine = answer.status().is_success();
        let text = answer.text().await.map_err(|_| self.nobody())?;
        let unread = || Trouble::new("internal", "the host's answer can't be read", "");
        match fine {
            true => serde_json::from_str(&text).map_err(|_| unread()),
            false => {
                Err(serde_json::from_str::<Refused>(&text).map_or_else(|_| unread(), |refused| refused.error))
            }
        }
    }

    fn nobody(&self) -> Trouble {
        Trouble::new(
            "unreachable",
            format!("no host is running for the home folder {}", self.home.display()),
            "start one: `autopilot-headless desktop --home DIR`, the app, or `autopilotctl status`",
        )
    }
}

/// A host whose place is known.
struct Reached<'a> {
    client: &'a Client,
    manifest: &'a Manifest,
}

impl Reached<'_> {
    fn get(&self, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.manifest.address);
        self.client
            .get(url)
            .bearer_auth(&self.manifest.token)
            .timeout(PATIENCE)
    }

    fn post(&self, path: &str, body: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.manifest.address);
        let request = self.client.post(url).bearer_auth(&self.manifest.token);
        request
            .header("content-type", "application/json")
            .body(body.to_owned())
    }
}
