"""The VPC's resolver: a real BIND, authoritative for the lab's names, changed
at run time by dynamic updates (RFC 2136) as RDS changes its endpoint's record."""
from __future__ import annotations

import base64
import os

from . import names
from .host import Host
from .process import Process
from .wait import wait_until

CONF = """
key lab {{ algorithm hmac-sha256; secret "{secret}"; }};
options {{
  directory "/var/cache/bind"; pid-file "/run/named.pid"; session-keyfile "/run/named.session";
  listen-on {{ 127.0.0.1; {resolver}; }}; listen-on-v6 {{ none; }}; recursion no; allow-query {{ any; }};
  minimal-responses yes; notify no; dnssec-validation no;
}};
controls {{ }};
zone "{domain}" {{ type primary; file "/var/cache/bind/lab.zone";
                   allow-update {{ key lab; }}; check-names ignore; }};
"""

ZONE = """$TTL 60
@ SOA ns.{domain}. root.{domain}. 1 60 60 600 1
@ NS ns.{domain}.
ns A {resolver}
"""


class Dns:
    def __init__(self, host: Host) -> None:
        self.host = host
        self._secret = base64.b64encode(os.urandom(32)).decode()
        self.process: Process | None = None

    def start(self, wait: bool = True) -> None:
        self.host.write("/etc/bind/named.conf", CONF.format(
            secret=self._secret, domain=names.DOMAIN, resolver=names.RESOLVER))
        self.host.write("/var/cache/bind/lab.zone", ZONE.format(
            domain=names.DOMAIN, resolver=names.RESOLVER))
        self.process = self.host.spawn("/usr/sbin/named", "-g", "-4", "-n", "1",
                                       "-c", "/etc/bind/named.conf", log="named")
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        wait_until(lambda: self.lookup(f"ns.{names.DOMAIN}"), "named answers", 15)

    def lookup(self, name: str, kind: str = "A") -> list[str]:
        """What the resolver says now, by dig; [] if it says nothing."""
        done = self.host.run("dig", "+short", "+tries=1", "+time=1", f"@{names.RESOLVER}",
                             name, kind, check=False)
        return done.stdout.split() if done.returncode == 0 else []

    def update(self, *commands: str) -> None:
        """nsupdate's commands: "add NAME TTL A ADDRESS", "delete NAME A"."""
        text = "".join(f"update {c}\n" for c in commands)
        self.host.run("nsupdate", "-y", f"hmac-sha256:lab:{self._secret}", "-t", "5",
                      stdin=f"server 127.0.0.1\nzone {names.DOMAIN}\n{text}send\n")

    def set(self, name: str, *addresses: str, ttl: int = 5) -> None:
        """The name's whole answer, in one step; no addresses: NXDOMAIN."""
        self.update(f"delete {name}", *(
            f"add {name} {ttl} {'AAAA' if ':' in a else 'A'} {a}" for a in addresses))

    def alias(self, name: str, target: str, ttl: int = 5) -> None:
        self.update(f"delete {name}", f"add {name} {ttl} CNAME {target}")

    def silence(self) -> None:
        """Queries vanish: no answer, no error."""
        self.host.cut("udp dport 53")

    def speak(self) -> None:
        self.host.mend()
