//! Embeddings as a kind of job: the kind, and how large its result is. `docs/EMBEDDINGS.md` is the contract.

/// Kind of an embedding request. The NIP-90 registry has none; this one is free there (docs/adr/0005).
pub const EMBEDDING: u32 = 5075;

/// The most texts of one request.
pub const MAX_TEXTS: usize = 32;

/// Bytes of a result's content beside its vectors, generously: the names of its fields, model and digest.
const FRAME_BYTES: u64 = 512;

/// Bytes of the content of a result with so many vectors of so many dimensions: each is base64 over 4 bytes a value,
/// in quotes, with a comma.
pub fn content_bytes(vectors: u32, dimensions: u32) -> u64 {
    let vector = (u64::from(dimensions) * 4).div_ceil(3) * 4 + 3;
    u64::from(vectors)
        .saturating_mul(vector)
        .saturating_add(FRAME_BYTES)
}

#[cfg(test)]
mod tests {
    use super::content_bytes;

    #[test]
    fn vectors_are_counted_as_base64() {
        // 384 values are 1,536 bytes are 2,048 digits.
        assert_eq!(content_bytes(1, 384) - content_bytes(0, 384), 2_051);
        assert_eq!(content_bytes(u32::MAX, u32::MAX), u64::MAX);
    }
}
