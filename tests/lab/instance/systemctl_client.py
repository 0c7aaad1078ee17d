"""`systemctl` in an instance: the words of systemd's, as far as scripts and people in the lab
use them, to the runner of instance/systemctl.py. Exit statuses as in systemctl(1)."""
from __future__ import annotations

import fnmatch
import json
import os
import socket
import sys
from typing import Any

SOCKET = "/run/systemd/lab.sock"
WITH_VALUE = ("-p", "--property", "-t", "--type", "--state", "-s", "--signal", "-n", "--lines")
FLAGS = ("--now", "--no-block", "-q", "--quiet", "--no-pager", "--no-legend", "--plain", "-l",
         "--full", "--value", "--failed", "-a", "--all", "--no-ask-password", "--system")
NOT_ACTIVE, NO_SUCH_UNIT = 3, 4


class Usage(Exception):
    pass


def parse(argv: list[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Words and options."""
    words: list[str] = []
    options: dict[str, list[str]] = {}
    left = list(argv)
    while left:
        word = left.pop(0)
        name, equals, value = word.partition("=")
        if name in WITH_VALUE:
            options.setdefault(name, []).append(value if equals else left.pop(0) if left else "")
        elif word in FLAGS:
            options.setdefault(word, [])
        elif word.startswith("-"):
            raise Usage(f"unrecognized option '{word}'")
        else:
            words.append(word)
    return words, options


def ask(order: dict[str, Any], path: str) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(path)
        peer.sendall(json.dumps(order).encode() + b"\n")
        with peer.makefile() as file:
            return dict(json.loads(file.readline()))


def _state_command(op: str, units: list[dict[str, str]], quiet: bool) -> int:
    key = "UnitFileState" if op == "is-enabled" else "ActiveState"
    good = {"is-active": "active", "is-failed": "failed", "is-enabled": "enabled"}[op]
    states = [unit[key] for unit in units]
    if not quiet:
        print("\n".join(states))
    if op == "is-active":
        return 0 if good in states else NOT_ACTIVE
    return 0 if good in states else 1


def _status(units: list[dict[str, str]], lines: int) -> int:
    for unit in units:
        if unit["LoadState"] == "not-found":
            print(f"Unit {unit['Id']} could not be found.", file=sys.stderr)
            continue
        print(f"{unit['Id']} - {unit['Description']}\n"
              f"     Loaded: loaded ({unit['FragmentPath']}; {unit['UnitFileState']})\n"
              f"     Active: {unit['ActiveState']} ({unit['SubState']}), {unit['Result']}")
        for key, label in (("MainPID", "Main PID"), ("StatusText", "Status"),
                           ("LabIgnored", "not honoured here")):
            if unit.get(key, "0") not in ("", "0"):
                print(f"   {label}: {unit[key]}")
        if os.path.exists(unit["Log"]):
            with open(unit["Log"], encoding="utf-8", errors="replace") as file:
                print("".join(file.readlines()[-lines:]), end="")
    if any(unit["LoadState"] == "not-found" for unit in units):
        return NO_SUCH_UNIT
    return 0 if all(unit["ActiveState"] == "active" for unit in units) else NOT_ACTIVE


def _show(units: list[dict[str, str]], options: dict[str, list[str]]) -> int:
    wanted = [name for key in ("-p", "--property") for text in options.get(key, [])
              for name in text.split(",")]
    for unit in units:
        for key in wanted or sorted(unit):
            value = unit.get(key, "")
            print(value if "--value" in options else f"{key}={value}")
    return 0


def _list(units: list[dict[str, str]], patterns: list[str], options: dict[str, list[str]]) -> int:
    kinds = [kind for key in ("-t", "--type") for text in options.get(key, [])
             for kind in text.split(",")]
    states = [state for text in options.get("--state", []) for state in text.split(",")]
    if "--failed" in options:
        states.append("failed")
    for unit in units:
        name = unit["Id"]
        if (kinds and name.rpartition(".")[2] not in kinds) or \
                (states and not {unit["ActiveState"], unit["SubState"]} & set(states)) or \
                (patterns and not any(fnmatch.fnmatch(name, p) for p in patterns)):
            continue
        print(f"{name} {unit['LoadState']} {unit['ActiveState']} {unit['SubState']} "
              f"{unit['Description']}")
    return 0


def _cat(units: list[dict[str, str]]) -> int:
    for unit in units:
        print(f"# {unit['FragmentPath']}")
        with open(unit["FragmentPath"], encoding="utf-8") as file:
            print(file.read(), end="")
    return 0


def _told(answer: dict[str, Any]) -> int:
    for link in answer.get("links", []):
        print(link, file=sys.stderr)
    if "error" in answer:
        print(answer["error"], file=sys.stderr)
        return 5 if "could not be found" in answer["error"] else 1
    return 0


def _act(op: str, names: list[str], options: dict[str, list[str]], path: str) -> int:
    wait = "--no-block" not in options
    if op in ("enable", "disable"):
        status = _told(ask({"op": op, "units": names}, path))
        if status == 0 and "--now" in options:
            then = "start" if op == "enable" else "stop"
            status = _told(ask({"op": then, "units": names, "wait": wait}, path))
        return status
    if op in ("reload-or-restart", "try-restart"):
        op = "restart"
    order = {"op": op, "units": names, "wait": wait}
    if op == "kill":
        order["signal"] = (options.get("-s") or options.get("--signal") or ["SIGTERM"])[0]
    return _told(ask(order, path))


def client(argv: list[str], path: str = SOCKET) -> int:
    try:
        words, options = parse(argv)
    except Usage as error:
        print(f"systemctl: {error} (the lab's stand-in)", file=sys.stderr)
        return 1
    op, names = (words[0], words[1:]) if words else ("list-units", [])
    try:
        if op in ("list-units", "--failed"):
            return _list(ask({"op": "list"}, path)["units"], names, options)
        if op in ("is-active", "is-failed", "is-enabled", "status", "show", "cat"):
            units = ask({"op": "show", "units": names}, path)["units"]
            if op == "status":
                return _status(units, int((options.get("-n") or options.get("--lines")
                                           or ["10"])[0]))
            if op == "show":
                return _show(units, options)
            return _cat(units) if op == "cat" else _state_command(
                op, units, "-q" in options or "--quiet" in options)
        return _act(op, names, options, path)
    except (FileNotFoundError, ConnectionRefusedError):
        print("System has not been booted with systemd as init system (PID 1). Can't operate.",
              file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(client(sys.argv[1:]))
