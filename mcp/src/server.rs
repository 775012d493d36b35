//! What each tool asks the host, as a table; and how its answer is told.
use std::time::{SystemTime, UNIX_EPOCH};

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, Implementation, ListToolsResult,
        PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::{
    host::{Host, Trouble},
    limits::Limits,
    tools::{PAY, tools},
};

const DAY_MS: u64 = 24 * 3_600_000;
/// Milliseconds of an hour.
const HOUR_MS: u64 = 3_600_000;
const PAY_WAIT_S: u64 = 60;
/// How long a reading of the whole ledger is waited for: a million facts take some seconds.
const VERIFY_WAIT_S: u32 = 60;
const INSTRUCTIONS: &str = "Autopilot earns sats with jobs on a local model. Every figure comes from recorded facts; 1 sat is \
    1000 msat. A refusal carries a code, a sentence and what can be done next: tell the owner the sentence, and do not try to \
    get round it.";

/// The tools of one host.
pub struct Server {
    host: Host,
    /// Where paying was allowed. One payment at a time, so that none is counted against what another one takes.
    limits: Option<Mutex<Limits>>,
}

type Told = Result<Value, Trouble>;

impl Server {
    /// With what may be spent; `None`: paying is not offered.
    pub fn new(host: Host, limits: Option<Limits>) -> Server {
        Server {
            host,
            limits: limits.map(Mutex::new),
        }
    }

    async fn call(&self, name: &str, arguments: Value) -> Told {
        let host = &self.host;
        match name {
            "snapshot" => host.snapshot(&read::<Views>(arguments)?.views).await,
            "provider_status" => host.question("status", none(arguments)?).await,
            "provider_go_online" => host.act("go-online", passed::<Wait>(arguments)?).await,
            "provider_go_offline" => host.act("go-offline", passed::<Reason>(arguments)?).await,
            "wallet_balance" => host.question("balance", none(arguments)?).await,
            "wallet_receive" => self.receive(read(arguments)?).await,
            "jobs_list" => self.jobs(passed::<History>(arguments)?).await,
            "job_explain" => host.question("why", passed::<Job>(arguments)?).await,
            "ledger_verify" => self.verify(read(arguments)?).await,
            "report" => self.report(read(arguments)?).await,
            "missed" => host.question("missed", passed::<Since>(arguments)?).await,
            "panes" => host.question("panes", none(arguments)?).await,
            "pane_open" => host.question("open-pane", passed::<Pane>(arguments)?).await,
            "pane_close" => host.question("close-pane", passed::<Pane>(arguments)?).await,
            PAY => self.pay(read(arguments)?).await,
            other => Err(Trouble::new(
                "unknown-tool",
                format!("there is no tool {other:?}"),
                "",
            )),
        }
    }

    async fn receive(&self, wish: Receive) -> Told {
        let params = json!({
            "amount_msat": wish.amount_sats.saturating_mul(1_000),
            "description": wish.description,
            "expiry_s": wish.expiry_s,
        });
        self.host.act("receive", params).await
    }

    async fn jobs(&self, query: Value) -> Told {
        let open = self.host.question("jobs", json!({})).await?;
        let mut list = self.host.question("history", query).await?;
        list["open"] = open["jobs"].clone();
        Ok(list)
    }

    async fn verify(&self, wish: Verify) -> Told {
        let wait_s = wish.wait_s.unwrap_or(VERIFY_WAIT_S);
        let mut told = self
            .host
            .question("check-ledger", json!({ "wait_s": wait_s }))
            .await?;
        told["heads"] = self.host.question("heads", json!({})).await?;
        Ok(told)
    }

    async fn report(&self, window: Window) -> Told {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // The host counts in parts of an hour and leaves the one that `to_ms` lies in out: now is within the window.
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let to_ms = window.to_ms.unwrap_or((now_ms / HOUR_MS + 1) * HOUR_MS);
        let from_ms = window.from_ms.unwrap_or(to_ms.saturating_sub(DAY_MS));
        let params = json!({ "day_start_ms": from_ms, "day_end_ms": to_ms });
        let mut reply = self.host.question("earnings", params).await?;
        for (told, field) in [("window_msat", "today_msat"), ("window_jobs", "today_jobs")] {
            reply[told] = reply[field].take();
            reply.as_object_mut().map(|fields| fields.remove(field));
        }
        reply["window"] = json!({ "from_ms": from_ms, "to_ms": to_ms });
        Ok(reply)
    }

    /// Pays within both ceilings: what it may cost is set aside before, and counted as what it did cost after.
    async fn pay(&self, wish: Pay) -> Told {
        let Some(limits) = &self.limits else {
            let next = "ask the owner to start autopilot-mcp with --allow-pay --pay-ceiling-sats N";
            return Err(Trouble::new(
                "pay-not-allowed",
                "paying was not allowed here",
                next,
            ));
        };
        let mut limits = limits.lock().await;
        let decoded = self
            .host
            .question("decode", json!({ "payment_request": wish.payment_request }))
            .await?;
        let given_msat = wish.amount_sats.map(|sats| sats.saturating_mul(1_000));
        let Some(amount_msat) = decoded["amount_msat"].as_u64().or(given_msat) else {
            let sentence = "the invoice names no amount, and none was given";
            return Err(Trouble::new("invalid-argument", sentence, "name amount_sats"));
        };
        let usual = || amount_msat.div_ceil(100).max(5_000);
        let fee_ceiling_msat = wish
            .fee_ceiling_sats
            .map_or_else(usual, |sats| sats.saturating_mul(1_000));
        let hash = decoded["payment_hash"].as_str().unwrap_or_default().to_owned();
        limits.reserve(&hash, amount_msat.saturating_add(fee_ceiling_msat))?;
        let params = json!({
            "payment_request": wish.payment_request,
            "amount_msat": decoded["amount_msat"].is_null().then_some(amount_msat),
            "fee_ceiling_msat": fee_ceiling_msat,
            "wait_s": wish.wait_s.unwrap_or(PAY_WAIT_S),
        });
        // Where no answer came the payment may be under way: what was set aside stays so.
        let mut reply = self.host.act("pay", params).await?;
        match reply["status"].as_str() {
            Some("failed") => limits.settle(&hash, 0),
            Some("succeeded") => {
                let cost = |field: &str| reply[field].as_u64().unwrap_or(0);
                limits.settle(&hash, cost("amount_msat").saturating_add(cost("fee_msat")));
            }
            _ => {}
        }
        // It proves a payment, and an agent has nobody to prove it to.
        reply.as_object_mut().map(|fields| fields.remove("preimage"));
        Ok(reply)
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let about = Implementation::new("autopilot-mcp", env!("CARGO_PKG_VERSION"));
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(about)
            .with_instructions(INSTRUCTIONS)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools(self.limits.is_some())
            .into_iter()
            .find(|tool| tool.name == name)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools(self.limits.is_some())))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let told = match self.call(&request.name, arguments).await {
            Ok(reply) => CallToolResult::structured(reply),
            Err(trouble) => CallToolResult::structured_error(json!(trouble)),
        };
        Ok(told.into())
    }
}

fn read<T: DeserializeOwned>(arguments: Value) -> Result<T, Trouble> {
    serde_json::from_value(arguments).map_err(|error| Trouble::new("invalid-argument", error.to_string(), ""))
}

/// Arguments that the host takes as they are, once they were read.
fn passed<T: DeserializeOwned>(arguments: Value) -> Told {
    read::<T>(arguments.clone()).map(|_| arguments)
}

fn none(arguments: Value) -> Told {
    passed::<Nothing>(arguments)
}

/// What tools take. Fields that are passed on as they are need no reader.
macro_rules! arguments {
    ($($name:ident { $($field:ident: $type:ty,)* })*) => {
        $(
            #[derive(Default, Deserialize)]
            #[serde(default, deny_unknown_fields)]
            #[allow(dead_code)] // Read to be checked, and passed on as it came.
            struct $name { $($field: $type,)* }
        )*
    };
}

arguments! {
    Nothing {}
    Verify { wait_s: Option<u32>, }
    Views { views: Vec<String>, }
    Wait { wait_s: u32, }
    Reason { reason: String, }
    Receive { amount_sats: u64, description: String, expiry_s: u32, }
    History { limit: u32, before_sequence: u64, role: String, work: String, money: String, }
    Job { job: String, }
    Window { from_ms: Option<u64>, to_ms: Option<u64>, }
    Since { since_ms: i64, }
    Pane { id: String, }
    Pay { payment_request: String, amount_sats: Option<u64>, fee_ceiling_sats: Option<u64>, wait_s: Option<u64>, }
}
