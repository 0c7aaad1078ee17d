"""Requirements on the machine and its kernel. Each is tested before the lab is built, in a child
process with its own namespaces."""
from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from parts.host import ENVIRONMENT
from rig.machine import unified

from .instance import cgroup
from .network.netns import Netns


@dataclass(frozen=True)
class Need:
    what: str
    why: str
    how: str                       # how to install it
    command: tuple[str, ...] = ()  # fails if the requirement is missing
    text: str = ""                 # standard input of the command


def _program(name: str, package: str) -> Need:
    return Need(f"the program {name}", "building and entering hosts", f"package {package}")


def _namespace(kind: str, option: str, *more: str) -> Need:
    return Need(f"{kind} namespaces", "hosts of their own", option,
                ("unshare", f"--{kind}", *more, "true"))


def _mounted(script: str) -> tuple[str, ...]:
    """The command of a script that may mount file systems on /mnt."""
    return ("unshare", "--mount", "--propagation", "private", "sh", "-ec", script)


def _link(what: str, why: str, how: str, line: str) -> Need:
    return Need(what, why, how, ("ip", "-batch", "-"), line)


def _rule(what: str, why: str, how: str, chain: str, rule: str) -> Need:
    return Need(what, why, how, ("nft", "-f", "-"), f"table ip try {{ chain one {{ type {chain} "
                f"priority 0; {rule} ; }} ; }}\ndelete table ip try\n")


PROGRAMS = [_program("ip", "iproute2"), _program("nft", "nftables"),
            *(_program(name, "util-linux") for name in ("nsenter", "unshare")),
            _program("mount", "mount"), _program("systemd-nspawn", "systemd-container")]
NAMESPACES = [
    _namespace("net", "CONFIG_NET_NS; root of the machine, or a privileged container"),
    _namespace("mount", "CONFIG_NAMESPACES; root of the machine, or a privileged container"),
    _namespace("uts", "CONFIG_UTS_NS; root of the machine, or a privileged container"),
    _namespace("pid", "CONFIG_PID_NS; root of the machine, or a privileged container",
               "--fork", "--mount-proc"),
]
OVERLAY = Need("overlay file systems", "the hosts' own /etc and /var", "CONFIG_OVERLAY_FS; modprobe overlay",
               _mounted("mount -t tmpfs lab /mnt; cd /mnt; mkdir upper work root; "
                        "mount -t overlay lab -o "
                        "lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work root; test -e root/etc"))
# -i: no mount helper runs, and the mount waits for a server that never answers.
FUSE = Need("FUSE", "the shared file system (sshfs) and the instances' own /proc/stat (lxcfs)",
            "CONFIG_FUSE_FS; modprobe fuse; /dev/fuse",
            _mounted("exec 3<> /dev/fuse; mount -i -t fuse -o "
                     "fd=3,rootmode=40000,user_id=0,group_id=0 lab /mnt; umount -l /mnt"))
SETTINGS = Need("a network's own settings", "routers",
                "CAP_NET_ADMIN; /proc/sys/net writable: a privileged container, not a plain one")
NETWORK = [
    _link("veth devices", "the network's cables", "CONFIG_VETH; modprobe veth",
          "link add one type veth peer name two\n"),
    _link("bridges", "the backplane", "CONFIG_BRIDGE; modprobe bridge",
          "link add three type bridge\n"),
    _link("policy routing", "each subnet's own route table", "CONFIG_IP_MULTIPLE_TABLES",
          "rule add pref 5 iif lo lookup 10\n"),
    _rule("nf_tables", "network ACLs", "CONFIG_NF_TABLES_IPV4; modprobe nf_tables",
          "filter hook forward", "counter"),
    _rule("connection tracking", "security groups", "CONFIG_NFT_CT; modprobe nft_ct",
          "filter hook forward", "ct state established accept"),
    _rule("address translation", "the internet gateway", "CONFIG_NFT_NAT; modprobe nft_nat",
          "nat hook prerouting", "dnat to 192.0.2.1"),
    _rule("masquerading", "the NAT gateways", "CONFIG_NFT_MASQ; modprobe nft_masq",
          "nat hook postrouting", "masquerade"),
    _rule("changing packets", "the internet gateway", "CONFIG_NF_TABLES; modprobe nf_tables",
          "filter hook prerouting", "ip daddr set 192.0.2.1"),
]

Try = Callable[[Need], str]


def alone(need: Need) -> str:
    """The reason why the requirement is missing; "" if it is met."""
    try:
        done = subprocess.run(need.command, input=need.text, capture_output=True, text=True,
                              errors="replace", timeout=20, cwd="/", env=ENVIRONMENT)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    said = (done.stderr or done.stdout).strip().splitlines()
    return said[0] if said else f"exit {done.returncode}"


def _line(need: Need, reason: str = "") -> str:
    return f"{need.what}, for {need.why} ({need.how})" + (f": {reason}" if reason else "")


def _failing(needs: list[Need], attempt: Try) -> list[str]:
    found = ((need, attempt(need)) for need in needs)
    return [_line(need, reason) for need, reason in found if reason]


def control_groups(build: Path) -> str:
    """The reason why processors cannot be limited or systemd cannot run; "" if both work. Makes an
    instance's group in the lab's own family; the next sweep removes the group if this process is
    killed."""
    try:
        unified()
        control = cgroup.Control(build)
        try:
            group = control.group("trial")
            try:
                group.limit(0.5)
            finally:
                group.remove()
        finally:
            control.close()
    except (RuntimeError, OSError) as error:
        return str(error).removeprefix("control groups: ")
    return ""


def missing(build: Path, attempt: Try = alone, groups: Callable[[Path], str] = control_groups,
            found: Callable[[str], str | None] = shutil.which) -> list[str]:
    """The missing requirements, each with its purpose and how to install it; [] if none is
    missing."""
    names = [need for need in PROGRAMS if not found(need.what.split()[-1])]
    if names:  # the other requirements cannot be tested
        return [_line(need) for need in names]
    lacking = _failing(NAMESPACES, attempt)
    if lacking:  # no namespace for the other tests
        return lacking
    lacking = _failing([OVERLAY, FUSE], attempt)
    reason = groups(build)
    if reason:
        lacking.append(_line(Need(
            "control groups", "the instances' share of the processor (version 1) and systemd (2)",
            "CONFIG_CFS_BANDWIDTH; mounted below /sys/fs/cgroup and writable"), reason))
    try:
        space = Netns("trial")
    except (OSError, RuntimeError) as error:
        return [*lacking, _line(SETTINGS, " ".join(str(error).split()))]
    try:
        with space.net():  # children inherit the namespaces of the thread that starts them
            lacking += _failing(NETWORK, attempt)
    finally:
        space.close()
    return lacking
