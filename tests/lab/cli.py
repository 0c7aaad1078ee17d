"""tests/lab/run's commands; its usage is in that file."""
from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from parts.wait import wait_until

from . import cgroup, client, model, show, template
from . import parameters as own
from .client import Lab, Refused

DOWN_S = 45.0  # what taking down may take, before it is killed


def say(text: str) -> None:
    print(text, flush=True)


def fail(text: str) -> int:
    print(f"lab: {text}", file=sys.stderr)
    return 1


def parameters_of(words: list[str]) -> dict[str, str]:
    for word in words:
        if "=" not in word:
            raise SystemExit(f"lab: {word}: expected NAME=VALUE, a parameter of the template")
    return dict(word.split("=", 1) for word in words)


# up and down

def clear(build: Path) -> None:
    """What a killed predecessor may have left: only control groups outlive it."""
    cgroup.sweep(build)


def finish(daemon: subprocess.Popen[str]) -> None:
    """Ends a daemon that is not up, or no longer wanted."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if daemon.poll() is None:
        daemon.send_signal(signal.SIGTERM)
    try:
        daemon.wait(DOWN_S)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def up(words: list[str]) -> int:
    build = client.build_folder()
    parameters = parameters_of(words)
    if client.running(build):
        return fail("it is up already; see it with: tests/lab/run status")
    # Refused before anything is begun: one line, nothing half built.
    stack = template.load(Path(os.environ["WNA_LAB_TEMPLATE"]), own.with_given(parameters))
    model.build(stack)
    say(show.parameters(stack, parameters))
    clear(build)
    folder = client.folder(build)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.monotonic()
    with (folder / "daemon.log").open("wb") as log:
        daemon = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "--", sys.executable, "-m",
             "lab.daemon", *(f"{k}={v}" for k, v in parameters.items())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            start_new_session=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: through finally
    done = False
    try:
        assert daemon.stdin and daemon.stdout
        for line in daemon.stdout:
            if line == "ready\n":
                daemon.stdin.write("stay\n")
                daemon.stdin.flush()
                done = True
                break
            if line.startswith("failed "):
                fail(line.removeprefix("failed ").strip())
            else:
                say(f"lab: {time.monotonic() - began:5.1f} s  {line.rstrip()}")
    except KeyboardInterrupt:
        say("lab: broken off; taking everything down")
    finally:
        if not done:
            finish(daemon)
            clear(build)
    if not done:
        say(f"lab: nothing is left; its last words are in {folder / 'daemon.log'}")
        return 1
    say(f"lab: up after {time.monotonic() - began:.1f} s; see it with: tests/lab/run status")
    return 0


def down(_: list[str]) -> int:
    build = client.build_folder()
    pid = client.running(build)
    if pid:
        os.kill(pid, signal.SIGTERM)
        try:
            wait_until(lambda: client.running(build) != pid, "the lab ends", DOWN_S)
        except AssertionError:
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: client.running(build) != pid, "the lab is killed", 10)
    clear(build)
    say("lab: down" if pid else "lab: it was not up")
    return 0


# looking at it

def status(words: list[str]) -> int:
    lab = Lab()
    while True:
        text = show.status(lab)
        if words == ["--watch"]:
            print("\x1b[H\x1b[2J" + text, flush=True)
            time.sleep(1)  # a picture a second
        else:
            print(text)
            return 0


def shell(words: list[str]) -> int:
    lab = Lab()
    hosts = lab.hosts()
    if not words or words[0] not in hosts:
        return fail(f"which host? {' '.join(sorted(hosts))}")
    enter = lab.host(words[0]).enter(f"TERM={os.environ.get('TERM', 'dumb')}",
                                     *(words[1:] or ["bash", "-i"]))
    os.execvp(enter[0], enter)


# doing something to it

def failover(_: list[str]) -> int:
    answer = Lab().ask("failover", timeout=120, down_s=10.0)
    say(f"lab: the writer was {answer['from']}, {answer['to']} writes now; "
        f"{answer['seconds']:.1f} s without one (Amazon RDS: 60 to 120 s)")
    return 0


def load(words: list[str]) -> int:
    """ApacheBench on the client's machine; Ctrl-C ends it with its figures."""
    if not words or not all(word.isdigit() and int(word) > 0 for word in words) or len(words) > 2:
        return fail("how many clients? tests/lab/run load N [SECONDS]")
    lab = Lab()
    seconds = words[1] if len(words) == 2 else "600"
    enter = lab.host("client").enter("ab", "-r", "-q", "-c", words[0], "-t", seconds,
                                     "-n", "10000000", f"http://{lab.facts()['alb_name']}/efs/")
    os.execvp(enter[0], enter)


# proving it

def test(words: list[str]) -> int:
    from . import proving
    return proving.test(Lab(), words)


def mutate(words: list[str]) -> int:
    from . import mutations
    return mutations.run(Lab(), words)


COMMANDS: dict[str, Any] = {"up": up, "down": down, "status": status, "shell": shell,
                            "failover": failover, "load": load, "test": test, "mutate": mutate}


def main() -> int:
    command, *words = sys.argv[1:]
    if command not in ("up", "down") and not client.running(client.build_folder()):
        return fail("it is not up; begin with: tests/lab/run up")
    try:
        return int(COMMANDS[command](words))
    except template.TemplateError as error:
        return fail(str(error))
    except Refused as error:
        return fail(str(error))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
