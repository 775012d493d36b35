//! The simulated chain over its own RPC, spoken to as a wallet would: plain HTTP.
#![allow(clippy::unwrap_used)]
use std::{net::SocketAddr, time::Duration};

use autopilot_simchain::{FIRST_BLOCKS, Options, SimChain};
use bitcoin::{Address, Block, Network, Transaction, consensus::encode::deserialize_hex, hex::DisplayHex};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn address() -> String {
    let script = bitcoin::ScriptBuf::from_bytes(vec![0x51]);
    Address::p2wsh(&script, Network::Regtest).to_string()
}

async fn call_as(chain: &SimChain, auth: &str, method: &str, params: Value) -> (u16, Value) {
    let body = json!({"id": 1, "method": method, "params": params}).to_string();
    let mut stream = TcpStream::connect((chain.host.as_str(), chain.port))
        .await
        .unwrap();
    let length = body.len();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nAuthorization: {auth}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

async fn call(chain: &SimChain, method: &str, params: Value) -> Value {
    // "simulated:" and the password, in base64 by another hand than the server's.
    let text = format!("{}:{}", chain.user, chain.password);
    let auth = format!("Basic {}", base64(text.as_bytes()));
    call_as(chain, &auth, method, params).await.1
}

fn base64(bytes: &[u8]) -> String {
    let table: Vec<char> = ('A'..='Z')
        .chain('a'..='z')
        .chain('0'..='9')
        .chain(['+', '/'])
        .collect();
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let mut text: String = (0..bits.len())
        .step_by(6)
        .map(|at| format!("{:0<6}", &bits[at..bits.len().min(at + 6)]))
        .map(|six| table[usize::from_str_radix(&six, 2).unwrap()])
        .collect();
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

#[tokio::test]
async fn it_answers_what_wallets_ask() {
    let chain = SimChain::start(anywhere()).await.unwrap();
    let info = call(&chain, "getblockchaininfo", json!([])).await["result"].clone();
    assert_eq!(
        (info["chain"].as_str(), info["blocks"].as_u64()),
        (Some("regtest"), Some(u64::from(FIRST_BLOCKS)))
    );
    assert!(info["warnings"].as_str().unwrap().contains("simulated"));

    let txid = chain.fund(&address(), 50_000).unwrap().to_string();
    assert_eq!(
        call(&chain, "getrawmempool", json!([false])).await["result"],
        json!([txid])
    );
    assert_eq!(
        call(&chain, "gettxout", json!([txid, 0, false])).await["result"],
        Value::Null
    );
    assert_eq!(chain.mine(1).unwrap(), FIRST_BLOCKS + 1);
    let out = call(&chain, "gettxout", json!([txid, 0, false])).await["result"].clone();
    assert_eq!(
        (out["value"].as_f64(), out["confirmations"].as_u64()),
        (Some(0.0005), Some(1))
    );

    let tip = chain.tip().1.to_string();
    let block = call(&chain, "getblock", json!([tip, 0])).await["result"].clone();
    let block: Block = deserialize_hex(block.as_str().unwrap()).unwrap();
    assert!(block.check_merkle_root() && block.check_witness_commitment());
    block.header.validate_pow(block.header.target()).unwrap();
    let header = call(&chain, "getblockheader", json!([tip])).await["result"].clone();
    assert_eq!(
        header["previousblockhash"],
        json!(block.header.prev_blockhash.to_string())
    );
    assert_eq!(header["height"], json!(FIRST_BLOCKS + 1));
}

#[tokio::test]
async fn it_refuses_strangers_double_spends_and_made_up_money() {
    let chain = SimChain::start(anywhere()).await.unwrap();
    assert_eq!(
        call_as(&chain, "Basic eA==", "getblockcount", json!([])).await.0,
        401
    );
    assert_eq!(call(&chain, "nonsense", json!([])).await["error"]["code"], -32601);

    let txid = chain.fund(&address(), 50_000).unwrap().to_string();
    let hex = call(&chain, "getrawtransaction", json!([txid])).await["result"].clone();
    let tx: Transaction = deserialize_hex(hex.as_str().unwrap()).unwrap();
    let send = |tx: &Transaction| json!([bitcoin::consensus::serialize(tx).to_lower_hex_string()]);

    let mut richer = tx.clone();
    richer.output[0].value = bitcoin::Amount::from_sat(u64::MAX / 4);
    assert_eq!(
        call(&chain, "sendrawtransaction", send(&richer)).await["error"]["message"],
        "bad-txns-in-belowout"
    );
    let mut cheaper = tx.clone();
    cheaper.output[0].value += bitcoin::Amount::from_sat(1);
    let refused = call(&chain, "sendrawtransaction", send(&cheaper)).await;
    assert_eq!(
        refused["error"]["message"],
        "insufficient fee, rejecting replacement"
    );
    chain.mine(1).unwrap();
    let refused = call(&chain, "sendrawtransaction", send(&cheaper)).await;
    assert_eq!(refused["error"]["code"], -25, "its input is spent");
    assert_eq!(
        call(&chain, "sendrawtransaction", send(&tx)).await["error"]["code"],
        -27,
        "it is in a block"
    );
    assert!(
        chain
            .fund("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", 1_000)
            .is_err(),
        "not of regtest"
    );
}

#[tokio::test]
async fn it_goes_on_from_its_file_and_mines_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("blocks");
    let options = Options {
        blocks: Some(&file),
        auto_mine: true,
    };
    let chain = SimChain::start_with(anywhere(), options).await.unwrap();
    let txid = chain.fund(&address(), 50_000).unwrap();
    while !chain.is_confirmed(&txid) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let tip = chain.tip();
    drop(chain);
    // A torn last block, as a kill may leave it.
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.extend_from_slice(&[1, 2, 3]);
    std::fs::write(&file, bytes).unwrap();
    let chain = SimChain::start_with(anywhere(), options).await.unwrap();
    assert_eq!(chain.tip(), tip);
    assert!(chain.is_confirmed(&txid));
    chain.mine(1).unwrap();
}
