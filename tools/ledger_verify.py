#!/usr/bin/env python3
"""Verifies a ledger, written from docs/BYTE_LAYOUT.md alone, with Python's standard library alone.

    ledger_verify.py LEDGER.db

Prints one line of JSON: {"facts": N, "chain": "…", "root": "…", "bodies": {"valid": N, "invalid": N, "erased": N,
"missing": N}, "ok": true}, or with "ok": false, "broken_at" and "why". "ok" is of the facts; bodies lie beside them.
Exit code 0: sound. 1: not sound. 2: it can't be read as a ledger of format 1.
Uses the `blake3` package where there is one; without it a fact takes about a millisecond.
"""

import hashlib
import json
import os
import sqlite3
import struct
import sys
import urllib.parse

MAX_FACT_BYTES = 1 << 20
APPLICATION_ID = 0x41706C4C
IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
MIXES = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
         (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
MASK = 0xFFFFFFFF


def compress(chaining, words, counter, length, flags):
    """BLAKE3's compression function; the first eight words of its output."""
    v = [*chaining, *IV[:4], counter & MASK, counter >> 32, length, flags]
    for turn in range(7):
        for i, (a, b, c, d) in enumerate(MIXES):
            x, y = words[2 * i], words[2 * i + 1]
            v[a] = (v[a] + v[b] + x) & MASK
            t = v[d] ^ v[a]
            v[d] = (t >> 16 | t << 16) & MASK
            v[c] = (v[c] + v[d]) & MASK
            t = v[b] ^ v[c]
            v[b] = (t >> 12 | t << 20) & MASK
            v[a] = (v[a] + v[b] + y) & MASK
            t = v[d] ^ v[a]
            v[d] = (t >> 8 | t << 24) & MASK
            v[c] = (v[c] + v[d]) & MASK
            t = v[b] ^ v[c]
            v[b] = (t >> 7 | t << 25) & MASK
        if turn < 6:
            words = [words[p] for p in PERMUTATION]
    return [v[i] ^ v[i + 8] for i in range(8)]


def node(data, index):
    """What the subtree over `data` gives to its parent, as the arguments of a last compression."""
    if len(data) > 1024:
        left = 1024
        while left * 2 < len(data):
            left *= 2
        halves = [compress(*node(data[:left], index)), compress(*node(data[left:], index + left // 1024))]
        return IV, halves[0] + halves[1], 0, 64, PARENT
    chaining, blocks = IV, [data[i:i + 64] for i in range(0, len(data), 64)] or [b""]
    for place, block in enumerate(blocks):
        flags = (CHUNK_START if place == 0 else 0) | (CHUNK_END if place == len(blocks) - 1 else 0)
        last = (chaining, list(struct.unpack("<16I", block.ljust(64, b"\0"))), index, len(block), flags)
        if place < len(blocks) - 1:
            chaining = compress(*last)
    return last


def blake3_pure(data):
    chaining, words, counter, length, flags = node(data, 0)
    # The root's counter numbers blocks of output, not of input.
    return struct.pack("<8I", *compress(chaining, words, 0, length, flags | ROOT))


try:
    if os.environ.get("LEDGER_VERIFY_PURE"):
        raise ImportError
    from blake3 import blake3 as blake3_package

    def blake3(data):
        return blake3_package(data).digest()
except ImportError:
    blake3 = blake3_pure


# Which field of a payload refers to a text.
BODY_FIELD = {"job.received": 12, "job.inputs_resolved": 3, "job.executed": 3, "job.receipted": 3, "event.signed": 5,
              "purchase.offered": 7, "purchase.rejected": 5, "buy_mode.started": 15, "head.kept": 7}


class Broken(Exception):
    def __init__(self, sequence, why):
        super().__init__(why)
        self.sequence, self.why = sequence, why


def varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("a number ends too late")
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not data[at - 1] & 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at


def fields(data):
    """The fields of a protobuf message: number to value, the last one of each counting."""
    found, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind in (1, 2, 5):
            length, at = (8, at) if kind == 1 else (4, at) if kind == 5 else varint(data, at)
            value, at = data[at:at + length], at + length
            if at > len(data):
                raise ValueError("a field ends too late")
        else:
            raise ValueError("no such kind of field")
        if key >> 3 == 0:
            raise ValueError("no field has the number 0")
        found[key >> 3] = value
    return found


def signed(value):
    return value - (1 << 64) if value >> 63 else value


class Tree:
    """The roots of the complete subtrees so far, largest first, with the count of leaves in each."""

    def __init__(self):
        self.peaks = []

    def add(self, fact):
        root, leaves = hashlib.sha256(b"\0" + fact).digest(), 1
        while self.peaks and self.peaks[-1][1] == leaves:
            root, leaves = hashlib.sha256(b"\1" + self.peaks.pop()[0] + root).digest(), 2 * leaves
        self.peaks.append((root, leaves))

    def root(self):
        roots = [root for root, _ in self.peaks]
        while len(roots) > 1:
            right = roots.pop()
            roots[-1] = hashlib.sha256(b"\1" + roots[-1] + right).digest()
        return roots[0] if roots else hashlib.sha256().digest()


class Bodies:
    """What became of the texts that facts refer to."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.counts = {"valid": 0, "invalid": 0, "erased": 0, "missing": 0}

    def has(self, question, *values):
        return self.ledger.execute(question, values).fetchone() is not None

    def take(self, due, envelope):
        kind, version = envelope.get(2, b"").decode(), envelope.get(3, 0)
        if version != 1 or (kind != "text.forgotten" and kind not in BODY_FIELD):
            return
        payload = fields(envelope.get(13, b""))
        if kind == "text.forgotten":
            subject = payload.get(1, b"").decode()
            if (self.has("SELECT 1 FROM subject_key WHERE subject = ? AND wrapped_key IS NOT NULL", subject)
                    or self.has("SELECT 1 FROM body WHERE subject = ?", subject)):
                raise Broken(due, f"it says that the texts of {subject} are forgotten, and they are still here")
        elif BODY_FIELD[kind] in payload:
            reference = fields(payload[BODY_FIELD[kind]])
            self.counts[self.state(reference.get(1, b""), reference.get(4, b"").decode())] += 1

    def state(self, digest, subject):
        kept = self.ledger.execute("SELECT ciphertext FROM body WHERE ciphertext_digest = ?", (digest,)).fetchone()
        if kept:
            return "valid" if blake3(kept[0]) == digest else "invalid"
        erased = (self.has("SELECT 1 FROM subject_key WHERE subject = ? AND wrapped_key IS NULL", subject)
                  and self.has("SELECT 1 FROM idempotency WHERE key = ?", f"forgotten/{subject}"))
        return "erased" if erased else "missing"


def facts_of(block, due):
    at = 0
    while at < len(block):
        if at + 4 > len(block):
            raise Broken(due, "the block ends within a fact")
        (length,) = struct.unpack_from("<I", block, at)
        if length > MAX_FACT_BYTES or at + 4 + length > len(block):
            raise Broken(due, "a fact's length is out of bounds")
        yield block[at + 4:at + 4 + length]
        at, due = at + 4 + length, due + 1


def verify(ledger):
    """Returns number and chain value of the last fact, the root of the tree and the bodies, or raises Broken."""
    bodies = Bodies(ledger)
    sequence, chain, recorded, versions, tree = 0, blake3(b"autopilot/ledger/1"), None, {}, Tree()
    for first, count, before, after, data in ledger.execute(
            "SELECT first_sequence, count, prev_chain, chain, bytes FROM block ORDER BY first_sequence"):
        if first != sequence + 1:
            raise Broken(sequence + 1, f"the block starts at fact {first}")
        if before != chain:
            raise Broken(first, "the block's previous chain value is another")
        for fact in facts_of(data, first):
            due = sequence + 1
            try:
                envelope = fields(fact)
                stream, version = envelope.get(5, b"").decode(), envelope.get(6, 0)
                number, when = envelope.get(1, 0), signed(envelope.get(7, 0))
            except (ValueError, AttributeError, TypeError) as error:
                raise Broken(due, f"it can't be decoded: {error}") from error
            if number != due:
                raise Broken(due, f"it says that it is number {number}")
            if recorded is not None and when < recorded:
                raise Broken(due, "it was recorded before its predecessor")
            if version != versions.get(stream, 0) + 1:
                raise Broken(due, f"it says version {version} of stream {stream}")
            versions[stream], recorded = version, when
            sequence, chain = due, blake3(chain + fact)
            tree.add(fact)
            try:
                bodies.take(due, envelope)
            except (ValueError, AttributeError, TypeError) as error:
                raise Broken(due, f"its payload can't be decoded: {error}") from error
        if sequence - first + 1 != count:
            raise Broken(first, f"the block claims {count} facts")
        if after != chain:
            raise Broken(first, "the bytes of the block do not give its chain value")
    if dict(ledger.execute("SELECT stream, version FROM stream")) != versions:
        raise Broken(0, "the index of streams disagrees with the facts, which are whole")
    return sequence, chain, tree.root(), bodies.counts


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        ledger = sqlite3.connect(f"file:{urllib.parse.quote(sys.argv[1])}?mode=ro", uri=True)
        (application,) = ledger.execute("PRAGMA application_id").fetchone()
        (version,) = ledger.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    except (sqlite3.Error, TypeError) as error:
        print(json.dumps({"ok": False, "why": str(error)}))
        return 2
    if (application, version) != (APPLICATION_ID, 1):
        print(json.dumps({"ok": False, "why": f"application id {application:#x}, format {version}"}))
        return 2
    ledger.execute("BEGIN")
    try:
        facts, chain, root, bodies = verify(ledger)
    except Broken as broken:
        print(json.dumps({"ok": False, "broken_at": broken.sequence, "why": broken.why}))
        return 1
    print(json.dumps({"facts": facts, "chain": chain.hex(), "root": root.hex(), "bodies": bodies, "ok": True}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
