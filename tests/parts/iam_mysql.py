"""Stand-in: a MySQL server of RDS with IAM database authentication, whose plugin
only AWS has. As RDS does, it greets with another login method and then asks for
mysql_clear_password, over TLS only, and accepts a token that is signed for this
endpoint, region and user, no older than 15 minutes (RDS User Guide, "IAM database
authentication"; MySQL client/server protocol, AuthSwitchRequest). The signature is
made again by botocore. It is always writable.

Arguments: ADDRESS PORT CERTIFICATE KEY RULES. RULES is a JSON file, read at each
login: {"host", "port", "user", "region", "keys": {ACCESS KEY: [SECRET, TOKEN]}}.

Says "ready", and for each login "accepted" or "refused REASON", never the token.
"""
from __future__ import annotations

import json
import socket
import ssl
import struct
import sys
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from parts.lying_mysql import CAPABILITIES, CLIENT_SSL, SSL_REQUEST_BYTES, error, greeting, packet

LIFE_S = 900
OK = b"\0\0\0\x02\0\0\0"
ROW_END = b"\xfe\0\0\x02\0"
COM_QUIT, COM_QUERY = 1, 3


class Refused(Exception):
    """With the reason."""


def verify(token: str, rules: dict[str, Any]) -> None:
    parts = urlsplit(f"https://{token}")
    if parts.netloc != f"{rules['host']}:{rules['port']}":
        raise Refused(f"signed for {parts.netloc}")
    given = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if given.get("Action") != "connect" or given.get("DBUser") != rules["user"]:
        raise Refused("of another user")
    key, day, region, service, end = given["X-Amz-Credential"].split("/")
    at = datetime.strptime(given["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    age_s = time.time() - at.timestamp()
    if (region, service, end) != (rules["region"], "rds-db", "aws4_request") \
            or day != given["X-Amz-Date"][:8]:
        raise Refused(f"scope {region}/{service}")
    if not -60 < age_s < min(LIFE_S, int(given["X-Amz-Expires"])):
        raise Refused(f"{age_s:.0f} s old")
    if key not in rules["keys"]:
        raise Refused("of an unknown key")
    secret, session = rules["keys"][key]
    request = AWSRequest("GET", f"https://{parts.netloc}/",
                         params={"Action": "connect", "DBUser": rules["user"]})
    auth = SigV4QueryAuth(Credentials(key, secret, session or None), service, region,
                          expires=int(given["X-Amz-Expires"]))
    request.context["timestamp"] = given["X-Amz-Date"]
    auth._modify_request_before_signing(request)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    if auth.signature(text, request) != given.get("X-Amz-Signature"):
        raise Refused("with a wrong signature")


def receive(peer: socket.socket) -> tuple[int, bytes]:
    """One packet: its number and payload."""
    def exactly(count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = peer.recv(count - len(data))
            if not more:
                raise OSError("the client has gone")
            data += more
        return data
    head = exactly(4)
    return head[3], exactly(int.from_bytes(head[:3], "little"))


def counted(text: bytes) -> bytes:
    """Protocol::LengthEncodedString, below 251 bytes."""
    return bytes([len(text)]) + text


def answer(peer: socket.socket) -> None:
    """The row that the agent asks for."""
    column = b"".join(map(counted, (b"def", b"", b"", b"", b"x", b""))) \
        + b"\x0c" + struct.pack("<HIBHB", 33, 64, 253, 0, 0) + b"\0\0"
    number = 1
    for payload in (b"\x03", column, column, column, ROW_END,
                    b"".join(map(counted, (b"0", b"0", b"8.0.36"))), ROW_END):
        peer.sendall(packet(number, payload))
        number += 1


def log_in(peer: socket.socket, tls: ssl.SSLContext, rules: Path) -> ssl.SSLSocket:
    peer.sendall(greeting(CAPABILITIES | CLIENT_SSL))
    number, payload = receive(peer)
    if len(payload) != SSL_REQUEST_BYTES:
        peer.sendall(packet(number + 1, error(3159, b"#HY000TLS is required")[4:]))
        raise Refused("without TLS")
    secure = tls.wrap_socket(peer, server_side=True)
    number, payload = receive(secure)
    secure.sendall(packet(number + 1, b"\xfemysql_clear_password\0"))
    number, payload = receive(secure)
    try:
        verify(payload.rstrip(b"\0").decode(), json.loads(rules.read_text()))
    except Refused:
        secure.sendall(packet(number + 1, error(1045, b"#28000Access denied for user")[4:]))
        raise
    secure.sendall(packet(number + 1, OK))
    return secure


def serve(peer: socket.socket, tls: ssl.SSLContext, rules: Path) -> None:
    try:
        secure = log_in(peer, tls, rules)
        print("accepted", flush=True)
        while True:
            _, payload = receive(secure)
            if payload[0] == COM_QUIT:
                break
            if payload[0] == COM_QUERY and b"read_only" in payload:
                answer(secure)
            else:
                secure.sendall(packet(1, OK))
        secure.close()
    except Refused as reason:
        print(f"refused {reason}", flush=True)
    except OSError as fault:
        print(f"ended {fault}", flush=True)


def main() -> None:
    address, port, certificate, key, rules = sys.argv[1:]
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with socket.create_server((address, int(port))) as server:
        print("ready", flush=True)
        while True:
            peer, _ = server.accept()
            threading.Thread(target=serve, args=(peer, tls, Path(rules)), daemon=True).start()


if __name__ == "__main__":
    main()
