//! The real worker with a real embedding model, against vectors that another program worked out.

use autopilot_core::ports::{
    embed::{EmbedRequest, Embedded, Embedder},
    model::{Model, ModelError},
};

use super::common::{World, ask, embedding_fixture, job};

fn world() -> World {
    World::new(|config| {
        config.model.path = embedding_fixture();
        config.n_ctx = 0;
        config.embeddings = true;
    })
}

async fn embed(world: &World, number: u8, texts: &[&str]) -> Result<Embedded, ModelError> {
    let request = EmbedRequest {
        job: job(number),
        texts: texts.iter().map(|text| (*text).to_owned()).collect(),
        deadline_ms: None,
    };
    world.worker.embed(request).await
}

fn cosine(one: &[f32], other: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(one, other) / (dot(one, one) * dot(other, other)).sqrt()
}

#[derive(serde::Deserialize)]
struct Reference {
    texts: Vec<String>,
    vectors: Vec<Vec<f32>>,
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_are_those_of_the_reference_and_near_where_the_meaning_is() {
    let reference: Reference = serde_json::from_str(include_str!("minilm_reference.json")).unwrap();
    let world = world();
    let model = world.worker.describe_embedder().await.unwrap();
    assert_eq!(
        (model.dimensions, model.n_ctx, model.name.as_str()),
        (384, 512, "all-MiniLM-L6-v2")
    );
    let texts: Vec<&str> = reference.texts.iter().map(String::as_str).collect();
    let embedded = embed(&world, 1, &texts).await.unwrap();
    assert_eq!(embedded.vectors.len(), 3);
    for (ours, theirs) in embedded.vectors.iter().zip(&reference.vectors) {
        let (length, near) = (cosine(ours, ours), cosine(ours, theirs));
        assert!(near > 0.9999, "the cosine to the reference is {near}");
        assert!((length - 1.0).abs() < 1e-5);
        assert!(
            (ours.iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-4,
            "normalised"
        );
    }
    let [cat, kitten, rates] = &embedded.vectors[..] else {
        panic!("three")
    };
    assert!(cosine(cat, kitten) > 0.5 && cosine(cat, rates) < 0.2 && cosine(kitten, rates) < 0.2);

    let receipt = &embedded.receipt;
    assert_eq!(
        (receipt.finish_reason.as_str(), receipt.output_tokens),
        ("embedded", 0)
    );
    assert_eq!(
        (receipt.model_digest, receipt.model_name.as_str()),
        (model.digest, "all-MiniLM-L6-v2")
    );
    assert!(
        receipt.prompt_tokens > 20 && receipt.n_ubatch == 512,
        "{receipt:?}"
    );

    // Alone or among others, first or last: the same bytes.
    let alone = embed(&world, 2, &texts[1..2]).await.unwrap();
    assert_eq!(alone.vectors[0], embedded.vectors[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_and_harms_nothing() {
    let world = world();
    let long = "word ".repeat(600);
    let error = embed(&world, 1, &["short", &long]).await.unwrap_err();
    assert!(
        matches!(
            error,
            ModelError::PromptTooLong {
                tokens: 602,
                limit: 512
            }
        ),
        "{error}"
    );
    for texts in [&[][..], &[""][..], &["a"; 33][..]] {
        let error = embed(&world, 2, texts).await.unwrap_err();
        assert!(matches!(error, ModelError::RequestInvalid { .. }), "{error}");
    }
    let late = EmbedRequest {
        job: job(3),
        texts: vec!["a word".to_owned(); 32],
        deadline_ms: Some(0),
    };
    let error = world.worker.embed(late).await.unwrap_err();
    assert!(matches!(error, ModelError::DeadlineExceeded { .. }), "{error}");
    // A model for vectors writes no text, and one for text makes no vectors.
    let error = world
        .worker
        .generate(ask(4, "Hello?", 4), |_| {})
        .await
        .unwrap_err();
    assert!(matches!(error, ModelError::RequestInvalid { .. }), "{error}");
    let writer = World::new(|_| {});
    let error = embed(&writer, 5, &["Hello"]).await.unwrap_err();
    assert!(matches!(error, ModelError::RequestInvalid { .. }), "{error}");
    // Marks of the model's own that are typed into a text are plain characters.
    let typed = embed(&world, 6, &["[CLS] [SEP] [MASK]", "mask"]).await.unwrap();
    assert!(cosine(&typed.vectors[0], &typed.vectors[1]).is_finite());
    assert!(typed.receipt.prompt_tokens > 10, "{:?}", typed.receipt);
}
