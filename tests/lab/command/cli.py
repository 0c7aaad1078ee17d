"""The commands of tests/lab/run except `down` (command/down.py); that file also has the usage."""
from __future__ import annotations

import signal

# Ctrl-C ends the program quietly, also during the imports below; commands that must undo something
# install their own handler later.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import os
import re
import shutil
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from lab.model import model
from lab.model import own_parameters as own
from lab.template import interpreter as template
from lab.trouble import plain
from . import client
from . import down
from . import interrupt
from . import lock
from . import show
from .bringing_up import Daemon, say
from .client import Lab, Refused

NOT_UP = "it is not up; begin with: tests/lab/run up"
LONGEST = 107  # longest path of a socket (unix(7))
MOST_CLIENTS = 20000  # limit of ab


class Usage(Exception):
    """A wrong command line."""


def fail(text: str, status: int = 1) -> int:
    print(f"lab: {text}", file=sys.stderr)
    return status


def no_more(words: list[str]) -> None:
    if words:
        raise Usage(f"unknown: {' '.join(words)}")


def parameters_of(words: list[str]) -> dict[str, str]:
    for word in words:
        if not re.match("[A-Za-z0-9]+=", word):
            raise Usage(f"{word}: expected NAME=VALUE, a parameter of the template")
    return dict(word.split("=", 1) for word in words)


def stack_of(parameters: dict[str, str]) -> template.Stack:
    """Raises TemplateError if the lab cannot build the template."""
    stack = template.load(Path(os.environ["WNA_LAB_TEMPLATE"]), own.with_given(parameters))
    model.build(stack)
    return stack


def up(words: list[str]) -> int:
    parameters = parameters_of(words)
    build = client.build_folder()
    if len(os.fsencode(client.socket(build))) > LONGEST:
        return fail(f"{build} is too long a path for a socket; set WNA_BUILD to a shorter one")
    held = lock.take(build)
    if held is None:
        return fail("it is up already, or coming up; see it with: tests/lab/run status")
    lock.sign(held)
    if "WNA_LAB_BUILDING" in os.environ:  # a message of `run`; now this program has it
        os.close(int(os.environ.pop("WNA_LAB_BUILDING")))
    folder = client.folder(build)
    daemon = Daemon(held, folder / "daemon.log")
    stack = stack_of(parameters)  # an invalid template is refused here
    say(show.parameters(stack, parameters))
    down.sweep(build)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    if daemon.up(parameters):
        say(f"lab: up after {time.monotonic() - began:.1f} s; see it with: tests/lab/run status")
        return 0
    down.sweep(build)
    log = folder / "daemon.log"
    say("lab: ended, nothing is left" + (f"; its log is {log}" if log.exists() else ""))
    return 130 if daemon.broken_off else 1


# queries

def lab() -> Lab:
    if not lock.look(client.build_folder()).held:
        raise Refused(NOT_UP)
    return Lab()


def status(words: list[str]) -> int:
    watch = words == ["--watch"]
    no_more([] if watch else words)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `status | head` is no error
    found = lab()
    while watch:
        if not lock.look(found.build).held:
            return fail("the lab has ended")
        try:  # format first, then print at once
            picture = show.status(found)
        except Exception as error:  # the lab starts or ends just now
            picture = f"lab: {plain(error)}"
        print("\x1b[H\x1b[2J" + picture, flush=True)
        time.sleep(1)  # one update per second
    print(show.status(found))
    return 0


def shell(words: list[str]) -> int:
    found = lab()
    hosts = found.hosts()
    if not words or words[0] not in hosts:
        return fail(f"which host? {' '.join(sorted(hosts))}", 2)
    enter = found.host(words[0]).enter(f"TERM={os.environ.get('TERM', 'dumb')}",
                                       *(words[1:] or ["bash", "-i"]))
    os.execvp(enter[0], enter)


# changes

def failover(words: list[str]) -> int:
    no_more(words)
    answer = lab().ask("failover", timeout=120, down_s=10.0)
    say(f"lab: the writer was {answer['from']}, {answer['to']} is the writer now; "
        f"{answer['seconds']:.1f} s without a writer (Amazon RDS: 60 to 120 s)")
    if answer["repaired"]:
        say(f"lab: repaired meanwhile: {answer['repaired']}")
    return 0


def load(words: list[str]) -> int:
    """Runs ApacheBench on the client's machine; Ctrl-C ends it, with results."""
    numbers = [int(word) for word in words if re.fullmatch("[0-9]{1,6}", word)]
    if len(numbers) != len(words) or len(words) not in (1, 2) or min(numbers) < 1 \
            or numbers[0] > MOST_CLIENTS:
        raise Usage(f"load N [SECONDS]: 1 to {MOST_CLIENTS} clients, and the duration")
    found = lab()
    seconds = str(numbers[1]) if len(numbers) == 2 else "600"
    enter = found.host("client").enter("ab", "-r", "-q", "-c", str(numbers[0]), "-t", seconds,
                                       "-n", "10000000", f"http://{found.facts()['alb_name']}/efs/")
    os.execvp(enter[0], enter)


# tests

def test(words: list[str]) -> int:
    from . import proving
    interrupt.watch()
    try:
        return proving.test(lab(), words)
    except interrupt.Hard:
        return fail("ended at once: the test has not undone its changes; run down and up", 130)


def mutate(words: list[str]) -> int:
    from . import mutations
    interrupt.watch()
    try:
        return mutations.run(lab(), words)
    except interrupt.Hard:
        interrupt.ignore()
        down.down(client.build_folder())
        return fail("ended at once; the template was changed, so the lab has been taken down", 130)


def check(words: list[str]) -> int:
    """For `run` only: checks the arguments of `up` before anything is built."""
    stack_of(parameters_of(words))
    return 0


COMMANDS: dict[str, Any] = {"up": up, "status": status, "shell": shell, "failover": failover,
                            "load": load, "test": test, "mutate": mutate, "check": check}


def main() -> int:
    command, *words = sys.argv[1:]
    try:
        return int(COMMANDS[command](words))
    except Usage as error:
        return fail(f"{command}: {error}; see: tests/lab/run --help", 2)
    except (template.TemplateError, Refused) as error:
        return fail(str(error))
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        return fail(f"{command}: {plain(error)}{logged()}")


def logged() -> str:
    """Where the traceback of the current exception was written, if possible."""
    place = client.build_folder() / "logs/lab-command.log"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%F %T')} {' '.join(sys.argv[1:])}\n"
                       f"{traceback.format_exc()}\n")
    except OSError:  # for example a full disk, perhaps the cause of the error
        return ""
    return f" (more in {place})"


if __name__ == "__main__":
    sys.exit(main())
