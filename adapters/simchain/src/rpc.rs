//! The JSON-RPC of bitcoind, as far as wallets read it: HTTP/1.1 POST, basic auth, one call per request.
use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use bitcoin::{BlockHash, OutPoint, Transaction, Txid, consensus::encode, hex::FromHex};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    Shared,
    chain::{Chain, MempoolEntry},
};

/// The largest request: a transaction of 400 kB in hexadecimal, with room.
const BODY_LIMIT: usize = 1 << 20;
/// One satoshi per virtual byte, in bitcoin per 1,000.
const FEE_RATE: f64 = 0.000_01;

struct Server {
    shared: Arc<Shared>,
    expected_auth: String,
}

pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>, user: String, password: String) {
    let expected_auth = format!("Basic {}", base64(format!("{user}:{password}").as_bytes()));
    let server = Arc::new(Server {
        shared,
        expected_auth,
    });
    let app = Router::new()
        .route("/", post(answer))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(server);
    if let Err(error) = axum::serve(listener, app).await {
        tracing::error!(%error, "the simulated chain's server stopped");
    }
}

async fn answer(State(server): State<Arc<Server>>, headers: HeaderMap, body: Bytes) -> Response {
    let auth = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    if auth != Some(server.expected_auth.as_str()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Ok(request) = serde_json::from_slice::<Value>(&body) else {
        return reply(
            StatusCode::BAD_REQUEST,
            &Value::Null,
            Err(Failed(-32700, "Parse error".into())),
        );
    };
    let method = request["method"].as_str().unwrap_or_default();
    let result = call(&server.shared, method, &request["params"]);
    let status = if result.is_ok() {
        StatusCode::OK
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    };
    reply(status, &request["id"], result)
}

fn reply(status: StatusCode, id: &Value, result: Result<Value, Failed>) -> Response {
    let body = match result {
        Ok(result) => json!({"result": result, "error": null, "id": id}),
        Err(Failed(code, message)) => {
            json!({"result": null, "error": {"code": code, "message": message}, "id": id})
        }
    };
    (
        status,
        [(header::CONTENT_TYPE, "application/json")],
        body.to_string(),
    )
        .into_response()
}

struct Failed(i32, String);

fn call(shared: &Shared, method: &str, params: &Value) -> Result<Value, Failed> {
    let mut chain = shared.chain();
    match method {
        "getblockchaininfo" => Ok(json!({
            "chain": "regtest", "blocks": chain.height(), "headers": chain.height(),
            "bestblockhash": chain.tip_hash().to_string(), "difficulty": 4.656_542_373_906_925e-10,
            "mediantime": chain.median_time(), "verificationprogress": 1.0, "initialblockdownload": false,
            "chainwork": work(chain.height()), "pruned": false,
            "warnings": "simulated: no scripts are run and no signatures are checked",
        })),
        "getnetworkinfo" => Ok(json!({"version": 290_000, "subversion": "/simulated:0.1.0/"})),
        "getblockcount" => Ok(json!(chain.height())),
        "getbestblockhash" => Ok(json!(chain.tip_hash().to_string())),
        "getblockhash" => {
            let height = params[0].as_u64().and_then(|height| u32::try_from(height).ok());
            let block = height.and_then(|height| chain.block_at(height));
            let block = block.ok_or(Failed(-8, "Block height out of range".into()))?;
            Ok(json!(block.block_hash().to_string()))
        }
        "getblockheader" => header_of(&chain, params),
        "getblock" => {
            let (_, block) = find_block(&chain, params)?;
            match params[1].as_u64().unwrap_or(1) {
                0 => Ok(json!(encode::serialize_hex(block))),
                _ => {
                    let mut answer = header_of(&chain, &json!([params[0]]))?;
                    let ids: Vec<String> = block
                        .txdata
                        .iter()
                        .map(|tx| tx.compute_txid().to_string())
                        .collect();
                    answer["tx"] = json!(ids);
                    Ok(answer)
                }
            }
        }
        "gettxout" => {
            let vout = params[1].as_u64().and_then(|vout| u32::try_from(vout).ok());
            let out = OutPoint {
                txid: txid(&params[0])?,
                vout: vout.ok_or(invalid("vout"))?,
            };
            Ok(match chain.unspent(&out, params[2].as_bool().unwrap_or(true)) {
                None => Value::Null,
                Some((output, height, coinbase)) => json!({
                    "bestblock": chain.tip_hash().to_string(),
                    "confirmations": height.map_or(0, |height| chain.height() - height + 1),
                    "value": output.value.to_btc(), "coinbase": coinbase,
                    "scriptPubKey": {"hex": output.script_pubkey.to_hex_string()},
                }),
            })
        }
        "getrawmempool" => Ok(json!(
            chain
                .mempool()
                .keys()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        )),
        "getmempoolentry" => {
            let entry = chain.mempool().get(&txid(&params[0])?);
            entry
                .map(mempool_entry)
                .ok_or(Failed(-5, "Transaction not in mempool".into()))
        }
        "getmempoolinfo" => Ok(json!({
            "loaded": true, "size": chain.mempool_len(), "mempoolminfee": FEE_RATE, "minrelaytxfee": FEE_RATE,
        })),
        "estimatesmartfee" => Ok(json!({"feerate": FEE_RATE, "blocks": params[0].as_u64().unwrap_or(1)})),
        "getrawtransaction" => {
            let id = txid(&params[0])?;
            let tx = chain
                .transaction(&id)
                .ok_or(Failed(-5, "No such mempool or blockchain transaction".into()))?;
            let hex = encode::serialize_hex(&tx);
            if !(params[1].as_bool() == Some(true) || params[1].as_u64().is_some_and(|level| level > 0)) {
                return Ok(json!(hex));
            }
            let height = chain.confirmed_height(&id);
            Ok(json!({
                "txid": id.to_string(), "hex": hex,
                "confirmations": height.map_or(0, |height| chain.height() - height + 1),
                "blockhash": height.and_then(|height| chain.block_at(height)).map(|b| b.block_hash().to_string()),
            }))
        }
        "sendrawtransaction" => {
            let bytes = params[0].as_str().and_then(|text| Vec::<u8>::from_hex(text).ok());
            let tx: Option<Transaction> = bytes.and_then(|bytes| encode::deserialize(&bytes).ok());
            let tx = tx.ok_or(Failed(-22, "TX decode failed".into()))?;
            let id = chain.accept(tx).map_err(|no| Failed(no.code, no.reason.into()))?;
            drop(chain);
            shared.mempool_changed.notify_one();
            Ok(json!(id.to_string()))
        }
        _ => Err(Failed(-32601, "Method not found".into())),
    }
}

fn mempool_entry(entry: &MempoolEntry) -> Value {
    json!({"vsize": entry.tx.vsize(), "weight": entry.tx.weight().to_wu(), "time": entry.time_s, "height": entry.height})
}

fn invalid(what: &str) -> Failed {
    Failed(-8, format!("invalid {what}"))
}

fn txid(value: &Value) -> Result<Txid, Failed> {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .ok_or(invalid("txid"))
}

fn find_block<'a>(chain: &'a Chain, params: &Value) -> Result<(u32, &'a bitcoin::Block), Failed> {
    let hash: Option<BlockHash> = params[0].as_str().and_then(|text| text.parse().ok());
    hash.and_then(|hash| chain.block(&hash))
        .ok_or(Failed(-5, "Block not found".into()))
}

fn header_of(chain: &Chain, params: &Value) -> Result<Value, Failed> {
    let (height, block) = find_block(chain, params)?;
    let header = &block.header;
    if params[1].as_bool() == Some(false) {
        return Ok(json!(encode::serialize_hex(header)));
    }
    let next = chain
        .block_at(height + 1)
        .map(|next| next.block_hash().to_string());
    let mut answer = json!({
        "hash": header.block_hash().to_string(), "confirmations": chain.height() - height + 1, "height": height,
        "version": header.version.to_consensus(), "merkleroot": header.merkle_root.to_string(),
        "time": header.time, "mediantime": header.time, "nonce": header.nonce,
        "bits": format!("{:08x}", header.bits.to_consensus()), "chainwork": work(height), "nTx": block.txdata.len(),
    });
    if height > 0 {
        answer["previousblockhash"] = json!(header.prev_blockhash.to_string());
    }
    if let Some(next) = next {
        answer["nextblockhash"] = json!(next);
    }
    Ok(answer)
}

/// Regtest blocks are two hashes of work each.
fn work(height: u32) -> String {
    format!("{:064x}", 2 * (u64::from(height) + 1))
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .fold(0_u32, |group, byte| group << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let index = (group >> (18 - 6 * place)) & 63;
            text.push(if place <= chunk.len() {
                char::from(ALPHABET[index as usize])
            } else {
                '='
            });
        }
    }
    text
}
