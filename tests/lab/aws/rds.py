"""RDS for MySQL, Multi-AZ with one standby: two real MariaDB servers on hosts in the
database subnets.

Real: the servers (aws/rds_server.py), replication by GTID that is semi-synchronous (AFTER_SYNC:
a client hears of its commit only when the standby holds it), TLS, a failover by kill -9, the
endpoint's record of 5 s (RDS's own is in no document of AWS's). AWS: RDS User Guide,
"Multi-AZ DB instance deployments" (synchronous standby in another zone, no client can connect
to it) and "Failing over a Multi-AZ DB instance".
A stand-in: the engine is MariaDB and not MySQL, RDS copies storage blocks and not
transactions, and its failover takes 60 to 120 s where this takes one or two. The standby's
network interface answers nothing: packets vanish, as nothing of the standby is to be seen.
Replication and the making of a standby use the backplane, outside all rules.
"""
from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Callable

from parts.pki import Certificate
from parts.wait import wait_until

from lab.trouble import one_line
from .rds_server import REPLICATION, Server, quote, strangers

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


class FailoverFailed(RuntimeError):
    """There was none, or not all of one; the text says what is now."""


@dataclass
class Failover:
    """What one failover took, in seconds from its start."""
    from_address: str
    to_address: str
    writable_s: float = 0.0   # the new writer takes writes and the endpoint's name leads to it
    redundant_s: float = 0.0  # the other one is its standby, and semi-synchronous
    repaired: str = ""        # what went wrong on the way, and was mended
    begun: float = field(default_factory=time.monotonic)

    def passed(self) -> float:
        return time.monotonic() - self.begun


class Pair:
    """The DB instance. The caller has attached the hosts: eth0 in the database subnets,
    another device on the backplane. `repoint(address)` sets the endpoint's record, whose TTL is
    the caller's (network/resolver.py). `password`: the master user's, from the managed secret."""

    def __init__(self, servers: tuple[Server, Server], repoint: Callable[[str], None], *,
                 ca: bytes, certificate: Certificate, password: str, user: str,
                 database: str) -> None:
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

    def start(self) -> None:
        for server in self.servers:
            server.prepare(self._ca, self._certificate)
            server.hide()
            server.boot()
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

    def failover(self, down_s: float = 0.0) -> Failover:
        """Returns when the pair is redundant again: the writer's process ends and its
        connections with it, then its interface falls silent. `down_s`: how long there is no
        writer before the standby becomes it; RDS takes its 60 to 120 s, here it is done at
        once.

        If the standby cannot become the writer, the one of before is started again and is it:
        it has all that was acknowledged, and nobody could reach the other one yet. Once a
        client may have written to the new one there is no way back, only on: what fails then
        is tried again. Either way the pair has a writer afterwards, and what happened is said:
        by FailoverFailed, or by `repaired`."""
        with self._lock:
            why = self.why_not_redundant()
            if why:
                raise NotRedundant(f"no failover: {why}")
            old, new = self.writer, self.standby
            result = Failover(old.address, new.address)
            self._record("RDS-EVENT-0013")
            try:
                self._lose(old)
                threading.Event().wait(down_s)
                new.apply_all()
                new.promote()
            except Exception as error:
                raise FailoverFailed(self._go_back(old, error)) from error
            self._writer = 1 - self._writer
            self._twice(new.show, result)
            self._twice(lambda: self._repoint(new.address), result)
            result.writable_s = result.passed()
            self._record("RDS-EVENT-0015")
            self._twice(self.rebuild, result)
            result.redundant_s = result.passed()
            # AWS does not say of which instant this speaks; here: there is a standby again.
            self._record("RDS-EVENT-0049")
            return result

    def _lose(self, server: Server) -> None:
        assert server.process
        server.process.kill()
        server.hide()

    def _twice(self, step: Callable[[], None], result: Failover) -> None:
        """A step behind which there is no way back."""
        try:
            step()
        except Exception as error:
            result.repaired = " ".join(filter(None, (result.repaired, one_line(error))))
            try:
                step()
            except Exception as again:
                raise FailoverFailed(f"{self.writer.address} is the writer, but it is not all "
                                     f"done, at a second try neither: {one_line(again)}") from again

    def _go_back(self, old: Server, error: Exception) -> str:
        """The writer of before is it again; what to say of it."""
        said = f"the standby did not become the writer ({one_line(error)})"
        try:
            if not (old.process and old.process.running()):
                old.boot()
            old.wait_ready()
            old.script("SET GLOBAL read_only = 0;")
            old.show()
            self._repoint(old.address)
        except Exception as worse:
            return f"{said}, and there is no writer at all: {one_line(worse)}"
        try:
            self.rebuild()
        except Exception as worse:
            return (f"{said}; {old.address} writes again, without a standby, for there is none "
                    f"to be had: {one_line(worse)}")
        return f"{said}; {old.address} writes again, and its standby was made anew"

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
