//! JSON-RPC to the node over HTTP, blocking and bounded.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{fmt, time::Duration};

/// Mining a hundred blocks takes about a second on a busy machine; beyond this the node hangs.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The largest answer accepted, in bytes: a full block as hex is 8 MB.
const ANSWER_MAX_BYTES: usize = 16 * 1024 * 1024;

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// No answer: the node is not up, or hangs.
    #[error("{method}: no answer from bitcoind: {reason}")]
    Unreachable {
        /// The method that was called.
        method: String,
        /// What the connection said.
        reason: String,
    },
    /// The node refused, in its own words.
    #[error("{method}: bitcoind refused ({code}): {message}")]
    Refused {
        /// The method that was called.
        method: String,
        /// Core's error code, for example -28 while it starts.
        code: i64,
        /// Core's own message.
        message: String,
    },
    /// The answer was not of the expected form.
    #[error("{method}: an answer of another form than expected")]
    Form {
        /// The method that was called.
        method: String,
    },
}

/// Where a node listens and how to log in. Its `Debug` form hides the password.
#[derive(Clone)]
pub struct Rpc {
    /// The address, always the loopback.
    pub host: String,
    /// The TCP port of JSON-RPC.
    pub port: u16,
    /// The user's name.
    pub user: String,
    /// The password, drawn for this node.
    pub password: String,
}

impl fmt::Debug for Rpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rpc({}@{}:{})", self.user, self.host, self.port)
    }
}

impl Rpc {
    /// Calls a method with positional parameters and returns its `result`.
    pub fn call(&self, method: &str, params: &[Value]) -> Result<Value, RpcError> {
        let unreachable = |reason: String| RpcError::Unreachable {
            method: method.into(),
            reason,
        };
        let login = STANDARD.encode(format!("{}:{}", self.user, self.password));
        let body = json!({"jsonrpc": "1.0", "id": 0, "method": method, "params": params}).to_string();
        let answer = bitreq::post(format!("http://{}:{}/", self.host, self.port))
            .with_header("Authorization", format!("Basic {login}"))
            .with_header("Content-Type", "application/json")
            .with_body(body)
            .with_timeout(TIMEOUT)
            .with_max_body_size(ANSWER_MAX_BYTES)
            .send()
            .map_err(|error| unreachable(error.to_string()))?;
        if answer.status_code == 401 {
            return Err(unreachable("wrong user or password".into()));
        }
        // Core answers an error with status 500 and a JSON body: the body decides.
        let mut answer: Value = serde_json::from_slice(answer.as_bytes())
            .map_err(|_| unreachable(format!("status {} without JSON", answer.status_code)))?;
        match answer.get("error") {
            None | Some(Value::Null) => Ok(answer["result"].take()),
            Some(error) => Err(RpcError::Refused {
                method: method.into(),
                code: error["code"].as_i64().unwrap_or_default(),
                message: error["message"].as_str().unwrap_or_default().into(),
            }),
        }
    }
}
