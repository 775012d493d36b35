// Facts out of a flat file as the bench writes it: frames of a little-endian length and an encoded Fact.
import { readFileSync } from "node:fs";

// Numbers of a fact that are looked at here are far below 2^53, and the bits above are of no concern.
function varint(data, at) {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
        const byte = data[at++];
        value += (byte & 0x7f) * factor;
        if (byte < 0x80) return [value, at];
    }
}

// Stream and version of a fact: fields 5 and 6 of the message.
function streamOf(fact) {
    let at = 0, tag, value, stream = "", version = 0;
    while (at < fact.length) {
        [tag, at] = varint(fact, at);
        [value, at] = varint(fact, at);
        const field = Math.floor(tag / 8);
        if (tag % 8 === 0) {
            if (field === 6) version = value;
        } else {
            if (field === 5) stream = fact.toString("utf8", at, at + value);
            at += value;
        }
    }
    return { stream, version };
}

// The first `count` facts: stream, version in it, bytes.
export function read(path, count) {
    const file = readFileSync(path), facts = [];
    for (let at = 0; facts.length < count && at < file.length; ) {
        const end = at + 4 + file.readUInt32LE(at);
        const bytes = file.subarray(at + 4, end);
        facts.push({ ...streamOf(bytes), bytes });
        at = end;
    }
    return facts;
}
