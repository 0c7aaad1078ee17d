"""The test's side of CloudWatch: moto behind the region's real host name."""
from __future__ import annotations

import base64
import datetime
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from . import control, names
from .host import Host
from .pki import Certificate
from .process import Process
from .wait import wait_until

SOCKET = "/run/moto.sock"


@dataclass
class Credentials:
    access_key: str
    secret: str
    token: str = ""


class CloudWatch:
    def __init__(self, host: Host, venv: Path, ca: Path) -> None:
        """`ca`: the lab's root certificate, outside."""
        self.host = host
        self._venv = venv
        self._ca = ca
        self.process: Process | None = None

    def start(self, certificate: Certificate, wait: bool = True) -> None:
        self.host.write("/etc/moto/cert.pem", certificate.certificate)
        self.host.write("/etc/moto/key.pem", certificate.key, 0o600)
        self.process = self.host.python(
            "parts.moto_server", SOCKET, names.CLOUDWATCH, "/etc/moto/cert.pem",
            "/etc/moto/key.pem", log="moto", interpreter=f"{self._venv}/bin/python")
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        self._ask(op="log")

    def _ask(self, **order: Any) -> Any:
        return control.ask(self.host.path(SOCKET), order, 30)

    def assume(self, role: str = "practice-web-role") -> Credentials:
        return Credentials(**self._ask(op="assume", role=role))

    def user(self, name: str) -> Credentials:
        return Credentials(**self._ask(op="user", name=name))

    def client(self, credentials: Credentials | None = None, service: str = "cloudwatch") -> Any:
        """A boto3 client; use it `with cloudwatch.host.net()`."""
        who = credentials or self.user("operator")
        return boto3.session.Session().client(
            service, region_name=names.REGION, endpoint_url=f"https://{names.CLOUDWATCH}",
            verify=str(self._ca), aws_access_key_id=who.access_key,
            aws_secret_access_key=who.secret, aws_session_token=who.token or None,
            config=Config(retries={"max_attempts": 0}, proxies={}))

    def log(self, start: int = 0) -> list[dict[str, Any]]:
        """Every request: at, method, path, peer, headers, type, body, status."""
        entries = self._ask(op="log", start=start)
        for entry in entries:
            entry["body"] = base64.b64decode(entry["body"])
        return entries

    def mark(self) -> int:
        """Where the log ends now: for log(start=...) and data(start=...)."""
        return len(self._ask(op="log"))

    def data(self, start: int = 0, status: int = 200) -> list[dict[str, Any]]:
        """The data of all PutMetricData requests answered so, with the node's
        address as "peer" and the namespace as "namespace"."""
        found = []
        for entry in self.log(start):
            target = entry["headers"].get("x-amz-target", "")
            if entry["status"] == status and target.endswith(".PutMetricData"):
                request = json.loads(entry["body"])
                for datum in request["MetricData"]:
                    found.append({**datum, "peer": entry["peer"], "at": entry["at"],
                                  "namespace": request["Namespace"]})
        return found

    def statistics(self, namespace: str, name: str, dimensions: dict[str, str],
                   seconds: int = 600, period: int = 60) -> list[dict[str, Any]]:
        """What a scaling policy would read: GetMetricStatistics, by boto3."""
        now = datetime.datetime.now(datetime.timezone.utc)
        with self.host.net():
            answer = self.client().get_metric_statistics(
                Namespace=namespace, MetricName=name, Period=period,
                Dimensions=[{"Name": k, "Value": v} for k, v in dimensions.items()],
                StartTime=now - datetime.timedelta(seconds=seconds),
                EndTime=now + datetime.timedelta(seconds=60),
                Statistics=["Average", "Minimum", "Maximum", "SampleCount"])
        return list(answer["Datapoints"])

    def wait_data(self, start: int, what: str, timeout: float = 30.0) -> list[dict[str, Any]]:
        return wait_until(lambda: self.data(start), what, timeout)
