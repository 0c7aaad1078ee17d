"""The first process of a host. Runs as PID 1 of new net, mount, pid and uts
namespaces; gives the host a root of its own (an overlay whose writes go to a
tmpfs, so nothing of the machine is ever changed), says "ready", reaps orphans,
and ends when its standard input closes: with it ends every process of the host.

Argument: JSON {"name", "copies": [folders], "binds": [[from, to, "ro"|"rw"]]}.
"""
from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys


def command(*args: str) -> None:
    subprocess.run(args, check=True, stdin=subprocess.DEVNULL)


def make_root(copies: list[str], binds: list[list[str]]) -> None:
    # /mnt and not a fresh folder: this mount is seen by nobody else, and
    # nothing is left behind on the machine.
    scratch = "/mnt"
    command("mount", "--make-rprivate", "/")
    command("mount", "-t", "tmpfs", "-o", "mode=755", "lab", scratch)
    for folder in ("upper", "work", "root"):
        os.mkdir(f"{scratch}/{folder}")
    # Copied, not a layer: overlayfs refuses a layer that is inside another one.
    for folder in copies:
        command("cp", "-a", f"{folder}/.", f"{scratch}/upper")
    command("mount", "-t", "overlay", "lab", "-o",
            f"lowerdir=/,upperdir={scratch}/upper,workdir={scratch}/work", f"{scratch}/root")
    root = f"{scratch}/root"
    command("mount", "-t", "proc", "proc", f"{root}/proc")
    command("mount", "-t", "sysfs", "sysfs", f"{root}/sys")
    command("mount", "--rbind", "/dev", f"{root}/dev")
    for folder in ("run", "tmp", "dev/shm"):
        if os.path.isdir(f"{root}/{folder}"):
            command("mount", "-t", "tmpfs", "-o", "mode=1777" if folder != "run" else "mode=755",
                    "lab", f"{root}/{folder}")
    for source, target, mode in binds:
        place = root + target
        os.makedirs(place, exist_ok=True)
        command("mount", "--bind", source, place)
        if mode == "ro":
            command("mount", "-o", "remount,bind,ro", place)
    os.chdir(root)
    os.makedirs("mnt/old", exist_ok=True)
    command("pivot_root", ".", "mnt/old")
    os.chroot(".")
    os.chdir("/")
    command("umount", "-l", "/mnt/old")


def serve() -> None:
    """Reaps until standard input closes."""
    wake_read, wake_write = socket.socketpair()
    wake_read.setblocking(False)
    wake_write.setblocking(False)
    signal.set_wakeup_fd(wake_write.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([sys.stdin.fileno(), wake_read], [], [])
        if sys.stdin.fileno() in ready and not os.read(sys.stdin.fileno(), 1):
            return
        if wake_read in ready:
            wake_read.recv(4096)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass


def main() -> None:
    plan = json.loads(sys.argv[1])
    make_root(plan["copies"], plan["binds"])
    socket.sethostname(plan["name"])
    command("ip", "link", "set", "lo", "up")
    os.umask(0o022)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    serve()


if __name__ == "__main__":
    main()
