"""The life of one unit in the stand-in for systemd: inactive, activating, active,
deactivating, failed, as systemctl shows them. Whoever drives it (instance/systemctl.py) calls start,
stop and reload, tells of ended processes, messages and passed deadlines, and is told by
Manager.settled() when a start or a stop has come to its end."""
from __future__ import annotations

import os
import signal
import time
from collections import deque
from pathlib import Path
from typing import Protocol

from . import systemctl_spawn as spawn
from .systemctl_files import Command, UnitFile

ENDED = ("inactive", "failed")
POLL_S = 0.05
CLEAN = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)


class Manager(Protocol):
    """What a unit needs of instance/systemctl.py."""

    root: str
    logs: Path
    notify: str  # where NOTIFY_SOCKET leads

    def settled(self, unit: "Unit", ok: bool, why: str) -> None: ...

    def changed(self, unit: "Unit") -> None: ...


class Unit:
    """Of any kind; a target, path or timer is merely active or not."""

    def __init__(self, file: UnitFile, manager: Manager) -> None:
        self.file = file
        self.name = file.name
        self.manager = manager
        self.state, self.sub = "inactive", "dead"
        self.since = time.monotonic()
        self.result = "success"

    def enter(self, state: str, sub: str) -> None:
        self.state, self.sub, self.since = state, sub, time.monotonic()
        self.manager.changed(self)

    def start(self) -> None:
        self.enter("active", {"path": "waiting", "timer": "waiting"}.get(self.file.kind, "active"))
        self.manager.settled(self, True, "")

    def stop(self) -> None:
        self.enter("inactive", "dead")
        self.manager.settled(self, True, "")

    def properties(self) -> dict[str, str]:
        return {"Id": self.name, "LoadState": "loaded", "ActiveState": self.state,
                "SubState": self.sub, "Result": self.result,
                "Description": self.file.get("Description", self.name, "Unit"),
                "FragmentPath": str(self.file.path), "LabIgnored": " ".join(self.file.ignored)}


class Service(Unit):
    def __init__(self, file: UnitFile, manager: Manager) -> None:
        super().__init__(file, manager)
        self.kind = file.get("Type", "simple")
        self.main = 0
        self.status_text = ""
        self.exit_status = 0
        self.restarts = 0
        self.store: list[tuple[str, int]] = []
        self.group = spawn.Group(file.get("KillMode", "control-group"))
        self.active_since = 0.0  # for OnUnitActiveSec=; 0: never
        self._running = 0           # the process of the command that we wait for
        self._queue: list[Command] = []
        self._phase = ""            # "pre", "start", "reload", "stop", or "" when none is run
        self._may_fail = False
        self._until: float | None = None
        self._stopping = False
        self._watchdog: float | None = None
        self._poll: float | None = None  # others than our children end unheard
        self._starts: deque[float] = deque(maxlen=int(
            file.get("StartLimitBurst", "5", "Unit")) or 1)

    # orders

    def start(self) -> None:
        if self.state == "active":
            self.manager.settled(self, True, "")
            return
        if self._too_often():
            self._fail("start-limit-hit")
            return
        self._stopping = False
        self.result = "success"
        self.group.forget_ended()
        spawn.folders(self.file, self.manager.root)
        self.enter("activating", "start-pre")
        self._until = time.monotonic() + self.file.span(
            "TimeoutStartSec", float("inf") if self.kind == "oneshot" else 90)
        self._run("pre", self.file.commands("ExecStartPre"))

    def stop(self) -> None:
        """Also ends the wait for an automatic restart."""
        self._stopping = True
        if self.state in ENDED or self.sub == "auto-restart":
            self._end()
            return
        if self.state == "deactivating":
            return
        started = self.state == "active"
        self.enter("deactivating", "stop")
        self._until = time.monotonic() + self.file.span("TimeoutStopSec", 90)
        self._run("stop", self.file.commands("ExecStop") if started else [])

    def reload(self) -> bool:
        """False if this unit cannot."""
        commands = self.file.commands("ExecReload")
        if self.state != "active" or not commands:
            return False
        self._run("reload", commands)
        return True

    def _too_often(self) -> bool:
        span = self.file.span("StartLimitIntervalSec", 10, "Unit")
        now = time.monotonic()
        recent = [at for at in self._starts if at > now - span]
        self._starts.append(now)
        return span > 0 and len(recent) == self._starts.maxlen

    # commands, one after the other

    def _run(self, phase: str, commands: list[Command]) -> None:
        self._phase, self._queue = phase, commands
        self._next()

    def _next(self) -> None:
        if not self._queue:
            self._through()
            return
        one = self._queue.pop(0)
        self._may_fail = one.may_fail
        self._running = self._spawn(one, main=False)

    def _spawn(self, one: Command, main: bool) -> int:
        more = {"NOTIFY_SOCKET": self.manager.notify} if main and self.kind == "notify" else {}
        if self.main:
            more["MAINPID"] = str(self.main)
        span = self.file.span("WatchdogSec", 0)
        if main and span:
            more["WATCHDOG_USEC"] = str(int(span * 1e6))
            self._watchdog = time.monotonic() + span
        log = self.manager.logs / f"{self.name}.log"
        try:
            env = spawn.environment(self.file, more, self.manager.root)
        except (OSError, KeyError) as error:  # a file or a user that is not there
            one, env = Command(["/bin/sh", "-c", 'echo "$0"; exit 1', str(error)], False), {}
        pid = spawn.start(self.file, one, env, log, self.store if main else [])
        self.group.sessions.add(pid)
        return pid

    def _through(self) -> None:
        """All commands of a phase have succeeded."""
        phase, self._phase, self._running = self._phase, "", 0
        if phase == "pre" and self.kind == "oneshot":
            self.enter("activating", "start")
            self._run("start", self.file.commands("ExecStart"))
        elif phase == "pre":
            self.main = self._spawn(self.file.commands("ExecStart")[0], main=True)
            if self.kind == "notify":
                self.enter("activating", "start")
            else:
                self._active("running")
        elif phase == "start":
            if self.file.flag("RemainAfterExit"):
                self._active("exited")
            else:
                self.active_since = time.monotonic()
                self._end()
        elif phase == "reload":
            self.manager.settled(self, True, "")
        elif phase == "stop":
            self._signal_all()

    def _active(self, sub: str) -> None:
        self.active_since = time.monotonic()
        self._until = None
        self.enter("active", sub)
        self.manager.settled(self, True, "")

    # what happens

    def exited(self, pid: int, status: int) -> None:
        """One of its processes ended, `status` as from waitpid."""
        code = os.waitstatus_to_exitcode(status)
        if pid == self.main:
            self.main = 0
            self.exit_status = code
            self._main_ended(code)
        elif pid == self._running:
            self._running = 0
            if self._phase == "stopping":
                self._ended_or_wait()
            elif code == 0 or self._may_fail:
                self._next()
            elif self._phase == "reload":
                self._phase = ""
                self.manager.settled(self, False, f"a command of the reload: exit {code}")
            elif self._phase == "stop":
                self._signal_all()
            else:
                self.exit_status = code
                self._fail("signal" if code < 0 else "exit-code")

    def _main_ended(self, code: int) -> None:
        clean = code == 0 or -code in CLEAN
        if self._stopping:
            if self._phase == "stopping":
                self._ended_or_wait()
        elif self.state == "activating":
            self._fail("protocol" if clean else "exit-code")
        elif clean:
            self._kill_rest()
            self._end()
        else:
            self._fail("watchdog" if self.result == "watchdog" else
                       "signal" if code < 0 else "exit-code")

    def owns(self, pid: int) -> bool:
        return pid != 0 and (pid == self.main or pid in self.group.sessions)

    def message(self, pid: int, words: dict[str, str], fds: list[int]) -> list[int]:
        """sd_notify(3). Returns the descriptors that it did not keep."""
        if self.file.get("NotifyAccess", "main") != "all" and pid != self.main:
            return fds
        if "STATUS" in words:
            self.status_text = words["STATUS"]
        if words.get("READY") == "1" and self.state == "activating":
            self._active("running")
        if words.get("WATCHDOG") == "1" and self._watchdog:
            self._watchdog = time.monotonic() + self.file.span("WatchdogSec", 0)
        name = words.get("FDNAME", "stored")
        if words.get("FDSTOREREMOVE") == "1":
            for old in [s for s in self.store if s[0] == name]:
                os.close(old[1])
                self.store.remove(old)
        elif words.get("FDSTORE") == "1":
            room = int(self.file.get("FileDescriptorStoreMax", "0")) - len(self.store)
            self.store += [(name, fd) for fd in fds[:max(room, 0)]]
            return fds[max(room, 0):]
        return fds

    def deadline(self) -> float | None:
        """When late() is to be called."""
        known = [at for at in (self._until, self._poll,
                               self._watchdog if self.state == "active" else None)
                 if at is not None and at != float("inf")]
        return min(known) if known else None

    def late(self) -> None:
        """A deadline has passed."""
        now = time.monotonic()
        if self._poll and self._poll <= now and not (self._until and self._until <= now):
            self._ended_or_wait()
        elif self.sub == "auto-restart":
            self._until = None
            self.restarts += 1
            self.start()
        elif self.state == "deactivating":
            self._phase = "stopping"
            self._kill(signal.SIGKILL)
            self._until = now + 5
            self._ended_or_wait()
        elif self.state == "activating":
            self._kill(signal.SIGKILL)
            self._fail("timeout")
        elif self.main:
            self._watchdog = None
            self.result = "watchdog"
            os.kill(self.main, signal.SIGABRT)

    # ends

    def _own(self) -> list[int]:
        return [pid for pid in (self.main, self._running) if pid]

    def _alive(self) -> bool:
        return self.group.alive(self._own())

    def _kill(self, number: int) -> None:
        self.group.kill(number, self._own())

    def _kill_rest(self) -> None:
        if self.file.get("KillMode", "control-group") != "process":
            self._kill(signal.SIGKILL)

    def _signal_all(self) -> None:
        self._phase = "stopping"
        self._kill(getattr(signal, self.file.get("KillSignal", "SIGTERM")))
        self._ended_or_wait()

    def _ended_or_wait(self) -> None:
        if self._alive():
            self._poll = time.monotonic() + POLL_S
        else:
            self._end()

    def _fail(self, result: str) -> None:
        self.result = result
        self._kill_rest()
        self._phase, self._queue, self._running = "", [], 0
        why = f"{self.name}: {result}" + (
            f", status {self.exit_status}" if result == "exit-code" else "")
        self._until = self._watchdog = self._poll = None
        self.enter("failed", "failed")
        self.manager.settled(self, False, why)
        if result != "start-limit-hit":
            self._again(failed=True)

    def _end(self) -> None:
        self._until = self._watchdog = self._poll = None
        self._phase, self._queue = "", []
        stopped = self._stopping
        self.enter("inactive", "dead")
        self.manager.settled(self, True, "")
        if not stopped:
            self._again(failed=False)
        if self.state == "inactive":
            spawn.remove_folders(self.file, self.manager.root)

    def _again(self, failed: bool) -> None:
        """Restart=."""
        how = self.file.get("Restart", "no")
        if self._stopping or how == "no" or (how == "on-failure" and not failed) or \
                (self.kind == "oneshot" and not failed):
            return
        self._until = time.monotonic() + self.file.span("RestartSec", 0.1)
        self.enter("activating", "auto-restart")

    def forget(self) -> None:
        """Stopped for good: the stored descriptors go (systemd.service(5))."""
        for _, fd in self.store:
            os.close(fd)
        self.store = []

    def properties(self) -> dict[str, str]:
        return {**super().properties(), "MainPID": str(self.main), "NRestarts": str(self.restarts),
                "StatusText": self.status_text, "ExecMainStatus": str(self.exit_status),
                "NFileDescriptorStore": str(len(self.store)), "Type": self.kind}
