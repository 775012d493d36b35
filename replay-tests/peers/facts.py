"""Facts out of a flat file as the bench writes it: frames of a little-endian length and an encoded Fact."""
import struct


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def stream_of(fact):
    """Stream and version of a fact: fields 5 and 6 of the message."""
    at, stream, version = 0, "", 0
    while at < len(fact):
        tag, at = varint(fact, at)
        if tag & 7 == 0:
            value, at = varint(fact, at)
            if tag >> 3 == 6:
                version = value
        else:
            length, at = varint(fact, at)
            if tag >> 3 == 5:
                stream = fact[at : at + length].decode()
            at += length
    return stream, version


def read(path, count):
    """The first `count` facts: stream, version in it, bytes."""
    facts = []
    with open(path, "rb") as file:
        while len(facts) < count:
            header = file.read(4)
            if len(header) < 4:
                break
            fact = file.read(struct.unpack("<I", header)[0])
            facts.append((*stream_of(fact), fact))
    return facts
