"""Stand-in: a name server that answers wrongly on purpose, which no real one
can be told to do. Runs on the liar's address; argument: how it lies.

    garbage   random bytes            truncated  the TC bit, and no TCP behind it
    other-id  another query's id      other-name an answer to another question
    loop      a CNAME to itself       pointer    a compression pointer to itself
    empty     no records, no error    servfail   error 2
    zero      address 0.0.0.0         many       2,000 addresses' worth of header
    huge-ttl  TTL 2**31 - 1           silent     nothing
    alternating   the truth, and the truth beside 127.0.0.2, in turn
    in-turn   two addresses, "A,B", one in each answer: name servers that disagree
    true ADDRESS  the truth, for the positive twin

Says "asked" for each question for IPv4 addresses.
"""
from __future__ import annotations

import os
import socket
import struct
import sys


def question_end(query: bytes) -> int:
    at = 12
    while query[at]:
        at += query[at] + 1
    return at + 5


def is_ipv4(query: bytes) -> bool:
    end = question_end(query)
    return query[end - 4:end - 2] == b"\x00\x01"


def record(kind: int, ttl: int, data: bytes, name: bytes = b"\xc0\x0c") -> bytes:
    return name + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


def answer(how: str, address: str, query: bytes, turn: int) -> bytes | None:
    end = question_end(query)
    question = query[12:end]
    kind = struct.unpack(">H", query[end - 4:end - 2])[0]
    ident = query[:2]

    def reply(flags: int, count: int, records: bytes, asked: bytes = question) -> bytes:
        return ident + struct.pack(">HHHHH", flags, 1, count, 0, 0) + asked + records

    a = record(1, 1 if how == "in-turn" else 5,
               socket.inet_aton(address.split(",")[turn % 2 if how == "in-turn" else 0]))
    if kind != 1 and how in ("true", "huge-ttl", "zero", "other-id", "other-name", "alternating",
                             "in-turn"):
        return reply(0x8580, 0, b"")
    match how:
        case "silent":
            return None
        case "garbage":
            return os.urandom(64)
        case "truncated":
            return reply(0x8780, 0, b"")
        case "other-id":
            return bytes([ident[0] ^ 0xFF, ident[1]]) + reply(0x8580, 1, a)[2:]
        case "other-name":
            other = b"\x05other\x07example\x00" + question[-4:]
            return reply(0x8580, 1, a, other)
        case "loop":
            return reply(0x8580, 1, record(5, 5, b"\xc0\x0c"))
        case "pointer":
            at = struct.pack(">H", 0xC000 | end)
            return reply(0x8580, 1, record(1, 5, socket.inet_aton(address), name=at))
        case "empty":
            return reply(0x8580, 0, b"")
        case "servfail":
            return reply(0x8582, 0, b"")
        case "zero":
            return reply(0x8580, 1, record(1, 5, b"\0\0\0\0"))
        case "many":
            return reply(0x8580, 2000, a)
        case "huge-ttl":
            return reply(0x8580, 1, record(1, 2**31 - 1, socket.inet_aton(address)))
        case "alternating" if turn % 2:
            return reply(0x8580, 2, a + record(1, 5, socket.inet_aton("127.0.0.2")))
        case "true" | "alternating" | "in-turn":
            return reply(0x8580, 1, a)
    raise ValueError(how)


def main() -> None:
    how, address = sys.argv[2], sys.argv[3]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((sys.argv[1], 53))
        print("ready", flush=True)
        turn = 0
        while True:
            query, sender = server.recvfrom(4096)
            try:
                if is_ipv4(query):
                    turn += 1
                    print("asked", flush=True)
                reply = answer(how, address, query, turn)
            except (IndexError, struct.error):
                continue
            if reply is not None:
                server.sendto(reply, sender)


if __name__ == "__main__":
    main()
