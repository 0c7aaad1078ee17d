"""Holds a machine: the first process of net, mount and pid namespaces below which the machine's own
are. It lays the machine's root, boots a systemd in it as often as it is told to (systemd-nspawn(1)),
and ends when its standard input closes: with it ends every process of the machine. Its own root is
the machine's, so that files and programs can be reached before the boot.

Argument: JSON {"name", "base", "copies": [folders], "binds": [[from, to, "ro"|"rw"]]}.
Standard input: "boot". Standard output: "ready" (the root is there), then for each boot "running"
(its first process runs), "booted" (no job is left), and "ended".
"""
from __future__ import annotations

import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import uuid

SCRATCH = "/mnt"  # a mount of this namespace alone: nothing is left behind
ROOT = f"{SCRATCH}/root"
NOTIFY = "/run/notify"
REBOOT = 133  # how systemd-nspawn says that the machine wants one, with --keep-unit
NSPAWN = [
    "systemd-nspawn", "--quiet", "--boot", f"--directory={ROOT}", "--register=no", "--keep-unit",
    "--network-namespace-path=/proc/self/ns/net", "--capability=CAP_NET_ADMIN,CAP_IPC_LOCK",
    "--console=read-only", "--notify-ready=yes", "--resolv-conf=off", "--timezone=off",
    "--link-journal=no", "--bind=/dev/fuse"]
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "NOTIFY_SOCKET": NOTIFY}


def command(*args: str) -> None:
    subprocess.run(args, check=True, stdin=subprocess.DEVNULL)


def say(word: str) -> None:
    os.write(sys.stdout.fileno(), f"{word}\n".encode())


def make_root(base: str, copies: list[str], binds: list[list[str]]) -> None:
    command("mount", "--make-rprivate", "/")
    command("mount", "-t", "proc", "proc", "/proc")
    # Or systemd-nspawn would use the groups of version 1 too, and leave some behind.
    if not os.path.exists("/sys/fs/cgroup/cgroup.procs"):
        command("mount", "-t", "cgroup2", "rig", "/sys/fs/cgroup")
    command("mount", "-t", "tmpfs", "-o", "mode=755", "rig", "/run")
    command("mount", "-t", "tmpfs", "-o", "mode=755", "rig", SCRATCH)
    for folder in ("upper", "work", "root"):
        os.mkdir(f"{SCRATCH}/{folder}")
    for folder in copies:
        command("cp", "-a", f"{folder}/.", f"{SCRATCH}/upper")
    command("mount", "-t", "overlay", "rig", "-o",
            f"lowerdir={base},upperdir={SCRATCH}/upper,workdir={SCRATCH}/work", ROOT)
    for source, target, mode in binds:
        os.makedirs(ROOT + target, exist_ok=True)
        command("mount", "--bind", source, ROOT + target)
        if mode == "ro":
            command("mount", "-o", "remount,bind,ro", ROOT + target)


def make_it_one_of_many(name: str) -> None:
    """A name, and users of its own: the kernel counts the processes of a user (RLIMIT_NPROC) over all
    machines. What a package installs has numbers from this range (sysusers.d(5))."""
    first = random.randrange(1 << 20, 1 << 31, 64)
    for file, text in (("hostname", name), ("machine-id", uuid.uuid4().hex),
                       ("sysusers.d/rig.conf", f"r - {first}-{first + 63}")):
        with open(f"{ROOT}/etc/{file}", "w", encoding="ascii") as out:
            out.write(f"{text}\n")


class Holder:
    def __init__(self, name: str) -> None:
        self.name = name
        self.outside = os.open("/", os.O_RDONLY | os.O_CLOEXEC)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(NOTIFY)
        self.nspawn = 0
        os.chroot(ROOT)
        os.chdir("/")

    def boot(self) -> None:
        def leave() -> None:
            os.fchdir(self.outside)
            os.chroot(".")
        self.nspawn = subprocess.Popen(
            [*NSPAWN, f"--machine={self.name}"], stdin=subprocess.DEVNULL, stdout=sys.stderr,
            env=ENVIRONMENT, preexec_fn=leave).pid

    def hear(self) -> None:
        message = self.notify.recv(4096).decode().split("\n")
        if "READY=1" in message:
            say("booted")
        elif any(line.startswith("X_NSPAWN_LEADER_PID=") for line in message):
            say("running")

    def reap(self) -> None:
        try:
            while (done := os.waitpid(-1, os.WNOHANG))[0]:
                if done[0] == self.nspawn and os.waitstatus_to_exitcode(done[1]) == REBOOT:
                    self.boot()
                elif done[0] == self.nspawn:
                    say("ended")
        except ChildProcessError:
            pass


def serve(holder: Holder) -> None:
    """Until standard input closes."""
    wake_read, wake_write = socket.socketpair()
    wake_read.setblocking(False)
    wake_write.setblocking(False)
    signal.set_wakeup_fd(wake_write.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([sys.stdin.fileno(), holder.notify, wake_read], [], [])
        if sys.stdin.fileno() in ready:
            if not os.read(sys.stdin.fileno(), 64):
                return
            holder.boot()
        if holder.notify in ready:
            holder.hear()
        if wake_read in ready:
            wake_read.recv(4096)
        holder.reap()


def main() -> None:
    plan = json.loads(sys.argv[1])
    make_root(plan["base"], plan["copies"], plan["binds"])
    make_it_one_of_many(plan["name"])
    command("ip", "link", "set", "lo", "up")
    os.umask(0o022)
    holder = Holder(plan["name"])
    say("ready")
    serve(holder)


if __name__ == "__main__":
    main()
