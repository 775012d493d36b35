//! An agent at a real host: the protocol's own client drives `autopilot-mcp`, and what it sees, is refused and pays is what the
//! host says.
use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use autopilot_host::{control::Client, sandbox::ChainKind};
use autopilot_proto::control::v1 as pb;
use autopilot_world_tests::stage::{PRICE_MSAT, Stage, balance_when, order, outcome, program};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, process::Command};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A session of a client: what it was told of server and tools, and of each call.
struct Session {
    said: Value,
}

impl Session {
    async fn of(home: &Path, arguments: &[&str], calls: Value) -> Session {
        let packages = Command::new(root().join("scripts/python-mcp.sh"))
            .output()
            .await
            .unwrap();
        let mut client = Command::new("python3")
            .arg("-B")
            .arg(root().join("replay-tests/mcp_client.py"))
            .arg(program("autopilot-mcp").unwrap())
            .arg("--home")
            .arg(home)
            .args(arguments)
            .env("PYTHONPATH", String::from_utf8(packages.stdout).unwrap().trim())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut input = client.stdin.take().unwrap();
        input.write_all(calls.to_string().as_bytes()).await.unwrap();
        drop(input);
        let output = client.wait_with_output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        Session {
            said: serde_json::from_slice(&output.stdout).unwrap(),
        }
    }

    fn tools(&self) -> Vec<&str> {
        let tools = self.said["tools"].as_array().unwrap();
        tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect()
    }

    /// The value of a call that was answered.
    fn answer(&self, index: usize) -> &Value {
        let result = &self.said["results"][index];
        assert_eq!(result["error"], false, "{result}");
        &result["value"]
    }

    /// The trouble of a call that was refused.
    fn trouble(&self, index: usize) -> &Value {
        let result = &self.said["results"][index];
        assert_eq!(result["error"], true, "{result}");
        &result["value"]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_sees_and_does_what_the_host_lets_it() {
    let stage = Stage::build(ChainKind::Simulated).await.unwrap();
    nobody_is_told_without_a_host().await;
    the_provider_is_driven(&stage).await;
    paying_has_two_ceilings(&stage).await;
    stage.strike().await;
}

async fn nobody_is_told_without_a_host() {
    let folder = tempfile::tempdir().unwrap();
    let session = Session::of(folder.path(), &[], json!([{"tool": "provider_status"}])).await;
    assert_eq!(session.trouble(0)["code"], "unreachable");
    assert!(
        session.trouble(0)["next"]
            .as_str()
            .unwrap()
            .contains("autopilot-headless desktop")
    );
}

async fn the_provider_is_driven(stage: &Stage) {
    let provider = &stage.world.provider;
    let home = provider.home.path();
    let calls = json!([
        {"tool": "provider_go_online", "arguments": {"wait_s": 120}},
        {"tool": "provider_status"},
        {"tool": "pane_open", "arguments": {"id": "pane.wallet"}},
        {"tool": "snapshot", "arguments": {"views": ["status", "panes"]}},
        {"tool": "wallet_balance"},
        {"tool": "ledger_verify"},
        {"tool": "report"},
        {"tool": "missed"},
        {"tool": "job_explain", "arguments": {"job": "00000000"}},
        {"tool": "wallet_pay", "arguments": {"payment_request": "lnbcrt1"}},
        {"tool": "provider_status", "arguments": {"more": 1}},
    ]);
    let session = Session::of(home, &[], calls).await;
    assert_eq!(session.said["server"]["serverInfo"]["name"], "autopilot-mcp");
    assert!(
        !session.tools().contains(&"wallet_pay"),
        "paying is offered by the owner's word only"
    );
    assert_eq!(session.answer(0)["state"], "online");
    assert_eq!(session.answer(1)["can_earn"], true);
    let views = &session.answer(3)["views"];
    assert_eq!(views["status"]["state"], "online");
    let wallet = views["panes"]["panes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|pane| pane["id"] == "pane.wallet");
    assert_eq!(wallet.unwrap()["open"], true);
    let balance = provider
        .client()
        .unwrap()
        .balance(pb::BalanceRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(session.answer(4)["spendable_msat"], balance.spendable_msat);
    let read = session.answer(5);
    assert_eq!(
        (&read["over"], &read["whole"], &read["facts"]),
        (&true.into(), &true.into(), &read["of"])
    );
    assert!(read["of"].as_u64().unwrap() > 0, "{read}");
    assert_eq!(session.answer(6)["earned_msat"], 0);
    assert_eq!(session.trouble(8)["code"], "not-found");
    assert_eq!(session.trouble(9)["code"], "pay-not-allowed");
    assert_eq!(session.trouble(10)["code"], "invalid-argument");
    let token = std::fs::read_to_string(home.join("run/control.json")).unwrap();
    let token: Value = serde_json::from_str(&token).unwrap();
    assert!(
        !session
            .said
            .to_string()
            .contains(token["token"].as_str().unwrap())
    );

    let mut buyer = stage.world.buyer.client().unwrap();
    let purchase = order(&mut buyer, &provider.pubkey, "What is a sat?")
        .await
        .unwrap();
    assert_eq!(
        outcome(&mut buyer, &purchase).await.unwrap().paid_msat,
        PRICE_MSAT
    );
    let mut client = provider.client().unwrap();
    balance_when(&mut client, "the job is settled", |balance| {
        balance.earned_msat == PRICE_MSAT
    })
    .await
    .unwrap();
    let listed = Session::of(
        home,
        &[],
        json!([{"tool": "jobs_list", "arguments": {"limit": 5}}]),
    )
    .await;
    let rows = &listed.answer(0)["rows"];
    let job = rows[0]["job_id"].as_str().unwrap();
    let calls = json!([{"tool": "job_explain", "arguments": {"job": job}}, {"tool": "report"}]);
    let after = Session::of(home, &[], calls).await;
    assert_eq!(after.answer(0)["job_id"], job);
    assert_eq!(after.answer(0)["paid"], true);
    assert_eq!(after.answer(1)["earned_msat"], PRICE_MSAT);
    assert_eq!(after.answer(1)["window_msat"], PRICE_MSAT);
}

/// An invoice of the provider, made by an agent.
async fn invoice(stage: &Stage, sats: u64) -> String {
    let calls = json!([{"tool": "wallet_receive", "arguments": {"amount_sats": sats, "description": "for an agent"}}]);
    let session = Session::of(stage.world.provider.home.path(), &[], calls).await;
    session.answer(0)["payment_request"].as_str().unwrap().to_owned()
}

async fn sent_msat(buyer: &mut Client) -> u64 {
    buyer
        .balance(pb::BalanceRequest {})
        .await
        .unwrap()
        .into_inner()
        .sent_msat
}

async fn paying_has_two_ceilings(stage: &Stage) {
    let home = stage.world.buyer.home.path();
    let (small, other, large) = (
        invoice(stage, 7).await,
        invoice(stage, 6).await,
        invoice(stage, 50).await,
    );
    let pay = |invoice: &str| json!({"tool": "wallet_pay", "arguments": {"payment_request": invoice, "fee_ceiling_sats": 5}});
    let limits = [
        "--allow-pay",
        "--pay-ceiling-sats",
        "15",
        "--pay-session-sats",
        "15",
    ];
    let mut buyer = stage.world.buyer.client().unwrap();
    let before = sent_msat(&mut buyer).await;
    let garbage = json!({"tool": "wallet_pay", "arguments": {"payment_request": "lnbcrt1nothing"}});
    let calls = json!([pay(&large), pay(&small), pay(&small), pay(&other), garbage]);
    let session = Session::of(home, &limits, calls).await;
    assert!(session.tools().contains(&"wallet_pay"));
    assert_eq!(session.trouble(0)["code"], "pay-ceiling");
    let paid = session.answer(1);
    assert_eq!(
        (paid["status"].as_str(), paid["amount_msat"].as_u64()),
        (Some("succeeded"), Some(7_000))
    );
    assert!(paid.get("preimage").is_none(), "{paid}");
    assert_eq!(
        session.answer(2)["payment_hash"],
        paid["payment_hash"],
        "the same invoice is paid once"
    );
    assert_eq!(session.trouble(3)["code"], "session-ceiling");
    assert!(!session.trouble(4)["sentence"].as_str().unwrap().is_empty());
    assert_eq!(sent_msat(&mut buyer).await - before, 7_000);
}
