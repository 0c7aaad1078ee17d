"""One of the two servers of the DB instance (aws/rds.py): a real MariaDB on a host in a database
subnet, with its queries and commands.

A killed server loses no committed transaction (the log is passed to the kernel at each commit),
but a power cut would: RDS's settings (1 and 1) need two fsync per commit. Here both servers are on
one machine, and a power cut ends the lab."""
from __future__ import annotations

import re
from pathlib import Path

from parts.host import Host
from parts.mariadb import MariaDb

REPLICATION = "replication"
A_YEAR_MS = 365 * 24 * 3600 * 1000

OPTIONS = (
    "--log-bin=binlog", "--binlog-format=ROW", "--log-slave-updates=1", "--gtid-strict-mode=1",
    "--sync-binlog=0", "--innodb-flush-log-at-trx-commit=2",
    # Every server starts read-only; a command makes it the writer.
    "--read-only=1", "--require-secure-transport=1",
    "--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci",
    "--rpl-semi-sync-slave-enabled=1", "--rpl-semi-sync-slave-kill-conn-timeout=1",
    "--rpl-semi-sync-master-wait-point=AFTER_SYNC", "--rpl-semi-sync-master-wait-no-slave=1",
    # After this timeout a writer would go on without a standby: never.
    f"--rpl-semi-sync-master-timeout={A_YEAR_MS}",
)


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
    """The transactions of `state` that are not in `of`; the last one of each origin."""
    known = positions(of)
    return [f"{domain}-{server}-{number}" for (domain, server), number in positions(state).items()
            if number > known.get((domain, server), -1)]


class Server(MariaDb):
    """A server of the pair. `address`: of its interface in the database subnet (eth0);
    `backplane`: for replication."""

    def __init__(self, host: Host, template: Path, number: int, zone: str, address: str,
                 backplane: str) -> None:
        super().__init__(host, template)
        self.number, self.zone, self.address, self.backplane = number, zone, address, backplane

    def boot(self) -> None:
        self.spawn(f"--server-id={self.number}", *OPTIONS)

    def script(self, text: str, timeout: float = 30.0, form: str = "-NB") -> str:
        """Runs statements from standard input: no argument vector has their contents."""
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

    # network interface

    def hide(self) -> None:
        """Drops all packets to and from eth0."""
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
        """Stops receiving, and waits until all received transactions are applied."""
        self.script("STOP SLAVE IO_THREAD;")
        taken = self.replication().get("Gtid_IO_Pos", "")
        if taken and self.script(f"SELECT MASTER_GTID_WAIT('{taken}', 30);", 40) != "0":
            raise RuntimeError(f"{self.host.name}: not applied up to {taken}: {self.replication()}")

    def promote(self) -> None:
        self.script("STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = 0;")

    def dump(self) -> tuple[str, str]:
        """All databases and users, with the position. Writes are blocked meanwhile, because users
        are in no transaction's snapshot."""
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
