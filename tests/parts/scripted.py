"""The test's side of the scripted AWS (a stand-in, see scripted_server.py)."""
from __future__ import annotations

import base64
import json
import urllib.parse
from pathlib import Path
from typing import Any

from . import control, names
from .cloudwatch import Credentials
from .host import Host
from .pki import Certificate
from .process import Process

SOCKET = "/run/scripted.sock"


class ScriptedAws:
    def __init__(self, host: Host, venv: Path) -> None:
        self.host = host
        self._venv = venv
        self.process: Process | None = None

    def start(self, certificate: Certificate) -> None:
        self.host.write("/etc/scripted/cert.pem", certificate.certificate)
        self.host.write("/etc/scripted/key.pem", certificate.key, 0o600)
        self.process = self.host.python(
            "parts.scripted_server", SOCKET, names.SCRIPTED, "/etc/scripted/cert.pem",
            "/etc/scripted/key.pem", log="scripted", interpreter=f"{self._venv}/bin/python")

    def _ask(self, **order: Any) -> Any:
        return control.ask(self.host.path(SOCKET), order)

    def know(self, credentials: Credentials) -> None:
        """A key whose signatures are right."""
        self._ask(op="key", access_key=credentials.access_key, secret=credentials.secret,
                  token=credentials.token)

    def script(self, *answers: dict[str, Any]) -> None:
        self._ask(op="script", answers=list(answers))

    def default(self, kind: str, **more: Any) -> None:
        self._ask(op="default", answer={"kind": kind, **more})

    def skew(self, seconds: float) -> None:
        self._ask(op="skew", seconds=seconds)

    def reset(self) -> None:
        self._ask(op="reset")

    def mark(self) -> int:
        return len(self._ask(op="log"))

    def log(self, start: int = 0) -> list[dict[str, Any]]:
        """at, path, headers, body, refused, kind, peer, accepted."""
        entries = self._ask(op="log", start=start)
        for entry in entries:
            entry["body"] = base64.b64decode(entry["body"])
        return entries

    def calls(self, start: int = 0) -> list[dict[str, str]]:
        """The parameters of the calls to EC2 Auto Scaling, with the request's log entry."""
        return [{**dict(urllib.parse.parse_qsl(entry["body"].decode())), **{
            "service": entry["headers"]["authorization"].split("/")[3],
            "refused": entry["refused"]}}
            for entry in self.log(start) if entry["body"].startswith(b"Action=")]

    def accepted(self, start: int = 0) -> list[dict[str, Any]]:
        """The data of the requests that were answered with success."""
        return [datum for entry in self.log(start) if entry.get("accepted")
                for datum in json.loads(entry["body"])["MetricData"]]
