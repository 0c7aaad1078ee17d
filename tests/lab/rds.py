"""RDS for MySQL, Multi-AZ with one standby: two real MariaDB servers on hosts in the
database subnets.

Real: the servers, replication by GTID that is semi-synchronous (AFTER_SYNC: a client hears
of its commit only when the standby holds it), TLS, a failover by kill -9, the endpoint's
record of 5 s. AWS: RDS User Guide, "Multi-AZ DB instance deployments" (synchronous standby
in another zone, no client can connect to it) and "Failing over a Multi-AZ DB instance".
A stand-in: the engine is MariaDB and not MySQL, RDS copies storage blocks and not
transactions, and its failover takes 60 to 120 s where this takes one or two. The standby's
network interface answers nothing: packets vanish, as nothing of the standby is to be seen.
Replication and the making of a standby use the backplane, outside all rules.

A killed server loses nothing that it had committed (the log is handed to the kernel at each
commit), a power cut would: RDS's own settings (1 and 1) cost two fsync a commit, and here
both servers are on one machine, whose power cut ends the lab.
"""
from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from parts.host import Host
from parts.mariadb import MariaDb
from parts.pki import Certificate
from parts.wait import wait_until

TTL = 5  # of the endpoint's record, in seconds; how RDS does it is in no document of AWS's
REPLICATION = "replication"
A_YEAR_MS = 365 * 24 * 3600 * 1000

# RDS User Guide, "Master user account privileges", RDS for MySQL: no SUPER, and nothing that
# could read files or change the server. MySQL 8's CREATE ROLE, DROP ROLE, ROLE_ADMIN,
# APPLICATION_PASSWORD_ADMIN, SET_USER_ID and XA_RECOVER_ADMIN have no twin in MariaDB.
MASTER_GRANTS = (
    "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, "
    "SHOW DATABASES, CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, "
    "REPLICATION CLIENT, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, CREATE USER, "
    "EVENT, TRIGGER")

# RDS User Guide, "Amazon RDS event categories and event messages".
EVENTS = {
    "RDS-EVENT-0005": "DB instance created.",
    "RDS-EVENT-0013": "Multi-AZ instance failover started.",
    "RDS-EVENT-0015": "Multi-AZ failover to standby complete - DNS propagation may take a few "
                      "minutes.",
    "RDS-EVENT-0016": "Reset master credentials.",
    "RDS-EVENT-0049": "Multi-AZ instance failover completed.",
}

OPTIONS = (
    "--log-bin=binlog", "--binlog-format=ROW", "--log-slave-updates=1", "--gtid-strict-mode=1",
    "--sync-binlog=0", "--innodb-flush-log-at-trx-commit=2",
    # Every server starts as what may not be written to; being the writer is said to it.
    "--read-only=1", "--require-secure-transport=1",
    "--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci",
    "--rpl-semi-sync-slave-enabled=1", "--rpl-semi-sync-slave-kill-conn-timeout=1",
    "--rpl-semi-sync-master-wait-point=AFTER_SYNC", "--rpl-semi-sync-master-wait-no-slave=1",
    # After it a writer would silently go on alone: never.
    f"--rpl-semi-sync-master-timeout={A_YEAR_MS}",
)


class NotRedundant(AssertionError):
    """The pair has no standby that holds every acknowledged commit."""


@dataclass(frozen=True)
class Event:
    """As DescribeEvents shows it; `at` is the wall clock's time."""
    at: float
    id: str
    message: str

    def __str__(self) -> str:
        when = time.strftime("%H:%M:%S", time.gmtime(self.at)) + f".{int(self.at % 1 * 1000):03d}"
        return f"{when}  {self.id}  {self.message}"


@dataclass
class Failover:
    """What one failover took, in seconds from its start."""
    how: str
    from_zone: str
    to_zone: str
    to_address: str
    writable_s: float = 0.0   # the new writer takes writes and the endpoint's name leads to it
    redundant_s: float = 0.0  # the other one is its standby, and semi-synchronous
    begun: float = field(default_factory=time.monotonic)

    def passed(self) -> float:
        return time.monotonic() - self.begun


def quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def positions(state: str) -> dict[tuple[int, int], int]:
    """A gtid_binlog_state, "0-1-17,0-2-20", as {(domain, server): sequence number}."""
    found = {}
    for gtid in filter(None, state.replace("\n", "").split(",")):
        domain, server, number = map(int, gtid.strip().split("-"))
        found[domain, server] = number
    return found


def strangers(state: str, of: str) -> list[str]:
    """The transactions of a server with `state` that the one with the state `of` does not
    have; each as the last one of its origin."""
    known = positions(of)
    return [f"{domain}-{server}-{number}" for (domain, server), number in positions(state).items()
            if number > known.get((domain, server), -1)]


class Server(MariaDb):
    """One of the two. `address`: of its interface in the database subnet (eth0);
    `backplane`: of the one for replication."""

    def __init__(self, host: Host, template: Path, number: int, zone: str, address: str,
                 backplane: str) -> None:
        super().__init__(host, template)
        self.number, self.zone, self.address, self.backplane = number, zone, address, backplane

    def boot(self) -> None:
        self.spawn(f"--server-id={self.number}", *OPTIONS)

    def script(self, text: str, timeout: float = 30.0, form: str = "-NB") -> str:
        """Statements by standard input: what they contain is in no argument vector."""
        return self.host.run("mariadb", "--no-defaults", "-uroot", form,
                             "--default-character-set=utf8mb4", "-S", "/run/mysqld/mysqld.sock",
                             stdin=text, timeout=timeout).stdout.strip()

    def variable(self, name: str) -> str:
        return self.script(f"SELECT @@GLOBAL.{name};")

    def statuses(self, pattern: str) -> dict[str, str]:
        rows = self.script(f"SHOW GLOBAL STATUS LIKE '{pattern}';").splitlines()
        return {name: value for name, _, value in (row.partition("\t") for row in rows)}

    def replication(self) -> dict[str, str]:
        """SHOW SLAVE STATUS; empty on a writer."""
        text = self.script("SHOW SLAVE STATUS;", form="-E")
        return dict(re.findall(r"^ *(\w+): ?(.*)$", text, re.M))

    # its network interface

    def hide(self) -> None:
        """Nothing that reaches eth0 is answered, and nothing leaves by it."""
        self.host.run("nft", "-f", "-", stdin="""
            add table inet standby; delete table inet standby
            table inet standby {
                chain in { type filter hook input priority 0; iifname eth0 drop; }
                chain out { type filter hook output priority 0; oifname eth0 drop; }
            }""")

    def show(self) -> None:
        self.host.run("nft", "-f", "-",
                      stdin="add table inet standby; delete table inet standby")

    # roles

    def follow(self, writer: Server, password: str, position: str = "") -> None:
        """Replicates from the writer, from this position on."""
        taken = f"""RESET MASTER; SET GLOBAL gtid_binlog_state = '{position}';
                    SET GLOBAL gtid_slave_pos = '{position}';""" if position else ""
        self.script(taken + f"""
            CHANGE MASTER TO MASTER_HOST = '{writer.backplane}', MASTER_USER = '{REPLICATION}',
              MASTER_PASSWORD = {quote(password)}, MASTER_USE_GTID = slave_pos,
              MASTER_CONNECT_RETRY = 1, MASTER_SSL = 1, MASTER_SSL_CA = '/etc/mysql/tls/ca.pem';
            START SLAVE;""")

    def apply_all(self) -> None:
        """Takes no more, and waits until all that it has taken is applied."""
        self.script("STOP SLAVE IO_THREAD;")
        taken = self.replication().get("Gtid_IO_Pos", "")
        if taken and self.script(f"SELECT MASTER_GTID_WAIT('{taken}', 30);", 40) != "0":
            raise RuntimeError(f"{self.host.name}: not applied up to {taken}: {self.replication()}")

    def promote(self) -> None:
        self.script("STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = 0;")

    def dump(self) -> tuple[str, str]:
        """All databases and users, and the position they are of. Nothing is written
        meanwhile: users are in no transaction's snapshot."""
        names = self.script("SELECT schema_name FROM information_schema.schemata WHERE schema_name "
                            "NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema');")
        text = self.host.run(
            "mariadb-dump", "--no-defaults", "-uroot", "-S", "/run/mysqld/mysqld.sock",
            "--default-character-set=utf8mb4", "--lock-all-tables", "--master-data=2", "--gtid",
            "--routines", "--events", "--triggers", "--system=users", "--insert-ignore",
            "--databases", *names.split("\n"), timeout=60).stdout
        found = re.search(r"SET GLOBAL gtid_slave_pos='([^']*)'", text)
        if not found:
            raise RuntimeError(f"{self.host.name}: a dump without a position: {text[:500]}")
        return text, found[1]


class Pair:
    """The DB instance. The caller has attached the hosts: eth0 in the database subnets,
    another device on the backplane. `repoint(address)` sets the endpoint's record, which the
    caller makes with TTL. `password`: the master user's, from the managed secret."""

    def __init__(self, servers: tuple[Server, Server], repoint: Callable[[str], None], *,
                 ca: bytes, certificate: Certificate, password: str, user: str = "admin",
                 database: str = "practice") -> None:
        self.servers = servers
        self.user, self.database = user, database
        self.events: list[Event] = []
        self._ca, self._certificate, self._password = ca, certificate, password
        # Known to the two servers only; a fresh one for each lab.
        self._replication = f"r-{time.time_ns():x}-{id(self):x}"
        self._repoint = repoint
        self._writer = 0
        self._lock = threading.RLock()

    @property
    def writer(self) -> Server:
        return self.servers[self._writer]

    @property
    def standby(self) -> Server:
        return self.servers[1 - self._writer]

    # coming up

    def start(self, wait: bool = True) -> None:
        for server in self.servers:
            server.prepare(self._ca, self._certificate)
            server.hide()
            server.boot()
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        """Until the first server is the writer and the second its standby."""
        with self._lock:
            writer, standby = self.writer, self.standby
            writer.wait_ready()
            writer.script(f"""
                SET GLOBAL read_only = 0;
                CREATE USER {REPLICATION}@'%' IDENTIFIED BY {quote(self._replication)} REQUIRE SSL;
                GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO {REPLICATION}@'%';
                CREATE USER {self.user}@'%' IDENTIFIED BY {quote(self._password)};
                GRANT {MASTER_GRANTS} ON *.* TO {self.user}@'%' WITH GRANT OPTION;
                CREATE DATABASE {self.database};""")
            standby.wait_ready()
            standby.follow(writer, self._replication)
            self._join()
            writer.show()
            self._repoint(writer.address)
            self._record("RDS-EVENT-0005")

    def _record(self, event: str) -> None:
        self.events.append(Event(time.time(), event, EVENTS[event]))

    # what is

    def why_not_redundant(self) -> str:
        """Empty if each commit that a client hears of is on both servers."""
        semi = self.writer.statuses("Rpl_semi_sync_master_%")
        if semi.get("Rpl_semi_sync_master_status") != "ON":
            return "Rpl_semi_sync_master_status is OFF"
        if semi.get("Rpl_semi_sync_master_clients") != "1":
            return "no standby acknowledges commits"
        replica = self.standby.replication()
        for thread in ("Slave_IO_Running", "Slave_SQL_Running"):
            if replica.get(thread) != "Yes":
                error = replica.get("Last_SQL_Error") or replica.get("Last_IO_Error") or ""
                return f"{thread} is {replica.get(thread)}: {error}"
        return ""

    def describe(self) -> dict[str, str]:
        """For people: who is what, and whether the pair is redundant."""
        return {"writer": f"{self.writer.address} ({self.writer.zone})",
                "standby": f"{self.standby.address} ({self.standby.zone})",
                "replication": self.why_not_redundant() or
                "semi-synchronous, AFTER_SYNC, acknowledged by the standby"}

    def _acknowledges(self) -> bool:
        why = self.why_not_redundant()
        if why:
            raise LookupError(why)
        return True

    def divergence(self) -> list[str]:
        """Transactions of the standby's own, which the writer does not have."""
        state = self.standby.variable("gtid_binlog_state")
        return strangers(state, self.writer.variable("gtid_binlog_state"))

    # what is done to it

    def rotate(self, password: str) -> None:
        """The master user's new password; both servers have it when this returns."""
        with self._lock:
            self.writer.script(
                f"ALTER USER {self.user}@'%' IDENTIFIED BY {quote(password)};")
            self._password = password
            self._record("RDS-EVENT-0016")

    def failover(self, how: str = "reboot-with-failover", down_s: float = 0.0) -> Failover:
        """Returns when the pair is redundant again. "reboot-with-failover": the writer's
        process ends and its connections with it, then its interface falls silent.
        "host-loss": the interface first, so that clients hear nothing of their connections.
        `down_s`: how long there is no writer before the standby becomes it; RDS takes its 60
        to 120 s, here it is done at once."""
        if how not in ("reboot-with-failover", "host-loss"):
            raise ValueError(how)
        with self._lock:
            why = self.why_not_redundant()
            if why:
                raise NotRedundant(f"no failover: {why}")
            old, new = self.writer, self.standby
            result = Failover(how, old.zone, new.zone, new.address)
            self._record("RDS-EVENT-0013")
            self._lose(old, how)
            threading.Event().wait(down_s)
            new.apply_all()
            new.promote()
            new.show()
            self._writer = 1 - self._writer
            self._repoint(new.address)
            result.writable_s = result.passed()
            self._record("RDS-EVENT-0015")
            self.rebuild()
            result.redundant_s = result.passed()
            # AWS does not say of which instant this speaks; here: there is a standby again.
            self._record("RDS-EVENT-0049")
            return result

    def _lose(self, server: Server, how: str) -> None:
        assert server.process
        if how == "host-loss":
            server.hide()
        server.process.kill()
        server.hide()

    def rebuild(self) -> None:
        """The server that is not the writer is made anew as its standby. What it had is
        not used: it may hold transactions that nobody was told of."""
        with self._lock:
            writer, standby = self.writer, self.standby
            # A writer that waits for a standby's word would keep the dump waiting.
            writer.script("SET GLOBAL rpl_semi_sync_master_enabled = 0;")
            standby.hide()
            if standby.process:
                standby.process.kill()
            standby.fill()
            standby.boot()
            text, position = writer.dump()
            standby.wait_ready()
            standby.script("SET sql_log_bin = 0;\n" + text + "\nFLUSH PRIVILEGES;", 60)
            standby.follow(writer, self._replication, position)
            self._join()

    def _join(self) -> None:
        """From asynchronous, once the standby has caught up, to semi-synchronous."""
        writer, standby = self.writer, self.standby
        goal = writer.variable("gtid_binlog_pos")
        if standby.script(f"SELECT MASTER_GTID_WAIT('{goal}', 60);", 70) != "0":
            raise NotRedundant(f"{standby.host.name} does not catch up: {standby.replication()}")
        try:
            writer.script("SET GLOBAL rpl_semi_sync_master_enabled = 1;")
            # It asks the writer for semi-synchronous replication when it connects.
            standby.script("STOP SLAVE IO_THREAD; START SLAVE IO_THREAD;")
            wait_until(self._acknowledges, "the standby acknowledges", 10)
            own = self.divergence()
            if own:
                raise NotRedundant(f"{standby.host.name} has transactions of its own: {own}")
        except BaseException:
            # Said aloud by the exception, and better than a writer that waits for ever.
            writer.script("SET GLOBAL rpl_semi_sync_master_enabled = 0;")
            raise
