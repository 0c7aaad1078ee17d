"""How the stand-in for systemd starts a unit's process: the surroundings that the unit file
asks for, as in systemd.exec(5). Called by a process with one thread, so that fork is safe."""
from __future__ import annotations

import ctypes
import fcntl
import grp
import os
import pwd
import resource
import shutil
import signal
from pathlib import Path

from .systemctl_files import Command, UnitFile

PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
CAPABILITIES = """CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP
LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE
SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME
SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG
WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE""".split()
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
EXIT_EXEC = 203  # systemd's status for a program that could not be executed

_libc = ctypes.CDLL(None, use_errno=True)


def assignments(text: str) -> dict[str, str]:
    """An EnvironmentFile's lines."""
    pairs = (line.split("=", 1) for line in text.splitlines()
             if "=" in line and not line.lstrip().startswith(("#", ";")))
    return {key.strip(): value.strip().strip("\"'") for key, value in pairs}


def environment(unit: UnitFile, more: dict[str, str], root: str = "") -> dict[str, str]:
    found = {"PATH": PATH, "LANG": "C.UTF-8"}
    for text in unit.all("Environment"):
        for word in text.split():
            key, _, value = word.strip("\"'").partition("=")
            found[key] = value
    for path in unit.all("EnvironmentFile"):
        place = Path(root + path.removeprefix("-"))
        if place.exists() or not path.startswith("-"):
            found.update(assignments(place.read_text()))
    if name := unit.get("User"):
        user = pwd.getpwnam(name)
        found.update(USER=name, LOGNAME=name, HOME=user.pw_dir)
    return {**found, **more}


def expand(words: list[str], values: dict[str, str]) -> list[str]:
    """A word that is $NAME or ${NAME}; elsewhere a dollar stays."""
    found = []
    for word in words:
        name = word[2:-1] if word.startswith("${") and word.endswith("}") else \
            word[1:] if word.startswith("$") else ""
        found.append(values.get(name, "") if name.isidentifier() else word)
    return found


def folders(unit: UnitFile, root: str = "") -> None:
    """RuntimeDirectory= and StateDirectory=."""
    user = pwd.getpwnam(unit.get("User")) if unit.get("User") else None
    mode = int(unit.get("RuntimeDirectoryMode", "0755"), 8)
    for key, top, how in (("RuntimeDirectory", "/run", mode), ("StateDirectory", "/var/lib", 0o755)):
        for name in unit.all(key):
            place = Path(f"{root}{top}/{name}")
            place.mkdir(parents=True, exist_ok=True)
            place.chmod(how)
            if user:
                os.chown(place, user.pw_uid, user.pw_gid)


def remove_folders(unit: UnitFile, root: str = "") -> None:
    """When it has stopped."""
    if unit.get("RuntimeDirectoryPreserve", "no") == "no":
        for name in unit.all("RuntimeDirectory"):
            shutil.rmtree(f"{root}/run/{name}", ignore_errors=True)


def _bound(unit: UnitFile) -> None:
    """CapabilityBoundingSet=, and NoNewPrivileges=."""
    keep = {word.removeprefix("CAP_") for word in unit.all("CapabilityBoundingSet")}
    if unit.values.get(("Service", "CapabilityBoundingSet")) is not None:
        for number, name in enumerate(CAPABILITIES):
            if name not in keep:
                _libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)
    if unit.flag("NoNewPrivileges"):
        _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _become(unit: UnitFile) -> None:
    if not unit.get("User") and not unit.get("Group"):
        return
    user = pwd.getpwnam(unit.get("User", "root"))
    gid = grp.getgrnam(unit.get("Group")).gr_gid if unit.get("Group") else user.pw_gid
    os.setgid(gid)
    os.initgroups(user.pw_name, gid)
    os.setuid(user.pw_uid)


def _limits(unit: UnitFile) -> None:
    for key, which in (("LimitCORE", resource.RLIMIT_CORE), ("LimitNOFILE", resource.RLIMIT_NOFILE)):
        if text := unit.get(key):
            number = resource.RLIM_INFINITY if text == "infinity" else int(text)
            resource.setrlimit(which, (number, number))
    if score := unit.get("OOMScoreAdjust"):
        try:
            Path("/proc/self/oom_score_adj").write_text(score)
        except PermissionError:
            pass  # as systemd in a container, which may not be given the right to lower it


def _descriptors(log: int, passed: list[int]) -> None:
    """Standard input is empty, the rest goes to the unit's log, then the stored ones from 3."""
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    # First out of the way: 3, 4 … may be among them.
    high = [_above(fd, 3 + len(passed)) for fd in passed]
    for index, fd in enumerate(high):
        os.dup2(fd, 3 + index)


def _above(fd: int, least: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, least)


def start(unit: UnitFile, command: Command, env: dict[str, str], log: Path,
          passed: list[tuple[str, int]]) -> int:
    """Starts one of the unit's commands and returns its process. `passed`: names and
    descriptors for sd_listen_fds(3)."""
    argv = expand(command.argv, env)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        pid = os.fork()
        if pid == 0:
            _child(unit, argv, dict(env), out, passed)
        return pid
    finally:
        os.close(out)


def _child(unit: UnitFile, argv: list[str], env: dict[str, str], out: int,
           passed: list[tuple[str, int]]) -> None:
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in range(1, signal.NSIG):
            if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        _descriptors(out, [fd for _, fd in passed])
        os.umask(int(unit.get("UMask", "0022"), 8))
        os.chdir(unit.get("WorkingDirectory", "/"))
        if passed:
            env.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(passed)),
                       LISTEN_FDNAMES=":".join(name for name, _ in passed))
        if "WATCHDOG_USEC" in env:
            env["WATCHDOG_PID"] = str(os.getpid())
        _limits(unit)
        _bound(unit)
        _become(unit)
        os.execve(argv[0], argv, env)
    except BaseException as error:  # whatever it is, it must not go on as the parent
        os.write(2, f"{argv[0]}: {error}\n".encode())
    os._exit(EXIT_EXEC)


class Group:
    """The processes of a unit, and how KillMode= would have them end."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.sessions: set[int] = set()

    def forget_ended(self) -> None:
        """Before numbers come round again."""
        self.sessions = {number for number in self.sessions if of_session({number})}

    def alive(self, own: list[int]) -> bool:
        """`own`: the main process and the command that is run."""
        return bool(own if self.mode == "process" else of_session(self.sessions))

    def kill(self, number: int, own: list[int]) -> None:
        only = self.mode == "process" or (self.mode == "mixed" and number != signal.SIGKILL)
        for pid in own if only else of_session(self.sessions):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass


def of_session(sessions: set[int]) -> list[int]:
    """Processes of these sessions, each begun by a process of a unit. The nearest thing to a
    control group here; a process that begins a session of its own leaves it."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) in sessions and fields[0] != "Z":
                found.append(int(entry))
    return found
