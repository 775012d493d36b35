#!/usr/bin/env python3
"""Verifies an earnings statement, written from docs/STATEMENT.md and docs/BYTE_LAYOUT.md alone.

    verify_statement.py STATEMENT [WITNESS_KEY ...]

Prints JSON Lines: {"statement": …}, {"settled": …} for each payment, {"ok": true, "totals": …}; or, last,
{"ok": false, "line", "fact", "code", "why"}. Exit code 0: it holds. 1: it does not.
Needs the `cryptography` package for Ed25519; BIP340 and BOLT11 signatures are checked with integers.
"""

import base64
import hashlib
import json
import re
import struct
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from ledger_verify import blake3, signed, varint  # noqa: E402  our verifier of ledgers, by the same page

FORMAT = "autopilot-statement/1"
LIMITS = "No proof shows that a buyer is not the seller, that the work was good, or that nothing is left out."
MAX_LINE, MAX_SETTLEMENTS, KIND = 1 << 20, 1_000_000, 30078
MAX_NOTE, MAX_LEAVES = 32 << 10, 1 << 48
P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)
HEX64, HEX128 = re.compile("[0-9a-f]{64}"), re.compile("[0-9a-f]{128}")


class Bad(Exception):
    def __init__(self, code, why):
        super().__init__(why)
        self.code, self.why = code, why


def need(holds, code, why):
    if not holds:
        raise Bad(code, why)


def sha256(data):
    return hashlib.sha256(data).digest()


# --- secp256k1, in Jacobian coordinates -----------------------------------------------------------------------------

def double(p):
    x, y, z = p
    s, m = 4 * x * y * y % P, 3 * x * x % P
    x3 = (m * m - 2 * s) % P
    return x3, (m * (s - x3) - 8 * y**4) % P, 2 * y * z % P


def add(p, q):
    if not p[2]:
        return q
    if not q[2]:
        return p
    u1, u2 = p[0] * q[2]**2 % P, q[0] * p[2]**2 % P
    s1, s2 = p[1] * q[2]**3 % P, q[1] * p[2]**3 % P
    if u1 == u2:
        return double(p) if s1 == s2 else (1, 1, 0)
    h, r = u2 - u1, s2 - s1
    x = (r * r - h**3 - 2 * u1 * h * h) % P
    return x, (r * (u1 * h * h - x) - s1 * h**3) % P, h * p[2] * q[2] % P


def times(k, point):
    total, addend = (1, 1, 0), (*point, 1)
    while k:
        if k & 1:
            total = add(total, addend)
        addend, k = double(addend), k >> 1
    return total


def affine(p):
    if not p[2]:
        return None
    inverse = pow(p[2], -1, P)
    return p[0] * inverse**2 % P, p[1] * inverse**3 % P


def lift(x, odd):
    if x >= P:
        return None
    y = pow(x**3 + 7, (P + 1) // 4, P)
    if y * y % P != (x**3 + 7) % P:
        return None
    return x, (y if y & 1 == odd else P - y)


def schnorr_holds(message, key, signature):
    """BIP340."""
    point, r, s = lift(int.from_bytes(key), 0), int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    if point is None or r >= P or s >= N:
        return False
    tag = sha256(b"BIP0340/challenge")
    e = int.from_bytes(sha256(tag + tag + signature[:32] + key + message)) % N
    found = affine(add(times(s, G), times(N - e, point)))
    return found is not None and found[1] & 1 == 0 and found[0] == r


def recover(digest, signature, recovery):
    """The compressed key that made an ECDSA signature, or None."""
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    if not (0 < r < N and 0 < s < N and recovery < 4):
        return None
    point = lift(r + (N if recovery & 2 else 0), recovery & 1)
    if point is None:
        return None
    inverse = pow(r, -1, N)
    key = affine(add(times(s * inverse % N, point), times(-int.from_bytes(digest) * inverse % N, G)))
    return key and bytes([2 + (key[1] & 1)]) + key[0].to_bytes(32)


def ed25519_holds(key, message, signature):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        return True
    except (InvalidSignature, ValueError):
        return False


# --- JSON, strictly -------------------------------------------------------------------------------------------------

def members(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member twice")
    return found


def refuse(text):
    raise ValueError(f"{text} is no integer")


def integer(text):
    return refuse(text) if text == "-0" else int(text)


def read_json(text):
    value = json.loads(text, object_pairs_hook=members, parse_float=refuse, parse_constant=refuse, parse_int=integer)
    json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate is no text
    return value


def shape(value, required, optional=()):
    """The members of an object, each of its type; an optional one that is null is as absent."""
    if type(value) is not dict or not set(required) <= set(value) <= {*required, *optional}:
        raise ValueError("other members than it has")
    for name, fits in (dict(required) | dict(optional)).items():
        absent = name in optional and (name not in value or (value[name] is None and fits not in (true_false, lines)))
        if not absent and not fits(value[name]):
            raise ValueError(f"{name} is not of its type")
    return value


def text(value):
    return type(value) is str


def true_false(value):
    return type(value) is bool


def lines(value):
    return type(value) is list and all(map(text, value))


def number(low, high):
    return lambda value: type(value) is int and low <= value < high


def data(value):
    """Base64 in its one spelling."""
    if not text(value):
        raise ValueError("no base64")
    decoded = base64.b64decode(value, validate=True)
    if base64.b64encode(decoded).decode() != value:
        raise ValueError("no base64")
    return decoded


def is_data(value):
    data(value)
    return True


def event(value):
    tags = lambda tags: type(tags) is list and all(map(lines, tags))  # noqa: E731
    return shape(value, {"id": text, "pubkey": text, "created_at": number(0, 1 << 64), "kind": number(0, 1 << 16),
                         "tags": tags, "content": text, "sig": text})


def holds(e):
    if not (HEX64.fullmatch(e["id"]) and HEX64.fullmatch(e["pubkey"]) and HEX128.fullmatch(e["sig"]) and all(e["tags"])):
        return False
    canonical = [0, e["pubkey"], e["created_at"], e["kind"], e["tags"], e["content"]]
    digest = sha256(json.dumps(canonical, separators=(",", ":"), ensure_ascii=False).encode())
    return digest.hex() == e["id"] and schnorr_holds(digest, bytes.fromhex(e["pubkey"]), bytes.fromhex(e["sig"]))


def word(e, name, place=1):
    tag = next((tag for tag in e["tags"] if tag and tag[0] == name), [])
    return tag[place] if len(tag) > place else None


def marked(e, marker):
    tag = next((tag for tag in e["tags"] if tag[0] == "e" and tag[3:4] == [marker]), [])
    return tag[1] if len(tag) > 1 else None


# --- the ledger's head, proofs, facts -------------------------------------------------------------------------------

def verifier_key(key, kind):
    name, _, rest = key.partition("+")
    id16, _, key64 = rest.partition("+")
    typed = data(key64)
    if not name or re.search(r"[\s+]", name) or len(typed) != 33 or typed[0] != kind:
        raise ValueError("no such key")
    key_id = sha256(name.encode() + b"\n" + typed)[:4]
    if id16 != key_id.hex():
        raise ValueError("another key id")
    return name, key_id, typed[1:]


def note_of(content):
    if len(content.encode()) > MAX_NOTE or any(c < " " and c != "\n" for c in content) or not content.endswith("\n"):
        raise ValueError("no note")
    body, blank, block = content.rpartition("\n\n")
    if not blank:
        raise ValueError("no note")
    signatures = []
    for line in block[:-1].split("\n"):
        found = re.fullmatch(r"— (\S+) (\S+)", line)
        signature = data(found[2]) if found else b""
        if len(signature) < 5 or "+" in found[1]:
            raise ValueError("no signature line")
        signatures.append((found[1], signature[:4], signature[4:]))
    return body + "\n", signatures


def open_head(content, key):
    """Origin, size and root of a signed head."""
    name, key_id, public = verifier_key(key, 1)
    body, signatures = note_of(content)
    own = next((s for n, i, s in signatures if (n, i) == (name, key_id)), None)
    if own is None or not ed25519_holds(public, body.encode(), own):
        raise ValueError("the signature does not hold")
    origin, size, root, *extension = body[:-1].split("\n")
    if origin != name or not re.fullmatch("0|[1-9][0-9]{0,19}", size) or len(data(root)) != 32:
        raise ValueError("no checkpoint")
    chains = [line for line in extension if re.fullmatch("chain [0-9a-f]{64}", line)]
    folds = [line for line in extension if re.fullmatch(r"fold [^ ]+ [0-9a-f]{64}", line)]
    if len(chains) != 1 or len(chains) + len(folds) != len(extension):
        raise ValueError("other lines than a head has")
    return origin, int(size), data(root)


def included(leaf, index, size, proof, root):
    """RFC 6962, section 2.1.1, as RFC 9162, section 2.1.3.2, words it."""
    if len(proof) % 32 or not 0 <= index < size <= MAX_LEAVES:
        return False
    fn, sn = index, size - 1
    for at in range(0, len(proof), 32):
        sibling = proof[at:at + 32]
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            leaf = sha256(b"\1" + sibling + leaf)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            leaf = sha256(b"\1" + leaf + sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and leaf == root


def message(raw, kinds):
    """Fields of a protobuf message by number, in lists; those in `kinds` must have that wire type."""
    found, at = {}, 0
    while at < len(raw):
        key, at = varint(raw, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(raw, at)
        elif kind in (1, 2, 5):
            length, at = (8, at) if kind == 1 else (4, at) if kind == 5 else varint(raw, at)
            value, at = raw[at:at + length], at + length
        if kind not in (0, 1, 2, 5) or at > len(raw) or not key >> 3 or kinds.get(key >> 3, kind) != kind:
            raise ValueError("no message")
        found.setdefault(key >> 3, []).append(value)
    return found


def last(fields, number_, default):
    return fields.get(number_, [default])[-1]


def ids(fields, *numbers):
    found = [last(fields, n, b"") for n in numbers]
    if any(len(value) != 32 for value in found):
        raise ValueError("an id has another length")
    return found


ENVELOPE = {1: 0, 2: 2, 3: 0, 4: 0, 5: 2, 6: 0, 7: 0, 8: 0, 9: 0, 10: 2, 11: 0, 12: 2, 13: 2}


def fact(raw):
    """Number, type and payload."""
    fields = message(raw, ENVELOPE)
    kind = last(fields, 2, b"").decode()
    last(fields, 5, b"").decode(), last(fields, 12, b"").decode()
    return last(fields, 1, 0), kind if last(fields, 3, 0) == 1 else "another version", last(fields, 13, b"")


def settled(payload):
    f = message(payload, {1: 2, 2: 2, 3: 0, 4: 0, 5: 2, 6: 0, 7: 2, 8: 2})
    job, payment = ids(f, 1, 2)
    links = [message(link, {1: 0, 2: 2}) for link in f.get(7, [])]
    return {"job": job, "hash": payment, "amount": last(f, 3, 0), "at": signed(last(f, 4, 0)),
            "prepaid": last(f, 6, 0) != 0, "links": [(last(m, 1, 0), last(m, 2, b"")) for m in links],
            "preimage": last(f, 8, b"")}


def evidence(entry, payment):
    """What the bound facts say, by type."""
    need(len(entry["evidence"]) == len(payment["links"]), "evidence", "not as many facts as it binds")
    found = {}
    for encoded, (sequence, leaf) in zip(entry["evidence"], payment["links"]):
        raw = data(encoded)
        need(sha256(b"\0" + raw) == leaf, "evidence", "a fact is not the one that was bound")
        try:
            at, kind, payload = fact(raw)
            if kind == "job.received":
                fields = message(payload, {1: 2, 3: 2, 4: 2})
                job, *said = ids(fields, 1, 3, 4)
            elif kind == "job.executed":
                fields = message(payload, {1: 2, 2: 2})
                (job,) = ids(fields, 1)
                model = message(last(fields, 2, b""), {1: 2, 18: 2})
                said = last(model, 18, b"").decode() or last(model, 1, b"").hex() if 2 in fields else None
            elif kind == "invoice.issued":
                fields = message(payload, {1: 2, 2: 2, 3: 2})
                job, _ = ids(fields, 1, 2)
                said = last(fields, 3, b"").decode()
            elif kind == "event.signed":
                fields = message(payload, {1: 2, 2: 0, 3: 2})
                said, job = ids(fields, 1, 3)
                kind = kind if last(fields, 2, 0) == 3 else "another purpose"
        except (ValueError, UnicodeDecodeError) as error:
            raise Bad("evidence", "a fact can't be decoded") from error
        need(at == sequence, "evidence", "a fact has another number")
        need(kind in ("job.received", "job.executed", "invoice.issued", "event.signed"), "evidence", "no evidence")
        need(kind not in found, "evidence", "two facts of one type")
        need(job == payment["job"], "evidence", "a fact is about another job")
        found[kind] = said
    return found


# --- BOLT11 ---------------------------------------------------------------------------------------------------------

CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
NETWORKS = {"bc": "bitcoin", "tb": "testnet", "tbs": "signet", "bcrt": "regtest", "sb": "simnet"}
# Millisatoshi, as a fraction, for each unit of a whole bitcoin's 10^11.
UNITS = {"": (10**11, 1), "m": (10**8, 1), "u": (10**5, 1), "n": (100, 1), "p": (1, 10)}


def words_to_bytes(words):
    value = 0
    for w in words:
        value = value << 5 | w
    bits = len(words) * 5
    return (value << (-bits % 8)).to_bytes((bits + 7) // 8)


def bolt11(invoice):
    """Network, amount, payment hash and payee, or ValueError."""
    if invoice.lower() != invoice and invoice.upper() != invoice:
        raise ValueError("mixed case")
    human, _, rest = invoice.lower().rpartition("1")
    words, check = [CHARSET.index(c) for c in rest], 1
    for value in [ord(c) >> 5 for c in human] + [0] + [ord(c) & 31 for c in human] + words:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for i, g in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= g if top >> i & 1 else 0
    named = re.fullmatch("ln(bcrt|tbs|bc|tb|sb)(?:([0-9]+)([munp]?))?", human)
    if check != 1 or not named or len(words) < 7 + 104 + 6:
        raise ValueError("no invoice")
    words = words[:-6]
    body, signature = words[:-104], words_to_bytes(words[-104:])
    amount = None
    if named[2]:
        times_, parts = UNITS[named[3]]
        amount, rest = divmod(int(named[2]) * times_, parts)
        if rest:
            raise ValueError("a part of a millisatoshi")
    fields, at = {}, 7
    while at < len(body):
        if at + 3 > len(body):
            raise ValueError("a field ends too late")
        length = body[at + 1] * 32 + body[at + 2]
        value = body[at + 3:at + 3 + length]
        if len(value) != length:
            raise ValueError("a field ends too late")
        fields.setdefault((body[at], length), []).append(words_to_bytes(value))
        at += 3 + length
    hashes, payees = fields.get((1, 52), []), fields.get((19, 53), [])
    digest = sha256(human.encode() + words_to_bytes(body))
    key = recover(digest, signature[:64], signature[64])
    if len(hashes) != 1 or len(payees) > 1 or key is None or (payees and payees[0][:33] != key):
        raise ValueError("payment hash or signature")
    return NETWORKS[named[1]], amount, hashes[0][:32], key.hex()


# --- a statement ----------------------------------------------------------------------------------------------------

class Statement:
    def __init__(self, header, witnesses):
        need(header["format"] == FORMAT, "version", "another format")
        need(header["limits"] == LIMITS, "limits", "the header does not say what no proof can show")
        self.window = header.get("from_ms"), header.get("to_ms")
        need(None in self.window or self.window[0] < self.window[1], "window", "the window is empty")
        head = header["head"]
        need(head["kind"] == KIND, "head-event", "another kind")
        need(holds(head), "head-event", "id or signature does not hold")
        key = word(head, "verifier")
        need(key is not None, "head-event", "it names no key")
        try:
            self.origin, self.size, self.root = open_head(head["content"], key)
        except ValueError as error:
            raise Bad("head", str(error)) from error
        address = f"{self.origin}/{self.size}/{self.root.hex()[:16]}"
        need(word(head, "d") == address, "head-event", "its address is not that of the head")
        note = head["content"] + "".join(line + "\n" for line in header.get("cosignatures", []))
        self.witnesses = [name for name in (self.witnessed(note, w) for w in witnesses) if name]
        self.seller, self.network, self.node = head["pubkey"], header["network"], header.get("node")
        self.last, self.seen = 0, set()
        names = ("all", "recorded", "self_attested", "counterparty_attested")
        self.totals = {name: {"lines": 0, "amount_msat": 0} for name in names} | {"erased": 0}
        self.heading = {"seller": self.seller, "origin": self.origin, "network": self.network, "node": self.node,
                        "from_ms": self.window[0], "to_ms": self.window[1], "facts": self.size,
                        "root": self.root.hex(), "head_at_s": head["created_at"], "witnessed_by": self.witnesses}

    @staticmethod
    def witnessed(note, witness):
        """The witness's name, where it signed."""
        try:
            name, key_id, public = verifier_key(witness, 4)
            body, signatures = note_of(note)
        except ValueError as error:
            raise Bad("cosignature", str(error)) from error
        own = next((s for n, i, s in signatures if (n, i) == (name, key_id)), None)
        if own is None:
            return None
        need(len(own) == 72, "cosignature", "it has another length")
        (at,) = struct.unpack(">Q", own[:8])
        signed_text = f"cosignature/v1\ntime {at}\n{body}".encode()
        need(ed25519_holds(public, signed_text, own[8:]), "cosignature", "it does not hold")
        return name

    def asked(self, entry, bound, payment):
        result = entry.get("result")
        billed, issued = word(result, "amount", 2) if result else None, bound.get("invoice.issued")
        need(None in (billed, issued) or billed == issued, "invoice", "the result carries another one than the ledger")
        if issued is None and billed is None:
            return None
        try:
            network, amount, hash_, payee = bolt11(issued if issued is not None else billed)
        except ValueError as error:
            raise Bad("invoice", str(error)) from error
        need(hash_ == payment["hash"], "invoice", "it has another payment hash")
        need(network == self.network, "invoice", "it is of another network")
        need(payee == self.node, "invoice", "another node signed it")
        need(amount is not None, "invoice", "it names no amount")
        return amount

    def request(self, result, bound, payment):
        need(holds(result), "result", "id or signature does not hold")
        need(result["pubkey"] == self.seller, "result", "it is not the seller's")
        named = bound.get("event.signed")
        need(named is None or named.hex() == result["id"], "result", "it is not the one that the ledger names")
        carried = word(result, "request")
        need(carried is not None, "result", "it carries no request")
        try:
            request = event(read_json(carried))
        except (ValueError, RecursionError) as error:
            raise Bad("request", "it is no signed event") from error
        need(holds(request), "request", "id or signature does not hold")
        need(word(result, "e") == request["id"], "result", "it answers another request")
        need(5000 <= request["kind"] < 6000 and result["kind"] == request["kind"] + 1000, "result", "another kind")
        native = bytes.fromhex(request["id"])
        need(blake3(b"autopilot/job/1\0nip90\0" + native) == payment["job"], "request", "it is of another job")
        known = bound.get("job.received")
        need(known is None or known == [native, bytes.fromhex(request["pubkey"])], "request", "another than recorded")
        need(request["pubkey"] != self.seller, "own-job", "the request is the seller's own")
        return request

    def settlement(self, entry, told):
        raw = data(entry["fact"])
        try:
            sequence, kind, payload = fact(raw)
            payment = settled(payload) if kind == "job.settled" else None
        except (ValueError, UnicodeDecodeError) as error:
            raise Bad("fact", "it can't be decoded") from error
        need(payment is not None, "fact", "it is no job.settled")
        told.append(sequence)
        need(sequence > self.last, "order", f"it stands after fact {self.last}")
        leaf = sha256(b"\0" + raw)
        need(included(leaf, sequence - 1, self.size, data(entry["proof"]), self.root), "proof", "not in the ledger")
        start, end = self.window
        within = (start is None or payment["at"] >= start) and (end is None or payment["at"] < end)
        need(within, "outside-window", "it was settled outside the window")
        bound = evidence(entry, payment)
        asked = self.asked(entry, bound, payment)
        preimage, erased, result = payment["preimage"], entry.get("erased", False), entry.get("result")
        paid = len(preimage) == 32 and sha256(preimage) == payment["hash"]
        need(paid or not preimage, "preimage", "it does not give the payment hash")
        need(not (result and erased), "erased", "it carries what it says was erased")
        need(result or erased == ("event.signed" in bound), "erased", "a missing result is an erased one")
        request = self.request(result, bound, payment) if result else None
        receipt = entry.get("receipt")
        if receipt:
            need(request, "receipt", "there is no request beside it")
            need(receipt["kind"] == 7001 and holds(receipt), "receipt", "kind, id or signature does not hold")
            need(receipt["pubkey"] == request["pubkey"], "receipt", "it is not of whoever asked")
            need(marked(receipt, "request") == request["id"], "receipt", "it is about another request")
            need(marked(receipt, "result") == result["id"], "receipt", "it is about another result")
            need(word(receipt, "p") == self.seller, "receipt", "it is about another seller")
            need(word(receipt, "payment_hash") == payment["hash"].hex(), "receipt", "it is about another payment")
            need(asked is not None and word(receipt, "amount") == str(asked), "receipt", "it is about another sum")
        level = "recorded" if asked is None or not paid else "counterparty-attested" if receipt else "self-attested"
        need(self.totals["all"]["lines"] < MAX_SETTLEMENTS, "too-many", "too many settlements")
        need(payment["hash"] not in self.seen, "repeated", "this payment was counted before")
        self.seen.add(payment["hash"])
        self.last = sequence
        counted = payment["amount"] if asked is None else min(asked, payment["amount"])
        for name in ("all", level.replace("-", "_")):
            self.totals[name]["lines"] += 1
            self.totals[name]["amount_msat"] += counted
        self.totals["erased"] += erased
        need(self.totals["all"]["amount_msat"] < 1 << 64, "fact", "the sums are beyond what can be")
        return {"fact": sequence, "settled_at_ms": payment["at"], "amount_msat": counted,
                "arrived_msat": payment["amount"], "job_id": payment["job"].hex(),
                "payment_hash": payment["hash"].hex(), "request": request and request["id"],
                "buyer": request and request["pubkey"], "kind": request and request["kind"],
                "model": bound.get("job.executed"), "prepaid": payment["prepaid"], "erased": erased,
                "proven": level, "witnessed": bool(self.witnesses)}

    def seal(self, seal, digest):
        need(seal["kind"] == KIND and holds(seal), "seal", "id or signature does not hold")
        need(seal["pubkey"] == self.seller, "seal", "it is not the seller's")
        count = self.totals["all"]
        tags = [["d", FORMAT], ["lines", str(count["lines"])], ["amount_msat", str(count["amount_msat"])]]
        need(seal["tags"] == tags, "seal", "count or sum is not that of the lines")
        need(seal["content"] == digest.hexdigest(), "seal", "it is over other lines")


FORMS = {
    "statement": lambda value: shape(
        value, {"format": text, "limits": text, "network": text, "head": event},
        {"node": text, "from_ms": number(-1 << 63, 1 << 63), "to_ms": number(-1 << 63, 1 << 63), "cosignatures": lines}),
    "settled": lambda value: shape(
        value, {"fact": is_data, "proof": is_data, "evidence": lambda v: type(v) is list and all(map(is_data, v))},
        {"result": event, "receipt": event, "erased": true_false}),
    "seal": event,
}


def entry_of(line):
    need(len(line) <= MAX_LINE, "malformed", "the line is too long")
    need(line.endswith(b"\n"), "cut", "the file is cut off")
    try:
        value = read_json(line.decode())
        (form,) = value
        return form, FORMS[form](value[form])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Bad("malformed", f"no line of a statement: {error}") from error


def say(value):
    print(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def verify(file, witnesses):
    """Prints what holds; returns the exit code."""
    at, told, statement, sealed, digest = 1, [], None, False, hashlib.sha256()
    try:
        while True:
            line = file.readline(MAX_LINE + 1)
            need(line or at > 1, "cut", "the file is empty")
            if not line:
                need(sealed, "cut", "the seal is missing")
                say({"ok": True, "totals": statement.totals})
                return 0
            need(not sealed, "after-seal", "something follows the seal")
            form, value = entry_of(line)
            need((form == "statement") == (at == 1), "malformed", "a header is the first line, and no other")
            if form == "statement":
                statement = Statement(value, witnesses)
                say({"statement": statement.heading})
            elif form == "settled":
                say({"settled": statement.settlement(value, told)})
            else:
                statement.seal(value, digest)
                sealed = True
            digest.update(line)
            told.clear()
            at += 1
    except Bad as bad:
        say({"ok": False, "line": at, "fact": told[0] if told else None, "code": bad.code, "why": bad.why})
    except OSError as error:
        say({"ok": False, "line": at, "fact": None, "code": "unreadable", "why": str(error)})
    return 1


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        file = open(sys.argv[1], "rb")
    except OSError as error:
        say({"ok": False, "line": 1, "fact": None, "code": "unreadable", "why": str(error)})
        return 1
    with file:
        return verify(file, sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
