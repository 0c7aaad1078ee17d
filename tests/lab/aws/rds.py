"""RDS for MySQL, Multi-AZ with one standby: two real MariaDB servers on hosts in the database
subnets.

Real: the servers (aws/rds_server.py), semi-synchronous replication by GTID (AFTER_SYNC: a commit
is acknowledged only when the standby has it), TLS, a failover by kill -9, a DNS record with a TTL
of 5 s (AWS does not document RDS's TTL). AWS: RDS User Guide, "Multi-AZ DB instance deployments"
(synchronous standby in another zone, no client can connect to it) and "Failing over a Multi-AZ DB
instance". Stand-ins: MariaDB for MySQL; RDS copies storage blocks, not transactions; its failover
needs 60 to 120 s, here one or two. The standby's network interface drops all packets, because
RDS's standby is invisible. Replication and the creation of a standby use the backplane, where no
rules apply."""
from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Callable

from parts.pki import Certificate
from parts.wait import wait_until

from lab.trouble import one_line
from .rds_server import REPLICATION, Server, quote, strangers

# RDS User Guide, "Master user account privileges", RDS for MySQL: no SUPER, and no right to read
# files or change the server. MariaDB has no counterpart of MySQL 8's CREATE ROLE, DROP ROLE,
# ROLE_ADMIN, APPLICATION_PASSWORD_ADMIN, SET_USER_ID and XA_RECOVER_ADMIN.
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
    """An event as in DescribeEvents; `at` is wall-clock time."""
    at: float
    id: str
    message: str

    def __str__(self) -> str:
        when = time.strftime("%H:%M:%S", time.gmtime(self.at)) + f".{int(self.at % 1 * 1000):03d}"
        return f"{when}  {self.id}  {self.message}"


class FailoverFailed(RuntimeError):
    """The failover did not happen, or is not complete; the text describes the state."""


@dataclass
class Failover:
    """The durations of one failover, in seconds from its start."""
    from_address: str
    to_address: str
    writable_s: float = 0.0   # the new writer accepts writes, and the name leads to it
    redundant_s: float = 0.0  # the other server is a semi-synchronous standby
    repaired: str = ""        # a failure on the way that was repaired
    begun: float = field(default_factory=time.monotonic)

    def passed(self) -> float:
        return time.monotonic() - self.begun


class Pair:
    """The DB instance. The caller has attached the hosts: eth0 in the database subnets, another
    device on the backplane. `repoint(address)` sets the endpoint's record; network/resolver.py has
    its TTL. `password`: the master user's, from the managed secret."""

    def __init__(self, servers: tuple[Server, Server], repoint: Callable[[str], None], *,
                 ca: bytes, certificate: Certificate, password: str, user: str,
                 database: str) -> None:
        self.servers = servers
        self.user, self.database = user, database
        self.events: list[Event] = []
        self._ca, self._certificate, self._password = ca, certificate, password
        # Password of replication, known only to the two servers; new for each lab.
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

    # start

    def start(self) -> None:
        for server in self.servers:
            server.prepare(self._ca, self._certificate)
            server.hide()
            server.boot()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Waits until the first server is the writer and the second its standby."""
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

    # queries

    def why_not_redundant(self) -> str:
        """The reason why the pair is not redundant; empty if each acknowledged commit is on both
        servers."""
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
        """Transactions that only the standby has."""
        state = self.standby.variable("gtid_binlog_state")
        return strangers(state, self.writer.variable("gtid_binlog_state"))

    # changes

    def rotate(self, password: str) -> None:
        """Sets the master user's new password on both servers."""
        with self._lock:
            self.writer.script(
                f"ALTER USER {self.user}@'%' IDENTIFIED BY {quote(password)};")
            self._password = password
            self._record("RDS-EVENT-0016")

    def failover(self, down_s: float = 0.0) -> Failover:
        """Fails over; returns when the pair is redundant again. The writer's process and its
        connections end, then its interface drops all packets. `down_s`: time without a writer
        before the promotion of the standby (RDS: 60 to 120 s; default: none).

        If the promotion fails, the old writer is started again: it has all acknowledged
        transactions, and no client could reach the new one. After the promotion clients may have
        written to the new writer: there is no way back, and failed steps are retried. In both
        cases the pair has a writer at the end; FailoverFailed or `repaired` has the failure."""
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
            # AWS does not define the time of this event; here: when the pair has a standby again.
            self._record("RDS-EVENT-0049")
            return result

    def _lose(self, server: Server) -> None:
        assert server.process
        server.process.kill()
        server.hide()

    def _twice(self, step: Callable[[], None], result: Failover) -> None:
        """Runs a step after the promotion, with one retry."""
        try:
            step()
        except Exception as error:
            result.repaired = " ".join(filter(None, (result.repaired, one_line(error))))
            try:
                step()
            except Exception as again:
                raise FailoverFailed(f"{self.writer.address} is the writer, but a later step "
                                     f"failed twice: {one_line(again)}") from again

    def _go_back(self, old: Server, error: Exception) -> str:
        """Makes the old writer the writer again; returns a text for the error."""
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
        """Makes the other server a new standby. Its data are discarded: it may have transactions
        that were never acknowledged."""
        with self._lock:
            writer, standby = self.writer, self.standby
            # Asynchronous during the dump: semi-synchronous commits would wait for the standby.
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
        """Switches from asynchronous to semi-synchronous when the standby has caught up."""
        writer, standby = self.writer, self.standby
        goal = writer.variable("gtid_binlog_pos")
        if standby.script(f"SELECT MASTER_GTID_WAIT('{goal}', 60);", 70) != "0":
            raise NotRedundant(f"{standby.host.name} does not catch up: {standby.replication()}")
        try:
            writer.script("SET GLOBAL rpl_semi_sync_master_enabled = 1;")
            # A standby requests semi-synchronous replication when it connects.
            standby.script("STOP SLAVE IO_THREAD; START SLAVE IO_THREAD;")
            wait_until(self._acknowledges, "the standby acknowledges", 10)
            own = self.divergence()
            if own:
                raise NotRedundant(f"{standby.host.name} has transactions of its own: {own}")
        except BaseException:
            # The exception reports the failure; a writer that waits forever would be worse.
            writer.script("SET GLOBAL rpl_semi_sync_master_enabled = 0;")
            raise
