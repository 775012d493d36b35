//! The support itself, against the real program.

use autopilot_regtest::{Bitcoind, Error, Options};
use serde_json::json;
use std::path::{Path, PathBuf};

fn is_running(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[test]
fn starts_mines_pays_and_leaves_nothing() {
    let node = Bitcoind::start().unwrap();
    let (pid, folder) = (node.pid().unwrap(), node.folder().to_owned());
    assert!(is_running(pid));

    assert_eq!(node.mine(101).unwrap().len(), 101);
    assert_eq!(node.height().unwrap(), 101);
    let chain = node.call("getblockchaininfo", &[]).unwrap();
    assert_eq!(chain["chain"], "regtest");

    // The address of BIP 173's example key, for regtest.
    let address = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
    let block = node.mine_to(address, 1).unwrap().remove(0);
    let block = node.call("getblock", &[json!(block), json!(2)]).unwrap();
    assert_eq!(block["tx"][0]["vout"][0]["scriptPubKey"]["address"], address);
    assert!(node.mempool().unwrap().is_empty());

    drop(node);
    assert!(!is_running(pid));
    assert!(!folder.exists());
}

#[test]
fn a_chain_survives_stop_and_kill() {
    let mut node = Bitcoind::start().unwrap();
    node.mine(3).unwrap();
    node.stop().unwrap();
    assert!(node.height().is_err());
    node.start_again().unwrap();
    assert_eq!(node.height().unwrap(), 3);
    let pid = node.pid().unwrap();
    node.kill();
    assert!(!is_running(pid));
    node.start_again().unwrap();
    assert!(node.mine(1).is_ok());
}

#[test]
fn two_nodes_run_side_by_side() {
    let (one, other) = (Bitcoind::start().unwrap(), Bitcoind::start().unwrap());
    one.mine(2).unwrap();
    assert_eq!((one.height().unwrap(), other.height().unwrap()), (2, 0));
    assert!(!format!("{one:?}").contains(&one.rpc().password));
}

#[test]
fn a_missing_program_says_what_to_do() {
    let options = Options {
        program: Some(PathBuf::from("/nowhere/bitcoind")),
        ..Options::default()
    };
    let error = Bitcoind::start_with(&options).unwrap_err();
    assert!(matches!(error, Error::Missing(_)), "{error}");
    assert!(error.to_string().contains("scripts/bitcoind.sh"));
}
