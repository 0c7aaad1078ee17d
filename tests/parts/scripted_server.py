"""Stand-in for CloudWatch, and EC2 Auto Scaling, in trouble: an HTTPS server that answers as told:
throttling, 5xx, expired tokens, silence, slow answers, HTML, a clock that
differs. Like AWS it verifies signatures (by botocore's signer) and refuses
requests whose time is more than five minutes from its own clock.

Arguments: control socket, address, certificate, key. Control: see do().
"""
from __future__ import annotations

import base64
import datetime
import email.utils
import json
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from . import control

CODES = {  # name → status, as CloudWatch's JSON protocol has them
    "ThrottlingException": 400, "Throttling": 400, "RequestThrottled": 400,
    "TooManyRequestsException": 429, "LimitExceededException": 400,
    "InternalServiceFault": 500, "ServiceUnavailable": 503, "InternalFailure": 500,
    "ExpiredTokenException": 403, "ExpiredToken": 403, "UnrecognizedClientException": 403,
    "InvalidClientTokenId": 403, "AccessDeniedException": 403, "AccessDenied": 403,
    "InvalidParameterValueException": 400, "InvalidParameterValue": 400,
    "InvalidParameterCombinationException": 400, "MissingRequiredParameterException": 400,
    "SignatureDoesNotMatch": 403, "RequestExpired": 400, "ValidationError": 400,
}


class State:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.script: list[dict[str, Any]] = []  # next answers; then the default
        self.default: dict[str, Any] = {"kind": "ok"}
        self.keys: dict[str, dict[str, str]] = {}  # access key → secret, token
        self.skew_s = 0.0
        self.log: list[dict[str, Any]] = []


STATE = State()


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=STATE.skew_s)


def verify(method: str, path: str, headers: dict[str, str], body: bytes) -> str | None:
    """None if the request is well signed with a key we know and recent, else the
    error's name."""
    authorization = headers.get("authorization", "")
    if not authorization.startswith("AWS4-HMAC-SHA256 "):
        return "MissingAuthenticationTokenException"
    fields = dict(f.strip().split("=", 1) for f in authorization[17:].split(","))
    access_key, _, region, service, _ = fields["Credential"].split("/")
    known = STATE.keys.get(access_key)
    if known is None:
        return "UnrecognizedClientException"
    if headers.get("x-amz-security-token", "") != known["token"]:
        return "UnrecognizedClientException"
    stamp = headers.get("x-amz-date", "")
    signed_at = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(
        tzinfo=datetime.timezone.utc)
    signed = fields["SignedHeaders"].split(";")
    request = AWSRequest(method=method, url=f"https://{headers['host']}{path}", data=body,
                         headers={k: v for k, v in headers.items() if k in signed})
    request.context["timestamp"] = stamp
    signer = SigV4Auth(Credentials(access_key, known["secret"], known["token"] or None),
                       service, region)
    canonical = signer.canonical_request(request)
    if signer.signature(signer.string_to_sign(request, canonical), request) != fields["Signature"]:
        return "SignatureDoesNotMatch"
    if abs((now() - signed_at).total_seconds()) > 300:
        return "RequestExpired"
    return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "scripted", ""
    timeout = 120

    def log_message(self, *_: Any) -> None:
        pass

    def date_time_string(self, timestamp: float | None = None) -> str:
        return email.utils.format_datetime(now(), usegmt=True)

    def setup(self) -> None:
        self.request = self.server.context.wrap_socket(  # type: ignore[attr-defined]
            self.request, server_side=True)
        super().setup()

    def do_POST(self) -> None:
        # EC2 Auto Scaling speaks the Query protocol, CloudWatch JSON.
        self.query = self.headers.get("Content-Type", "").startswith(
            "application/x-www-form-urlencoded")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {k.lower(): v for k, v in self.headers.items()}
        refused = verify("POST", self.path, headers, body)
        with STATE.lock:
            answer = STATE.script.pop(0) if STATE.script else STATE.default
            entry = {"at": time.time(), "path": self.path, "headers": headers,
                     "body": base64.b64encode(body).decode(), "refused": refused or "",
                     "kind": answer["kind"], "peer": self.client_address[0]}
            STATE.log.append(entry)
        if answer["kind"] == "ok" and refused:
            answer = {"kind": "error", "code": refused, "status": CODES.get(refused, 403)}
        with STATE.lock:
            entry["accepted"] = answer["kind"] == "ok"
        self.answer(answer)

    def send(self, status: int, body: bytes, kind: str = "application/x-amz-json-1.0",
             headers: dict[str, str] | None = None, length: int | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def answer(self, how: dict[str, Any]) -> None:
        match how["kind"]:
            case "ok" if self.query:
                self.send(200, b"<Response><ResponseMetadata><RequestId>scripted</RequestId>"
                               b"</ResponseMetadata></Response>", "text/xml")
            case "error" if self.query:
                text = (f"<ErrorResponse><Error><Type>Sender</Type><Code>{how['code']}</Code>"
                        f"<Message>{how.get('message', 'scripted')}</Message></Error>"
                        "<RequestId>scripted</RequestId></ErrorResponse>")
                self.send(how.get("status") or CODES[how["code"]], text.encode(), "text/xml")
            case "ok":
                self.send(200, b"{}", headers={"x-amzn-RequestId": "scripted"})
            case "error":  # code; status if not AWS's own; message
                text = {"__type": f"com.amazonaws.cloudwatch#{how['code']}",
                        "message": how.get("message", "scripted")}
                self.send(how.get("status") or CODES[how["code"]], json.dumps(text).encode(),
                          headers={"X-Amzn-Errortype": f"{how['code']}:http://internal/"})
            case "status":  # a bare status with an HTML body, as proxies answer
                self.send(how["status"], b"<html><body>Bad gateway</body></html>", "text/html")
            case "html":
                self.send(200, b"<html><body>Log in to the wireless network</body></html>",
                          "text/html")
            case "empty":
                self.send(how.get("status", 400), b"")
            case "binary":
                self.send(how.get("status", 400), bytes(range(256)) * 8)
            case "oversized":
                self.send(how.get("status", 400), b"[" * (8 << 20))
            case "truncated":
                self.send(200, b'{"__ty', length=4000)
                self.close_connection = True
            case "slow":
                time.sleep(how.get("seconds", 3))
                self.send(200, b"{}")
            case "silence":
                self.connection.settimeout(120)
                self.connection.recv(1)
                self.close_connection = True
            case "close":
                self.close_connection = True
            case "redirect":
                self.send(302, b"", headers={"Location": how["to"]})
            case other:
                raise ValueError(other)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    context: ssl.SSLContext

    def handle_error(self, *_: Any) -> None:
        pass  # clients that give up are part of the tests


def do(order: dict[str, Any]) -> Any:
    """One order of the test."""
    with STATE.lock:
        match order["op"]:
            case "script":  # answers: the next ones, in order
                STATE.script = order["answers"]
            case "default":  # answer: all others
                STATE.default = order["answer"]
            case "key":  # access_key, secret, token
                STATE.keys[order["access_key"]] = order
            case "skew":  # seconds that our clock is ahead
                STATE.skew_s = order["seconds"]
            case "log":
                return STATE.log[order.get("start", 0):]
            case "reset":
                STATE.script, STATE.default, STATE.skew_s = [], {"kind": "ok"}, 0.0
            case _:
                return {"error": "unknown op"}
    return {}


def main() -> None:
    path, address, certificate, key = sys.argv[1:5]
    server = Server((address, 443), Handler)
    server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.context.load_cert_chain(certificate, key)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    control.serve(path, do)


if __name__ == "__main__":
    main()
