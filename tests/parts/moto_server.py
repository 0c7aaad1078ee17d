"""CloudWatch, IAM and STS: moto behind TLS with the lab's certificate, every
request's signature verified. Roles first, then authentication on: the account,
its users and its role are made while moto asks for nothing, then
INITIAL_NO_AUTH_ACTION_COUNT is set to 0 for good.

Where moto 5.2 differs from AWS, and what is done about it here:
- actions are named after the signing name, so that policies have to say
  monitoring:PutMetricData where AWS says cloudwatch:PutMetricData;
- refused authentication is answered in the Query protocol's XML whatever the
  request's protocol: translated to AWS JSON (Recorder._translate);
- a request without a signature ends in an internal error: answered here.

Arguments: control socket, address, certificate, key. Control: see do().
"""
from __future__ import annotations

import base64
import io
import json
import os
import re
import sys
import threading
import time
from typing import Any, Callable, Iterable

os.environ.setdefault("MOTO_PORT", "443")

from moto import settings  # noqa: E402  (the environment is read on import)
from moto.iam.models import iam_backends  # noqa: E402
from moto.moto_server.werkzeug_app import (  # noqa: E402
    DomainDispatcherApplication, MotoRequestHandler, create_backend_app)
from moto.sts.models import sts_backends  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402

from . import control  # noqa: E402

ACCOUNT = "123456789012"
ROLE = "practice-web-role"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}


def policy(*actions: str) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": list(actions), "Resource": "*"}]})


class Account:
    """Made directly in moto's backends: no request can be signed yet."""

    def __init__(self) -> None:
        iam = iam_backends[ACCOUNT]["aws"]
        iam.create_role(role_name=ROLE, assume_role_policy_document=json.dumps(TRUST), path="/",
                        permissions_boundary=None, description="", tags=[],
                        max_session_duration="43200")
        iam.put_role_policy(ROLE, "metrics", policy("monitoring:PutMetricData"))
        iam.create_role(role_name="powerless", assume_role_policy_document=json.dumps(TRUST),
                        path="/", permissions_boundary=None, description="", tags=[],
                        max_session_duration="43200")
        iam.put_role_policy("powerless", "other", policy("ec2:DescribeTags"))
        self.users = {}
        for user, document in (("operator", policy("monitoring:*")),
                               ("node", policy("monitoring:PutMetricData"))):
            iam.create_user(region_name="us-east-1", user_name=user)
            iam.put_user_policy(user, "own", document)
            key = iam.create_access_key(user)
            self.users[user] = {"access_key": key.access_key_id,
                                "secret": key.secret_access_key, "token": ""}

    def assume(self, role: str) -> dict[str, str]:
        """Session credentials as the metadata service hands them to an instance."""
        role_arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
        session = sts_backends[ACCOUNT]["aws"].assume_role(
            region_name="us-east-1", role_session_name="i-0", role_arn=role_arn,
            policy=None, duration=3600, external_id=None)
        return {"access_key": session.access_key_id, "secret": session.secret_access_key,
                "token": session.session_token}


class Recorder:
    """WSGI middleware: keeps what was asked and what was answered."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self.app = app
        self.lock = threading.Lock()
        self.log: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)
        entry: dict[str, Any] = {
            "at": time.time(), "method": environ["REQUEST_METHOD"], "path": environ["PATH_INFO"],
            "peer": environ["REMOTE_ADDR"],
            "headers": {k[5:].replace("_", "-").lower(): v for k, v in environ.items()
                        if k.startswith("HTTP_")},
            "type": environ.get("CONTENT_TYPE", ""), "body": base64.b64encode(body).decode()}

        if "HTTP_AUTHORIZATION" not in environ:
            # moto fails on a missing header with an internal error; AWS says this.
            text = json.dumps({"__type": "MissingAuthenticationToken",
                               "message": "Request is missing Authentication Token"}).encode()
            start("403 Forbidden", [("Content-Type", "application/x-amz-json-1.0"),
                                    ("Content-Length", str(len(text)))])
            self._keep(entry, 403)
            return [text]

        seen: dict[str, Any] = {}

        def started(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
            seen.update(status=status, headers=headers)
            return lambda data: None

        answer = b"".join(self.app(environ, started))
        if "json" in entry["type"]:
            answer = self._translate(answer, seen)
        self._keep(entry, int(seen["status"].split()[0]))
        start(seen["status"], seen["headers"])
        return [answer]

    @staticmethod
    def _translate(answer: bytes, seen: dict[str, Any]) -> bytes:
        """An XML error as AWS JSON 1.0 has it."""
        code = re.search(rb"<Code>(.*?)</Code>", answer)
        if not code:
            return answer
        message = re.search(rb"<Message>(.*?)</Message>", answer, re.S)
        text = json.dumps({"__type": code[1].decode(),
                           "message": message[1].decode() if message else ""}).encode()
        kept = [(k, v) for k, v in seen["headers"]
                if k.lower() not in ("content-length", "content-type")]
        seen["headers"] = [*kept, ("Content-Type", "application/x-amz-json-1.0"),
                           ("Content-Length", str(len(text)))]
        return text

    def _keep(self, entry: dict[str, Any], status: int) -> None:
        entry["status"] = status
        with self.lock:
            self.log.append(entry)


def main() -> None:
    path, address, certificate, key = sys.argv[1:5]
    settings.INITIAL_NO_AUTH_ACTION_COUNT = float("inf")
    account = Account()
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0

    recorder = Recorder(DomainDispatcherApplication(create_backend_app))
    server = make_server(address, 443, recorder, threaded=True,
                         ssl_context=(certificate, key), request_handler=MotoRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def do(order: dict[str, Any]) -> Any:
        match order["op"]:
            case "assume":  # role → session credentials
                return account.assume(order.get("role", ROLE))
            case "user":  # name → long-lived keys
                return account.users[order["name"]]
            case "log":
                with recorder.lock:
                    return recorder.log[order.get("start", 0):]
        return {"error": "unknown op"}

    control.serve(path, do)


if __name__ == "__main__":
    main()
