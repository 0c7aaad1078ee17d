"""The internet: an administrator, a client, a stranger, Amazon S3 of the region and of another
one, a host that answers ping, and the public side of AWS's services. All addresses except S3's and
8.8.8.8 are from the ranges for documentation (RFC 5737); no link leads to the machine's own
network.

S3 is Python's HTTP server behind the lab's certificate, in threads of this process: the lab needs
files by HTTPS at S3's addresses, and the client's address."""
from __future__ import annotations

import collections
import json
import ssl
import tempfile
import time
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

from lab.model.own_parameters import ADMIN
from parts.host import Host
from parts.pki import Authority

from . import fabric_text as text
from .fabric import Fabric
from .netns import PLAIN, Netns
from .resolver import PUBLIC as RESOLVER
from .serving import Server

CLIENT = "203.0.113.10"
STRANGER = "203.0.113.66"
# Of the region's managed prefix list, one address in each range; see the stack template.
REPOSITORY = ("52.219.56.10", "3.5.140.10")
ELSEWHERE = "52.219.1.10"  # in the document's 52.219.0.0/16, not on the region's list
PING = "8.8.8.8"           # as in the document
SERVICES = "198.51.100.80"  # monitoring, autoscaling, secretsmanager, …


class Handler(SimpleHTTPRequestHandler):
    """Files of a folder; "…/peer", or any path without a folder, answers the client's address."""
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "AmazonS3", ""
    timeout = 30

    @property
    def store(self) -> "Store":
        assert isinstance(self.server, StoreServer)
        return self.server.store

    def setup(self) -> None:
        # In the connection's own thread: a silent client blocks no other client.
        self.request.settimeout(self.timeout)
        self.request.do_handshake()
        self.directory = str(self.store.folder or "/nonexistent")
        super().setup()

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, directory="/nonexistent", **more)

    def do_GET(self) -> None:
        if self.store.unavailable:
            self.send_error(503, "Slow Down")  # S3 API Reference, "Error responses"
        elif self.store.folder and not self.path.split("?")[0].endswith("/peer"):
            super().do_GET()
        else:
            body = json.dumps({"peer": self.client_address[0]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def do_PUT(self) -> None:
        """A signal to CloudFormation."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.store.put.append({"host": self.headers["Host"], "path": self.path,
                               "peer": self.client_address[0], "body": body.decode()})
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        self.store.asked.append((time.time(), self.path, int(code)))

    def log_message(self, *_: Any) -> None:
        pass


class StoreServer(Server):
    def __init__(self, store: "Store") -> None:
        self.store = store
        super().__init__(("0.0.0.0", 443), Handler)

    def get_request(self) -> Any:
        connection, peer = super().get_request()
        return self.store.context.wrap_socket(connection, server_side=True,
                                              do_handshake_on_connect=False), peer


class Store:
    """Amazon S3 as far as the lab needs it. `unavailable`: it answers 503."""

    def __init__(self, netns: Netns, authority: Authority, names: list[str],
                 folder: Path | None) -> None:
        self.netns, self.folder = netns, folder
        self.unavailable = False
        # The last requests: Unix time, path, status.
        self.asked: collections.deque[tuple[float, str, int]] = collections.deque(maxlen=1000)
        self.put: list[dict[str, str]] = []
        certificate = authority.issue(*names)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile(mode="wb") as pem:
            pem.write(certificate.certificate + certificate.key)
            pem.flush()
            self.context.load_cert_chain(pem.name)
        with netns.net():
            self.server = StoreServer(self)
        self.server.start()

    def close(self) -> None:
        self.server.end()
        self.netns.close()


class Internet:
    """`folder`: the repository's files, served by HTTPS at all of `names` and at REPOSITORY.
    `binds`: for the hosts, as in parts.host.Host."""

    def __init__(self, fabric: Fabric, authority: Authority, folder: Path, names: list[str],
                 binds: list[tuple[Path, str, str]] | None = None) -> None:
        self._fabric = fabric
        self._spaces: list[Netns] = []
        self.hosts: list[Host] = []
        self._stores: list[Store] = []
        try:
            self.admin, self.client, self.stranger = (
                self._host(name, binds) for name in ("admin", "client", "stranger"))
            repo = self._space("repository", *REPOSITORY)
            # The gateway endpoint: the VPC's router leads here without NAT.
            fabric.hang(repo, text.S3)
            self.repo = self._store(repo, authority, [*names, *REPOSITORY], folder)
            self.elsewhere = self._store(self._space("elsewhere", ELSEWHERE), authority,
                                         [ELSEWHERE], None)
            self.ping = self._space("ping", PING)
            for host, address in zip(self.hosts, (ADMIN, CLIENT, STRANGER)):
                fabric.internet(host, address)
                host.address = address
                host.path("/etc/resolv.conf").unlink(missing_ok=True)
                host.write("/etc/resolv.conf", f"nameserver {RESOLVER}\noptions timeout:1\n")
        except BaseException:
            self.close()
            raise

    def _host(self, name: str, binds: list[tuple[Path, str, str]] | None) -> Host:
        host = Host(name, self._fabric.logs, binds=binds)
        self.hosts.append(host)
        return host

    def _space(self, name: str, *addresses: str) -> Netns:
        space = Netns(name, PLAIN)
        self._spaces.append(space)
        self._fabric.internet(space, *addresses)
        return space

    def _store(self, space: Netns, authority: Authority, names: list[str],
               folder: Path | None) -> Store:
        store = Store(space, authority, names, folder)
        self._stores.append(store)
        return store

    def services(self, to: str) -> None:
        """Forwards AWS's services on the internet to a server on the backplane, for requests
        without an endpoint."""
        self._fabric.public_forwarder("services", SERVICES, 443, to)

    def close(self) -> None:
        for store in self._stores:
            store.close()
        for space in self._spaces:
            space.close()
        for host in self.hosts:
            host.close()
        self._stores, self._spaces, self.hosts = [], [], []
