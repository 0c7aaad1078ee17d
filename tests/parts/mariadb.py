"""The database: two real MariaDB servers, a writer and a standby, behind one
name. RDS itself cannot be run; what its failover does to clients is done here:
the writer dies, falls silent or turns read-only, the standby takes over, the
endpoint's record is repointed."""
from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from . import names
from .dns import Dns
from .host import Host
from .pki import Certificate
from .process import Process
from .wait import wait_until

AGENT_USER, AGENT_PASSWORD = "wna", "a-password-for-the-agent"
PAGE_USER, PAGE_PASSWORD = "page", "a-password-for-the-page"

INIT = f"""
CREATE DATABASE IF NOT EXISTS practice;
CREATE TABLE IF NOT EXISTS practice.practice (id INT PRIMARY KEY, name TEXT, address TEXT);
REPLACE INTO practice.practice VALUES (1, 'KIM', 'SEOUL');
CREATE TABLE IF NOT EXISTS practice.visits (at DATETIME);
CREATE OR REPLACE USER {AGENT_USER}@'%' IDENTIFIED BY '{AGENT_PASSWORD}' REQUIRE SSL
  WITH MAX_USER_CONNECTIONS 20;
CREATE OR REPLACE USER {PAGE_USER}@'%' IDENTIFIED BY '{PAGE_PASSWORD}' REQUIRE SSL;
GRANT SELECT ON practice.* TO {PAGE_USER}@'%';
GRANT INSERT ON practice.visits TO {PAGE_USER}@'%';
"""


def prepare_template(folder: Path) -> Path:
    """An empty data directory, made once and copied for each server. Several
    processes may ask for it at once."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            _make_template(folder / "data")
            (folder / "done").touch()
    return folder / "data"


def _make_template(data: Path) -> None:
    shutil.rmtree(data, ignore_errors=True)
    scratch = data.parent / "tmp"
    scratch.mkdir(exist_ok=True)
    # As root: the services' users may not be able to enter the checkout.
    done = subprocess.run(
        ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--user=root",
         "--skip-test-db", "--auth-root-authentication-method=socket",
         "--innodb-log-file-size=4M", "--innodb-data-file-path=ibdata1:4M:autoextend",
         "--innodb-use-native-aio=0"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
        cwd="/", env={"PATH": os.environ["PATH"], "TMPDIR": str(scratch)})
    if done.returncode != 0:
        # What went wrong is said first; general advice follows it.
        raise RuntimeError(f"mariadb-install-db: exit {done.returncode}: {done.stdout[:3000]}")


class MariaDb:
    def __init__(self, host: Host, template: Path) -> None:
        self.host = host
        self._template = template
        self.options: tuple[str, ...] = ()  # more than spawn()'s
        self.process: Process | None = None

    def prepare(self, ca: bytes, certificate: Certificate) -> None:
        self.fill()
        self.host.write("/etc/mysql/tls/ca.pem", ca)
        self.host.write("/etc/mysql/tls/cert.pem", certificate.certificate)
        self.host.write("/etc/mysql/tls/key.pem", certificate.key, 0o644)

    def fill(self) -> None:
        """A fresh data directory; the server does not run."""
        self.host.sh("rm -rf /var/lib/mysql; mkdir -p /var/lib/mysql /run/mysqld")
        subprocess.run(["cp", "-a", "--sparse=always", f"{self._template}/.",
                        str(self.host.path("/var/lib/mysql"))], check=True)
        self.host.sh("chown -R mysql: /run/mysqld /var/lib/mysql")

    def start(self, writer: bool, wait: bool = True) -> None:
        # The users are made while the server may still be written to; read_only
        # is set after that.
        init = INIT + ("" if writer else "SET GLOBAL read_only = 1;\n")
        self.host.write("/etc/mysql/init.sql", init)
        self.spawn("--init-file=/etc/mysql/init.sql", "--innodb-flush-log-at-trx-commit=0",
                   "--skip-log-bin")
        if wait:
            self.wait_ready()

    def spawn(self, *options: str) -> None:
        self.process = self.host.spawn(
            "/usr/sbin/mariadbd", "--no-defaults", "--user=mysql", "--datadir=/var/lib/mysql",
            "--socket=/run/mysqld/mysqld.sock", "--pid-file=/run/mysqld/mysqld.pid",
            "--bind-address=0.0.0.0", "--port=3306", "--skip-name-resolve",
            "--ssl-ca=/etc/mysql/tls/ca.pem", "--ssl-cert=/etc/mysql/tls/cert.pem",
            "--ssl-key=/etc/mysql/tls/key.pem",
            "--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M",
            "--innodb-data-file-path=ibdata1:4M:autoextend", "--innodb-use-native-aio=0",
            "--performance-schema=0", "--aria-pagecache-buffer-size=1M", "--key-buffer-size=1M",
            *self.options, *options, log="mariadbd")

    def wait_ready(self) -> None:
        wait_until(lambda: self.sql("SELECT 1", check=False) == "1",
                   f"mariadbd on {self.host.name} answers", 30)

    def sql(self, statement: str, check: bool = True) -> str:
        """As root over the server's own socket, whatever the network does."""
        return self.host.run("mariadb", "--no-defaults", "-uroot", "-N", "-B",
                             "-S", "/run/mysqld/mysqld.sock", "-e", statement,
                             check=check, timeout=10).stdout.strip()

    def count(self, status: str) -> int:
        """A counter of SHOW GLOBAL STATUS."""
        return int(self.sql(f"SHOW GLOBAL STATUS LIKE '{status}'").split()[1])

    def sessions(self, user: str = AGENT_USER) -> list[str]:
        """Connection ids of a user's sessions."""
        text = self.sql("SELECT id FROM information_schema.processlist "
                        f"WHERE user = '{user}'")
        return text.split()

    def writable(self, yes: bool) -> None:
        self.sql(f"SET GLOBAL read_only = {0 if yes else 1}")

    def mariadbd(self) -> int:
        return next(iter(self.host.ps("mariadbd")))


class Database:
    """The pair and its endpoint."""

    def __init__(self, dns: Dns, servers: list[MariaDb]) -> None:
        self.dns = dns
        self.servers = servers
        self.writer = 0

    def point(self, index: int) -> None:
        self.dns.set(names.DATABASE_HOST, names.DATABASES[index], ttl=5)

    def failover(self, how: str = "kill") -> None:
        """The writer goes the given way (kill, freeze, cut, demote), the other one
        becomes writable, the name follows."""
        self.fail(how)
        self.promote()

    def fail(self, how: str) -> None:
        """The outage begins."""
        old = self.servers[self.writer]
        match how:
            case "kill":
                assert old.process
                old.process.kill()
            case "freeze":
                old.host.run("pkill", "-STOP", "-x", "mariadbd")
            case "cut":
                old.host.cut("")
            case "demote":
                old.writable(False)
            case _:
                raise ValueError(how)

    def promote(self) -> None:
        """It ends."""
        self.servers[1 - self.writer].writable(True)
        self.writer = 1 - self.writer
        self.point(self.writer)

    def repair(self) -> None:
        """The server that is not the writer comes back as the standby."""
        standby = self.servers[1 - self.writer]
        standby.host.mend()
        standby.host.run("pkill", "-CONT", "-x", "mariadbd", check=False)
        if standby.process and not standby.process.running():
            standby.start(writer=False)
        standby.writable(False)

    def reset(self) -> None:
        """As at the beginning: the first server writes, the name leads to it."""
        self.dns.speak()
        for server in self.servers:
            server.host.mend()
            server.host.run("pkill", "-CONT", "-x", "mariadbd", check=False)
            if server.process and not server.process.running():
                server.start(writer=False)
        for server in self.servers:
            # Of nodes that are gone: their sockets never said goodbye.
            server.sql(f"KILL USER {AGENT_USER}; KILL USER {PAGE_USER}; "
                       "SET GLOBAL connect_timeout = DEFAULT")
        self.servers[1].writable(False)
        self.servers[0].writable(True)
        self.writer = 0
        self.point(0)


if __name__ == "__main__":
    prepare_template(Path(sys.argv[1]))
