"""The agent on one node: the installed units under the node's systemd."""
from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any, Mapping

from .http import Answer, Connection, request
from .wait import wait_until

if TYPE_CHECKING:
    from rig.machine import Machine

    from .host import Host

PORT = 8099
CONF = "/etc/web-node-agent/agent.conf"
LIBEXEC = "/usr/libexec/web-node-agent"
UMBRELLA = "web-node-agent.service"
ROLES = ("core", "mount", "check", "rds", "cloud", "hooks", "sockets")
JOBS = ("identity", "mount", "checks", "database", "metrics")

Settings = Mapping[str, Mapping[str, Any]]


def unit(role: str) -> str:
    return f"web-node-agent-{role}.service"


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
    def __init__(self, host: Machine) -> None:
        self.host = host
        self.settings: dict[str, dict[str, Any]] = {}
        self._mark = ""

    def install(self) -> None:
        """What a package does after its files are there."""
        self.host.run("systemd-sysusers")

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

    def drop_in(self, role: str, text: str) -> None:
        """What an operator writes with `systemctl edit`; "" for the umbrella."""
        name = unit(role) if role else UMBRELLA
        self.host.write(f"/etc/systemd/system/{name}.d/test.conf", text)
        self.host.systemctl("daemon-reload")

    def start(self, wait: bool = True, environment: Mapping[str, str] | None = None) -> None:
        """`environment`: of wna-cloud. Waits until the health port is answered. log()
        begins here."""
        self._mark = self.host.cursor()
        if environment:
            self.drop_in("cloud", "[Service]\n" + "".join(
                f'Environment="{k}={v}"\n' for k, v in environment.items()))
        self.host.systemctl("start", *([] if wait else ["--no-block"]), UMBRELLA)
        if wait:
            wait_until(lambda: self.get("/livez").status == 200, "the agent answers", 15)

    def stop(self, timeout: float = 60.0) -> int:
        """0, or 1 if a service failed, or had to be killed, in leaving."""
        self.host.systemctl("stop", UMBRELLA, timeout=timeout)
        failed = [role for role in ROLES if self.state(role) == "failed"]
        return len(failed)

    def restart(self, role: str = "") -> None:
        self.host.systemctl("restart", unit(role) if role else UMBRELLA)

    def state(self, role: str) -> str:
        """"active", "inactive", "failed", "activating" ..."""
        return self.host.show(unit(role), "ActiveState")

    def running(self) -> bool:
        return self.host.show(UMBRELLA, "ActiveState") == "active"

    def log(self, role: str = "") -> str:
        """What the journal has of the agent, or of one of its services, since start()."""
        entries = self.host.journal("-u", unit(role) if role else "web-node-agent*", after=self._mark)
        return "".join(f"{entry['SYSLOG_IDENTIFIER']}: {entry['MESSAGE']}\n" for entry in entries)

    def restarts(self, role: str) -> int:
        """How often systemd has started it anew by itself."""
        return int(self.host.show(unit(role), "NRestarts"))

    def pids(self, role: str) -> list[int]:
        """Outside pids of a role's processes."""
        return sorted(self.host.ps(f"wna-{role}"))

    def pid(self, role: str) -> int:
        return wait_until(lambda: self.pids(role), f"a {role} process", 10)[0]

    def all_pids(self) -> dict[int, str]:
        return {pid: exe for pid, exe in self.host.ps().items() if exe.startswith(LIBEXEC)}

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
        return self.host.run("systemctl", "reload", UMBRELLA, check=False)

    def proc(self, pid: int, file: str) -> str:
        return open(f"/proc/{pid}/{file}").read()

    def uid(self, pid: int) -> int:
        return os.stat(f"/proc/{pid}").st_uid

    def close(self) -> None:
        pass
