"""The daemon: the process that holds the lab. Every namespace, server and controller ends with it.

`tests/lab/run up` starts it in its own mount namespace, with two pipes. `up` shows the daemon's
standard output. Until the daemon has read "stay" from standard input, it ends when the input
closes: an interrupted `up` leaves nothing behind."""
from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from parts import control

from . import kernel
from .command import client
from .command import lock
from .trouble import plain
from .world import World

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop(BaseException):
    """A signal asked the daemon to end; raised in the main thread."""


def say(text: str) -> None:
    """Not print(): a signal may have interrupted a print()."""
    try:
        os.write(1, (text.rstrip("\n") + "\n").encode())
    except OSError:
        pass  # the reader of the output has gone


class Daemon:
    def __init__(self) -> None:
        self.build = client.build_folder()
        self.folder = client.folder(self.build)
        self.world: World | None = None
        self.stay = threading.Event()
        self.ready = threading.Event()
        self.stopping = False

    def watch_caller(self) -> None:
        """Ends the daemon if `up` ends before the lab is up."""
        word = sys.stdin.readline()
        if word == "stay\n":
            self.stay.set()
        elif not self.stay.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    def do(self, order: dict[str, Any]) -> dict[str, Any]:
        try:
            if not self.world or not self.ready.is_set():
                return {"error": "the lab is not up yet"}
            return {"answer": self.world.do(order)}
        except Exception as error:  # the client shows the error; the lab goes on
            traceback.print_exc()
            return {"error": f"{order['op']}: {error or type(error).__name__}"}

    def run(self, parameters: dict[str, str]) -> int:
        def stop(*_: object) -> None:
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            self.stopping = True
            raise Stop
        for number in SIGNALS:
            signal.signal(number, stop)
        threading.Thread(target=self.watch_caller, daemon=True).start()
        try:
            lacking = kernel.missing(self.build)
            if lacking:
                for line in lacking:
                    say(f"failed this machine lacks {line}")
                return 1
            self.world = World(self.build, Path(os.environ["WNA_LAB_PACKAGES"]),
                               Path(os.environ["WNA_LAB_TEMPLATE"]), parameters, say)
            threading.Thread(target=control.serve, daemon=True,
                             args=(str(client.socket(self.build)), self.do)).start()
            self.world.up()
            if self.stopping:  # no exception can be raised here
                raise Stop
            self.ready.set()
            say("ready")
            while True:
                signal.pause()
        except Stop:
            return 0 if self.ready.is_set() else 130
        except Exception as error:
            traceback.print_exc()
            say(f"failed {plain(error)}")
            return 1
        finally:
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            if self.world:
                self.world.down()
            client.socket(self.build).unlink(missing_ok=True)


def main() -> int:
    """Arguments: the lock's descriptor, NAME=VALUE..."""
    lock.adopt(int(sys.argv[1]))
    return Daemon().run(dict(word.split("=", 1) for word in sys.argv[2:]))


if __name__ == "__main__":
    sys.exit(main())
