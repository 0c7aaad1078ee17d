"""Stand-in: what listens on the database's port and is none, or one that stops
half-way, which no real one can be told to. Argument: how it behaves.

    garbage   random bytes                    silent   accepts, and not a byte
    greeting  a handshake packet cut in half  length   a packet that claims 16 MB
    blocked   error 1129 instead of a greeting
    greeted   a proper greeting with TLS, and then silence
    plain     a proper greeting without TLS, and then silence

Says "ready", "connected" for each connection, and after a proper greeting what
the client answers: "request" (for TLS), "login" (with the user's name) or
"nothing".
"""
from __future__ import annotations

import os
import socket
import struct
import sys
import threading

# MySQL, client/server protocol, Protocol::HandshakeV10 and ::SSLRequest
CAPABILITIES = 0x0008_0000 | 0x8000 | 0x2000 | 0x0200 | 0x0008 | 0x0001
CLIENT_SSL = 0x0800
SSL_REQUEST_BYTES = 32


def packet(number: int, payload: bytes) -> bytes:
    return struct.pack("<I", len(payload))[:3] + bytes([number]) + payload


def greeting(capabilities: int) -> bytes:
    return packet(0, b"\x0a8.0.36\0" + struct.pack("<I", 7) + b"abcdefgh\0"
                  + struct.pack("<HBHH", capabilities & 0xFFFF, 33, 2, capabilities >> 16)
                  + bytes([21]) + bytes(10) + b"ijklmnopqrst\0mysql_native_password\0")


def error(number: int, text: bytes) -> bytes:
    return packet(0, b"\xff" + struct.pack("<H", number) + text)


def greet(peer: socket.socket, capabilities: int) -> None:
    """Keeps the connection for as long as the client does."""
    peer.sendall(greeting(capabilities))
    answer = b""
    try:
        while len(answer) < 4 or len(answer) < 4 + int.from_bytes(answer[:3], "little"):
            more = peer.recv(4096)
            if not more:
                break
            answer += more
        said = ("nothing" if not answer else
                "request" if answer[0] == SSL_REQUEST_BYTES else "login")
        print(said, flush=True)
        while peer.recv(4096):
            pass
    except OSError:
        pass
    peer.close()


def main() -> None:
    how = sys.argv[1]
    kept = []
    with socket.create_server(("0.0.0.0", 3306)) as server:
        print("ready", flush=True)
        while True:
            peer, _ = server.accept()
            print("connected", flush=True)
            match how:
                case "garbage":
                    peer.sendall(os.urandom(4096))
                    peer.close()
                case "greeting":
                    peer.sendall(greeting(CAPABILITIES)[:19])
                    peer.close()
                case "length":
                    peer.sendall(b"\xff\xff\xff\x00" + b"\x0a" * 64)
                    kept.append(peer)
                case "blocked":
                    peer.sendall(error(1129, b"Host '10.16.3.10' is blocked because of many "
                                             b"connection errors"))
                    peer.close()
                case "silent":
                    kept.append(peer)
                case "greeted" | "plain":
                    tls = CLIENT_SSL if how == "greeted" else 0
                    threading.Thread(target=greet, args=(peer, CAPABILITIES | tls),
                                     daemon=True).start()


if __name__ == "__main__":
    main()
