"""What every server of the tests that has moto behind TLS shares: the recorder in
front of it, and the server itself. Import this before anything of moto: it sets
what moto reads from the environment on import.

Where moto 5.2 differs from AWS whichever service is asked, and what is done here:
- refused authentication is answered in the Query protocol's XML whatever the
  request's protocol: translated to AWS JSON (Recorder._translate);
- a request without a signature ends in an internal error: answered here.
"""
from __future__ import annotations

import base64
import io
import json
import os
import re
import threading
import time
from typing import Any, Callable, Iterable

os.environ.setdefault("MOTO_PORT", "443")

from moto.moto_server.werkzeug_app import (  # noqa: E402  (the environment is read on import)
    DomainDispatcherApplication, MotoRequestHandler, create_backend_app)
from werkzeug.serving import make_server  # noqa: E402

Wsgi = Callable[..., Iterable[bytes]]


class Recorder:
    """WSGI middleware: keeps what was asked and what was answered. `limit`: only
    so many of the latest entries are kept; their numbering goes on."""

    def __init__(self, app: Wsgi, limit: int | None = None) -> None:
        self.app = app
        self.lock = threading.Lock()
        self.log: list[dict[str, Any]] = []
        self._limit = limit
        self._dropped = 0

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
            answer = self._translate(answer, seen, entry["type"])
        self._keep(entry, int(seen["status"].split()[0]))
        start(seen["status"], seen["headers"])
        return [answer]

    @staticmethod
    def _translate(answer: bytes, seen: dict[str, Any], kind: str) -> bytes:
        """An XML error as AWS JSON has it; `kind`: the request's content type."""
        code = re.search(rb"<Code>(.*?)</Code>", answer)
        if not code:
            return answer
        message = re.search(rb"<Message>(.*?)</Message>", answer, re.S)
        text = json.dumps({"__type": code[1].decode(),
                           "message": message[1].decode() if message else ""}).encode()
        kept = [(k, v) for k, v in seen["headers"]
                if k.lower() not in ("content-length", "content-type")]
        seen["headers"] = [*kept, ("Content-Type", kind), ("Content-Length", str(len(text)))]
        return text

    def _keep(self, entry: dict[str, Any], status: int) -> None:
        entry["status"] = status
        with self.lock:
            self.log.append(entry)
            if self._limit and len(self.log) > 2 * self._limit:
                self._dropped += len(self.log) - self._limit
                del self.log[:-self._limit]

    def since(self, start: int = 0) -> list[dict[str, Any]]:
        """The entries from this number on, as far as they are still kept."""
        with self.lock:
            return self.log[max(0, start - self._dropped):]

    def count(self) -> int:
        """How many there have been."""
        with self.lock:
            return self._dropped + len(self.log)


def serve(address: str, certificate: str, key: str, limit: int | None = None) -> Recorder:
    """moto on port 443, in threads of its own from now on."""
    recorder = Recorder(DomainDispatcherApplication(create_backend_app), limit)
    server = make_server(address, 443, recorder, threaded=True,
                         ssl_context=(certificate, key), request_handler=MotoRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return recorder
