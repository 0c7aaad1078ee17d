"""What visitors see while the database fails over: on each of some web nodes one write and one
page without the database a second, at the same instants. The application is bad on purpose:
persistent connections and PHP's default time-outs."""
from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from . import mariadb, names
from .http import request
from .mariadb import Database
from .node import Node
from .wait import wait_until

FPM_WORKERS = """
pm = dynamic
pm.max_children = 50
pm.start_servers = 8
pm.min_spare_servers = 4
pm.max_spare_servers = 16
"""
WRITE = """<?php
mysqli_report(MYSQLI_REPORT_OFF);
$db = mysqli_init();
$db->ssl_set(NULL, NULL, '/etc/web-node-agent/ca.pem', NULL, NULL);
if (!@$db->real_connect('p:%s', '%s', '%s', 'practice', 3306, NULL, MYSQLI_CLIENT_SSL)
    || !@$db->query('INSERT INTO visits VALUES (NOW())')) {
  http_response_code(500); echo mysqli_connect_error(), ' ', $db->error, "\\n"; exit;
}
echo "written\\n";
""" % (names.DATABASE_HOST, mariadb.PAGE_USER, mariadb.PAGE_PASSWORD)
PAGE = "<?php echo 'a page without the database';\n"

BAD_S = 5.0   # an answer after this time is bad
HUNG_S = 15.0
PATIENCE_S = 25.0


@dataclass
class Visit:
    path: str
    at_s: float  # since the visitors came
    ok: bool = False
    took_s: float = PATIENCE_S

    @property
    def bad(self) -> bool:
        return not self.ok or self.took_s > BAD_S


@dataclass
class Seen:
    """One node's visits."""
    visits: list[Visit] = field(default_factory=list)

    def bad(self, path: str) -> int:
        return sum(visit.bad for visit in self.visits if visit.path == path)

    def hung(self) -> int:
        return sum(visit.took_s > HUNG_S for visit in self.visits)

    def summary(self, back_s: float) -> dict[str, float]:
        return {"bad_writes": self.bad("/write.php"), "bad_pages": self.bad("/page.php"),
                "hung": self.hung(), "good_after_s": self.first_good_write_s(back_s)}

    def first_good_write_s(self, after_s: float) -> float:
        """The start of the first write after that time from which on all writes are good."""
        writes = [v for v in self.visits if v.path == "/write.php" and v.at_s >= after_s]
        for i, visit in enumerate(writes):
            if not any(later.bad for later in writes[i:]):
                return visit.at_s - after_s
        return float("inf")


def prepare(node: Node) -> None:
    """Web server and application."""
    node.web.start(workers=FPM_WORKERS)
    node.host.write("/var/www/html/write.php", WRITE)
    node.host.write("/var/www/html/page.php", PAGE)
    begin(node)


def begin(node: Node) -> None:
    """Without connections of an earlier failover."""
    node.web.restart_php()
    wait_until(lambda: node.web.get("/write.php")[0] == 200, "the application writes", 15)


class Visitors:
    """Use with `with`; at its end every visit has its answer, or none within PATIENCE_S."""

    def __init__(self, nodes: list[Node], per_second: int = 1) -> None:
        self.nodes = nodes
        self.seen = [Seen() for _ in nodes]
        self._period_s = 1 / per_second
        self._end = threading.Event()
        self._start_s = 0.0
        self._visits: list[threading.Thread] = []

    def now_s(self) -> float:
        return time.monotonic() - self._start_s

    def wait_until(self, at_s: float) -> None:
        self._end.wait(at_s - self.now_s())

    def __enter__(self) -> "Visitors":
        self._start_s = time.monotonic()
        self._ticks = threading.Thread(target=self._tick)
        self._ticks.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._ticks.join()
        for visit in self._visits:
            visit.join()

    def _tick(self) -> None:
        due = self._start_s
        while not self._end.wait(max(due - time.monotonic(), 0)):
            due += self._period_s
            for node, seen in zip(self.nodes, self.seen):
                for path in ("/write.php", "/page.php"):
                    visit = Visit(path, self.now_s())
                    seen.visits.append(visit)
                    self._visits.append(threading.Thread(target=self._visit, args=(node, visit)))
                    self._visits[-1].start()

    def _visit(self, node: Node, visit: Visit) -> None:
        try:
            answer = request(node.host, "127.0.0.1", 80, visit.path, timeout=PATIENCE_S)
            visit.ok = answer.status == 200
        except OSError:
            pass
        visit.took_s = self.now_s() - visit.at_s


def failover(database: Database, nodes: list[Node], how: str, outage_s: float = 12,
             after_s: float = 20, per_second: int = 1) -> tuple[list[Seen], float]:
    """Visitors before, during and after an outage. Each node's visits, and when the new writer
    took writes and the name led to it."""
    with Visitors(nodes, per_second) as visitors:
        # Between two visits, hence the same visits of each node are in the outage.
        visitors.wait_until(3.55)
        database.fail(how)
        visitors.wait_until(3.55 + outage_s)
        database.promote()
        back_s = visitors.now_s()
        visitors.wait_until(back_s + after_s)
    return visitors.seen, back_s
