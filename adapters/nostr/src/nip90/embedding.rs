//! The content of an embedding result (kind 6075), as `docs/EMBEDDINGS.md` describes it.

use autopilot_core::embedding::MAX_TEXTS;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// The one encoding: 32-bit IEEE 754 values, little-endian, one after the other, in base64 with padding.
pub const ENCODING: &str = "base64-f32le";
/// The most dimensions that are read.
const MAX_DIMENSIONS: usize = 16_384;
/// How far the length of a normalised vector may be from 1.
const LENGTH_TOLERANCE: f32 = 1e-3;

/// What an embedding result holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    /// The model's name.
    pub model: String,
    /// blake3 of the model file, hexadecimal: vectors of two models can't be compared.
    pub model_digest: String,
    /// One per text, in order, each of length 1 (L2).
    pub vectors: Vec<Vec<f32>>,
}

/// Why a content is no embedding result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmbeddingError {
    /// No such JSON.
    #[error("it is no JSON of an embedding result")]
    Malformed,
    /// Another encoding.
    #[error("its encoding is not base64-f32le")]
    Encoding,
    /// Not one vector per text.
    #[error("it has {found} vectors for {asked} texts")]
    Count {
        /// Vectors.
        found: usize,
        /// Texts.
        asked: usize,
    },
    /// A vector is not what the result says.
    #[error("vector {at}: {what}")]
    Vector {
        /// Which, from 0.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },
}

#[derive(Serialize, Deserialize)]
struct Wire {
    model: String,
    #[serde(default)]
    model_digest: String,
    dimensions: usize,
    encoding: String,
    normalized: bool,
    embeddings: Vec<String>,
}

impl Embeddings {
    /// The content of the result.
    pub fn to_content(&self) -> String {
        let base64 = |vector: &Vec<f32>| {
            let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
            STANDARD.encode(bytes)
        };
        let wire = Wire {
            model: self.model.clone(),
            model_digest: self.model_digest.clone(),
            dimensions: self.vectors.first().map_or(0, Vec::len),
            encoding: ENCODING.to_owned(),
            normalized: true,
            embeddings: self.vectors.iter().map(base64).collect(),
        };
        // Plain owned data with string keys: writing it into memory cannot fail.
        serde_json::to_string(&wire).unwrap_or_default()
    }

    /// Reads a result for so many texts: every vector is there, has the dimensions that are named, and length 1.
    ///
    /// # Errors
    /// [`EmbeddingError`], the first thing that does not hold.
    pub fn read(content: &str, asked: usize) -> Result<Embeddings, EmbeddingError> {
        let wire: Wire = serde_json::from_str(content).map_err(|_| EmbeddingError::Malformed)?;
        if wire.encoding != ENCODING || !wire.normalized {
            return Err(EmbeddingError::Encoding);
        }
        let found = wire.embeddings.len();
        if found != asked || found > MAX_TEXTS || !(1..=MAX_DIMENSIONS).contains(&wire.dimensions) {
            return Err(EmbeddingError::Count { found, asked });
        }
        let vectors = wire.embeddings.iter().enumerate();
        let vectors = vectors
            .map(|(at, text)| {
                vector(text, wire.dimensions).map_err(|what| EmbeddingError::Vector { at, what })
            })
            .collect::<Result<_, _>>()?;
        Ok(Embeddings {
            model: wire.model,
            model_digest: wire.model_digest,
            vectors,
        })
    }
}

fn vector(text: &str, dimensions: usize) -> Result<Vec<f32>, &'static str> {
    let bytes = STANDARD.decode(text).map_err(|_| "it is no base64")?;
    let (values, rest) = bytes.as_chunks::<4>();
    if values.len() != dimensions || !rest.is_empty() {
        return Err("it has not the dimensions that are named");
    }
    let values: Vec<f32> = values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    // Not a number is far from 1, too.
    if (length - 1.0).abs() <= LENGTH_TOLERANCE {
        Ok(values)
    } else {
        Err("its length is not 1")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Embeddings {
        Embeddings {
            model: "m".to_owned(),
            model_digest: "00".to_owned(),
            vectors: vec![vec![0.6, -0.8, 0.0], vec![0.0, 0.0, 1.0]],
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(Embeddings::read(&some().to_content(), 2), Ok(some()));
    }

    #[test]
    fn what_does_not_hold_is_named() {
        let content = some().to_content();
        let check =
            |content: &str, asked, expected| assert_eq!(Embeddings::read(content, asked), Err(expected));
        check("[1, 2]", 2, EmbeddingError::Malformed);
        check(&content, 1, EmbeddingError::Count { found: 2, asked: 1 });
        check(&content.replace("f32le", "f16"), 2, EmbeddingError::Encoding);
        let at = |at, what| EmbeddingError::Vector { at, what };
        let named = "it has not the dimensions that are named";
        check(
            &content.replace("\"dimensions\":3", "\"dimensions\":2"),
            2,
            at(0, named),
        );
        let long = Embeddings {
            vectors: vec![vec![1.0, 0.0, 0.0], vec![f32::NAN, 0.0, 1.0]],
            ..some()
        };
        check(&long.to_content(), 2, at(1, "its length is not 1"));
        let second = "AAAAAAAAAAAAAIA/"; // 0, 0, 1
        assert!(content.contains(second));
        check(&content.replace(second, "!!!!"), 2, at(1, "it is no base64"));
    }
}
