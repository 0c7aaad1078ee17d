"""tests/demo: the agent's whole job on one screen.

    demo.py up [--once]     stage, venv and cache from the environment, as the system suite
    demo.py failover [HOW]  to the one that runs: kill, freeze, cut or demote
    demo.py status|facts|page|shell [ARGUMENT...]
"""
from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from . import control, names
from .node import Node
from .wait import wait_until
from .web import PAGE
from .world import World

BUILD = Path(os.environ["WNA_DEMO_BUILD"])
SOCKET = BUILD / "demo.sock"

LEGEND = """
  what the agent talks to here       which is
  ---------------------------------  ----------------------------------------------------------
  metadata at 169.254.169.254        a stand-in (AWS has none to run): IMDSv2's rules to the letter
  resolver 10.16.0.2                 real: BIND, names with RDS's TTL of 5 s
  database, writer and standby       real: two MariaDB servers with TLS; what RDS does to them and
                                     to their name at a failover is played
  CloudWatch, by its real name       a stand-in: moto, with every signature verified
  web server                         real: Apache and php-fpm; the page reads facts and database
  shared file system                 {shared}

  Everything runs in namespaces of its own, without a way out, and ends with this
  command. In another terminal:
      sudo tests/demo failover       the writer dies, the standby takes over
      sudo tests/demo page           what the web server shows
      sudo tests/demo facts          who this node is
      sudo tests/demo shell          a shell on the node (wnactl, curl localhost:8099/healthz)
"""


def say(text: str) -> None:
    print(text, flush=True)


class Demo:
    """tests/demo sees to it that there is one at a time in a build folder."""

    def __init__(self) -> None:
        self.world: World | None = None
        self.node: Node | None = None

    def up(self) -> Node:
        folder = BUILD / "demo"
        subprocess.run(["rm", "-rf", str(folder), str(SOCKET)], check=True)
        say("demo: resolver, databases and CloudWatch start")
        world = self.world = World(Path(os.environ["WNA_STAGE"]), Path(os.environ["WNA_VENV"]),
                                   Path(os.environ["WNA_CACHE"]), folder, nfs=True)
        say(LEGEND.format(shared=world.shared.label))
        say("demo: a web instance starts")
        node = self.node = world.add_node()
        node.give_role()
        world.shared.write("index.php", PAGE)
        node.web.start()
        node.agent.configure(node.settings())
        node.agent.change("agent", log_level="info")
        node.agent.change("imds", refresh="10s", state_refresh="2s")
        node.agent.change("database", interval="1s")
        say("demo: the agent starts")
        node.agent.start()
        return node

    def failover(self, how: str) -> str:
        assert self.world
        database = self.world.database
        database.repair()
        old, new = (names.DATABASES[i] for i in (database.writer, 1 - database.writer))
        database.failover(how)
        what = {"kill": "was killed", "freeze": "froze", "cut": "fell silent",
                "demote": "turned read-only"}[how]
        return f"the writer {old} {what}; {new} writes now, and the endpoint's name follows"

    def do(self, order: dict[str, Any]) -> Any:
        """Orders from the second terminal."""
        try:
            if order["op"] == "failover":
                return {"said": self.failover(order["how"])}
            assert self.node
            return {"enter": self.node.host.enter()}
        except Exception as error:  # the other terminal shows it, this one goes on
            return {"error": repr(error)}

    def close(self) -> None:
        try:
            if self.node and self.node.agent.running():
                self.node.agent.stop()
        finally:
            if self.world:
                self.world.close()
            SOCKET.unlink(missing_ok=True)


def once(demo: Demo) -> None:
    """Brings up, shows, fails over, shows. Fails if anything is late."""
    node = demo.up()
    for job in ("identity", "mount", "checks", "database", "metrics"):
        node.agent.wait_job(job, "ok", 60)
        say(f"demo: job {job} is ok")
    say(node.agent.ctl("status", check=False).stdout)
    say(node.web.get("/efs/index.php")[1])
    say("demo: failover: " + demo.failover("kill"))
    wait_until(lambda: node.agent.fact("rds-change")["value"], "the agent notices", 30)
    node.agent.wait_job("database", "ok", 30)
    assert node.agent.code("/healthz") == 200
    say(node.agent.ctl("status", check=False).stdout)
    wait_until(lambda: "KIM" in node.web.get("/efs/index.php")[1], "the page is back", 30)
    say("demo: all five jobs, and a failover")


def screen(demo: Demo) -> None:
    """Returns when the screen is left."""
    node = demo.up()
    threading.Thread(target=control.serve, args=(str(SOCKET), demo.do), daemon=True).start()
    node.agent.ctl("wait", "--for", "ready", "--timeout", "30", check=False, timeout=40)
    if sys.stdin.isatty():
        # The screen takes the whole terminal, and what is said above with it.
        say("demo: all is up; press Enter for the screen (Ctrl-C there ends the demo)")
        sys.stdin.readline()
    term = os.environ.get("TERM", "dumb")
    subprocess.run([*node.host.enter(), f"TERM={term}", "wnactl", "status", "--watch"],
                   check=False)


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end() -> None:
    """From here on nothing breaks off the taking down. Not by print(): that may be
    what a signal has interrupted."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    try:
        os.write(sys.stdout.fileno(), b"\ndemo: taking everything down\n")
    except OSError:
        pass  # the terminal has gone


def stop(*_: object) -> None:
    end()
    raise KeyboardInterrupt


def run(how: str) -> int:
    """0, also when the screen is left; 130 if it was ended before it had shown all."""
    demo = Demo()
    for number in SIGNALS:
        signal.signal(number, stop)
    try:
        (once if how == "--once" else screen)(demo)
        end()
        return 0
    except KeyboardInterrupt:
        return 0 if how != "--once" and SOCKET.exists() else 130
    except Exception:
        end()
        raise
    finally:
        demo.close()


def order(**what: Any) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as peer:
        try:
            peer.connect(str(SOCKET))
        except OSError:
            sys.exit("demo: none is running; start one with: sudo tests/demo")
        peer.sendall(json.dumps(what).encode() + b"\n")
        answer = json.loads(peer.makefile().readline())
    if "error" in answer:
        sys.exit(f"demo: {answer['error']}")
    return dict(answer)


def main() -> int:
    command, *arguments = sys.argv[1:]
    if command == "up":
        return run(arguments[0] if arguments else "")
    if command == "failover":
        say(order(op="failover", how=arguments[0] if arguments else "kill")["said"])
        return 0
    inside = {"status": ["wnactl", "status"], "facts": ["wnactl", "facts"],
              "page": ["curl", "-sS", "http://127.0.0.1/efs/index.php"],
              "shell": ["bash", "-i"]}[command]
    enter = order(op="enter")["enter"]
    term = os.environ.get("TERM", "dumb")
    os.execvp(enter[0], [*enter, f"TERM={term}", *inside, *arguments])


if __name__ == "__main__":
    sys.exit(main())
