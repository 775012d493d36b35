//! What a model server answers.
use autopilot_openai::{ServerConfig, read_list, read_stream};

/// The first byte says how the stream was cut; the rest is the stream, and a list of models too.
pub fn answer(bytes: &[u8]) {
    let Some((cut, bytes)) = bytes.split_first() else {
        return;
    };
    let Ok(config) = ServerConfig::new("http://127.0.0.1:8080/v1") else {
        return;
    };
    let whole = read_stream(&config, &[bytes]);
    let pieces: Vec<&[u8]> = bytes.chunks(usize::from(*cut).max(1)).collect();
    assert_eq!(
        read_stream(&config, &pieces),
        whole,
        "cuts of the network change nothing"
    );
    assert!(whole.0.len() <= config.output_bytes_max, "an output is bounded");
    let _ = read_list(&config, bytes);
}
