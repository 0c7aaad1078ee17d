"""One of the two servers of the DB instance (aws/rds.py): a real MariaDB on a host in a database
subnet, and what can be asked of it and done to it.

A killed server loses nothing that it had committed (the log is handed to the kernel at each
commit), a power cut would: RDS's own settings (1 and 1) cost two fsync a commit, and here
both servers are on one machine, whose power cut ends the lab.
"""
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
    # Every server starts as what may not be written to; being the writer is said to it.
    "--read-only=1", "--require-secure-transport=1",
    "--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci",
    "--rpl-semi-sync-slave-enabled=1", "--rpl-semi-sync-slave-kill-conn-timeout=1",
    "--rpl-semi-sync-master-wait-point=AFTER_SYNC", "--rpl-semi-sync-master-wait-no-slave=1",
    # After it a writer would silently go on alone: never.
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
