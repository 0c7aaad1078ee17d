"""What userdata/deploy has before it in its tests: a healthy account, which fake_aws.py plays, and a
machine with a finished repository."""
from __future__ import annotations

import json
import os
import re
import subprocess
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "userdata" / "deploy"
ADDRESSES = ["10.16.3.64", "10.16.4.64"]
READS = re.compile(r" (describe|get|head|list)-")


def default(name: str) -> str:
    text = (ROOT / "userdata" / "stack.yaml").read_text(encoding="utf-8")
    found = re.search(rf"^  {name}: .*Default: '?([^,}}']+)", text, re.M)
    assert found, name
    return found[1]


class Page(BaseHTTPRequestHandler):
    """The load balancer: its servers take turns."""
    turn = 0

    def do_GET(self) -> None:
        Page.turn += 1
        body = f"Private IP Address {ADDRESSES[Page.turn % 2]}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Account:
    """A healthy account, a machine with a finished repository, and the command."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.keys = folder, folder / "keys"
        (folder / "bin").mkdir()
        (folder / "bin" / "aws").symlink_to(Path(__file__).resolve().with_name("fake_aws.py"))
        repository = folder / "repository"
        (repository / "repodata").mkdir(parents=True)
        for name in ("repodata/repomd.xml", "repodata/repomd.xml.asc", "rds-ca.pem"):
            (repository / name).write_text(name, encoding="utf-8")
        (repository / "RPM-GPG-KEY-web-node-agent").write_text("-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
                                                               encoding="utf-8")
        ranges = [default("S3Cidr"), *(default(f"S3Cidr{c}") for c in "ABCD")]
        self.state = folder / "account.json"
        self.put({"plan": "PAID", "quota": 32, "zones": "abc", "engines": [default("DatabaseEngineVersion")],
                  "list": default("S3PrefixList"), "ranges": ranges, "bucket": "", "key": "", "stack": "",
                  "deleted": [], "version": "1", "newest": 1,
                  "parameters": {}, "events": [], "health": "healthy", "multi": True, "url": url,
                  "addresses": ADDRESSES, "parent": "ami-0a", "vpcs": [{}], "logs": [],
                  "image": {"stack": "", "parameters": {}, "images": []}})

    def put(self, state: dict[str, Any]) -> None:
        self.state.write_text(json.dumps(state), encoding="utf-8")

    def get(self) -> dict[str, Any]:
        return dict(json.loads(self.state.read_text(encoding="utf-8")))

    def change(self, **values: Any) -> None:
        self.put({**self.get(), **values})

    def words(self) -> list[list[str]]:
        """The command lines since the last question."""
        file = Path(f"{self.state}.calls")
        found = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [json.loads(line) for line in found]

    def calls(self) -> list[str]:
        return [" ".join(words[:2]) for words in self.words()]

    def changes(self) -> list[str]:
        return [call for call in self.calls() if not READS.search(call)]

    def run(self, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{self.folder}/bin:{os.environ['PATH']}", "FAKE_AWS": str(self.state),
                       "WNA_DEPLOY_POLL_S": "0.01", "WNA_DEPLOY_HEALTHY_S": "0.2",
                       "HOME": str(self.folder)}
        given = ["--packages", str(self.folder / "repository"), "--admin-cidr", "203.0.113.7/32"]
        return subprocess.run(
            ["/usr/bin/python3", str(DEPLOY), verb, "--region", "ap-northeast-2", "--folder", str(self.keys),
             *given[:{"up": 4, "image": 2}.get(verb, 0)], *words], env=environment, capture_output=True, text=True,
            check=False, stdin=subprocess.DEVNULL)

    def private_key(self) -> bytes:
        return next(self.keys.glob("*/practice.pem")).read_bytes()
