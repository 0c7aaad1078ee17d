"""The agent on one node, as systemd would run it."""
from __future__ import annotations

import json
import os
import subprocess
from typing import Any, Mapping

from .host import Host
from .http import Answer, Connection, request
from .notify import NotifySocket
from .process import Process
from .wait import wait_until

PORT = 8099
CONF = "/etc/web-node-agent/agent.conf"
NOTIFY = "/run/notify.sock"
WNAD = "/usr/sbin/wnad"
LIBEXEC = "/usr/libexec/web-node-agent"
ROLES = ("core", "mount", "probe", "check", "rds", "cloud", "hook")
JOBS = ("identity", "mount", "checks", "database", "metrics")

Settings = Mapping[str, Mapping[str, Any]]


def ini(settings: Settings) -> str:
    """{"health": {"listen": ...}, "check web": {...}} as the file's text."""
    text = ""
    for section, keys in settings.items():
        text += f"[{section}]\n"
        for key, value in keys.items():
            shown = {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) \
                else value
            text += f"{key} = {shown}\n"
        text += "\n"
    return text


class Agent:
    def __init__(self, host: Host) -> None:
        self.host = host
        self.notify = NotifySocket(host.path(NOTIFY))
        self.process: Process | None = None
        self.settings: dict[str, dict[str, Any]] = {}

    # configuration and life

    def configure(self, settings: Settings) -> None:
        self.settings = {section: dict(keys) for section, keys in settings.items()}
        self.host.write(CONF, ini(self.settings))

    def change(self, section: str, **keys: Any) -> None:
        """Rewrites the file with these keys set (None: removed). No reload."""
        own = self.settings.setdefault(section, {})
        for key, value in keys.items():
            if value is None:
                own.pop(key, None)
            else:
                own[key] = value
        self.host.write(CONF, ini(self.settings))

    def start(self, wait: bool = True, environment: Mapping[str, str] | None = None,
              watchdog_s: float = 0, stderr: str = "") -> None:
        """Starts wnad with what its unit gives it: the notification socket and the
        descriptors it stored. `stderr`: a pipe of the host's to log into."""
        self._mark = len(self.notify.since())
        stored = list(self.notify.stored)
        words = [f"NOTIFY_SOCKET={NOTIFY}", *(f"{k}={v}" for k, v in (environment or {}).items())]
        if watchdog_s:
            words.append(f"WATCHDOG_USEC={int(watchdog_s * 1e6)}")
        script = ""
        if stored:
            # sd_listen_fds(3): from 3 on, and LISTEN_PID is the receiver's.
            script += "".join(f"exec {3 + i}<&{fd}; " for i, (_, fd) in enumerate(stored))
            script += "".join(f"exec {fd}<&-; " for _, fd in stored if fd >= 3 + len(stored))
            script += "export LISTEN_PID=$$; "
            words += [f"LISTEN_FDS={len(stored)}",
                      "LISTEN_FDNAMES=" + ":".join(name for name, _ in stored)]
        script += f"exec {WNAD}" + (f" 2<>{stderr}" if stderr else "")
        self.process = self.host.spawn(*words, "bash", "-c", script, log="wnad",
                                       pass_fds=tuple(fd for _, fd in stored))
        if wait:
            wait_until(lambda: self.ready() or self._gone(), "wnad says READY=1", 15)

    def _gone(self) -> bool:
        assert self.process
        if not self.process.running():
            raise AssertionError(f"wnad ended ({self.process.wait()}): {self.process.output()}")
        return False

    def ready(self) -> bool:
        return self.notify.said("READY", "1", self._mark)

    def stop(self, timeout: float = 20.0) -> int:
        return self.process.stop(timeout=timeout) if self.process else 0

    def running(self) -> bool:
        return self.process is not None and self.process.running()

    def log(self) -> str:
        return self.process.output() if self.process else ""

    def pids(self, role: str) -> list[int]:
        """Outside pids of a role's processes; "wnad" is the supervisor."""
        name = role if role == "wnad" else f"wna-{role}"
        return sorted(self.host.ps(name))

    def pid(self, role: str) -> int:
        return wait_until(lambda: self.pids(role), f"a {role} process", 10)[0]

    def all_pids(self) -> dict[int, str]:
        return {pid: exe for pid, exe in self.host.ps().items()
                if exe == WNAD or exe.startswith(LIBEXEC)}

    # the pages

    def get(self, path: str, source: Host | None = None, timeout: float = 5.0,
            **headers: str) -> Answer:
        """From the node itself, or from another host to its address."""
        address = self.host.address if source else "127.0.0.1"
        return request(source or self.host, address, PORT, path, timeout=timeout, headers={
            k.replace("_", "-"): v for k, v in headers.items()})

    def connection(self, source: Host | None = None, timeout: float = 5.0) -> Connection:
        address = self.host.address if source else "127.0.0.1"
        return Connection(source or self.host, address, PORT, timeout)

    def code(self, path: str) -> int:
        return self.get(path).status

    # the command

    def ctl(self, *args: str, check: bool = True, timeout: float = 30.0
            ) -> subprocess.CompletedProcess[str]:
        return self.host.run("wnactl", *args, check=check, timeout=timeout)

    def status(self) -> dict[str, Any]:
        text = self.ctl("status", "--json", check=False).stdout
        try:
            return dict(json.loads(text))
        except ValueError as error:
            raise LookupError(f"wnactl status --json said {text[:200]!r}") from error

    def job(self, name: str) -> dict[str, Any]:
        return next(job for job in self.status()["jobs"] if job["name"] == name)

    def fact(self, name: str) -> dict[str, Any]:
        """LookupError while nothing has been heard of it."""
        return dict(self.status()["facts"][name])

    def wait_job(self, name: str, level: str, timeout: float = 15.0) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            job = self.job(name)
            if job["level"] == level:
                return job
            raise LookupError(job)
        return wait_until(reached, f"{self.host.name}: job {name} is {level}", timeout)

    def wait_fact(self, name: str, value: int | None = None, text: str | None = None,
                  timeout: float = 15.0) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            fact = self.fact(name)
            if (value is None or fact["value"] == value) and (text is None or fact["text"] == text):
                return fact
            raise LookupError(fact)
        return wait_until(reached, f"{self.host.name}: fact {name} is {value} {text}", timeout)

    def wait_page(self, path: str, status: int, timeout: float = 15.0) -> Answer:
        def reached() -> Answer | None:
            answer = self.get(path)
            if answer.status == status:
                return answer
            raise LookupError((answer.status, answer.body))
        return wait_until(reached, f"{self.host.name}: {path} is {status}", timeout)

    def wait_texts(self, expected: Mapping[str, str], timeout: float = 15.0) -> None:
        """Until all these facts have these texts."""
        def reached() -> bool:
            facts = self.status()["facts"]
            different = {k: facts.get(k, {}).get("text") for k, v in expected.items()
                         if facts.get(k, {}).get("text") != v}
            if different:
                raise LookupError(different)
            return True
        wait_until(reached, f"{self.host.name}: facts are {expected}", timeout)

    def reload(self) -> subprocess.CompletedProcess[str]:
        return self.ctl("reload", check=False)

    def proc(self, pid: int, file: str) -> str:
        return open(f"/proc/{pid}/{file}").read()

    def uid(self, pid: int) -> int:
        return os.stat(f"/proc/{pid}").st_uid

    def close(self) -> None:
        self.notify.close()
