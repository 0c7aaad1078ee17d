"""A small network for test_rules.py: three hosts in two subnets and one outside, with the lab's
routers. Runs in its own namespaces (see run()), which end with this process.

Reads {"rules": {router: text}, "probes": [[from, to, protocol, port, source], …]}, prints
{"verdicts": […], "counters": {router: {name: packets}}}. A verdict is "open" (a TCP connection; an
ICMP answer), "reset" or "lost"."""
from __future__ import annotations

import ctypes
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import Any, Iterator

HOSTS = {  # name: (router, address)
    "web1": ("weba", "10.16.3.10"), "web2": ("weba", "10.16.3.11"),
    "alb": ("public", "10.16.1.20"), "client": ("vpc", "203.0.113.10"),
    "resolver": ("vpc", "10.16.0.2")}
ROUTERS = {"weba": ("10.16.3.0/24", "sub-WebA"), "public": ("10.16.1.0/24", "sub-PublicA")}
PORTS = (22, 53, 80, 443, 3306, 8099, 40000)
LOST_S = 0.5  # timeout after the last answer


def run(rules: dict[str, str], probes: list[list[Any]]) -> dict[str, Any]:
    """Called by tests: runs this file as a program, in its own namespaces."""
    done = subprocess.run(
        ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL",
         "--propagation", "private", sys.executable, __file__],
        input=json.dumps({"rules": rules, "probes": probes}), capture_output=True, text=True,
        timeout=60)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def sh(*args: str, stdin: str = "") -> str:
    return subprocess.run(args, input=stdin, capture_output=True, text=True, check=True).stdout


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Sockets made inside stay there."""
    libc = ctypes.CDLL(None, use_errno=True)
    back = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        assert libc.setns(there, 0x40000000) == 0
        yield
    finally:
        assert libc.setns(back, 0x40000000) == 0
        os.close(there)
        os.close(back)


def build() -> None:
    sh("mount", "-t", "tmpfs", "tmpfs", "/run")
    for name in (*ROUTERS, "vpc", *HOSTS):
        sh("ip", "netns", "add", name)
        sh("ip", "-n", name, "link", "set", "lo", "up")
    for name in (*ROUTERS, "vpc"):
        sh("ip", "netns", "exec", name, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    for number, (name, (cidr, device)) in enumerate(ROUTERS.items()):
        near, far = f"169.254.{number}.1", f"169.254.{number}.2"
        sh("ip", "-n", "vpc", "link", "add", device, "type", "veth", "peer", "name", "uplink",
           "netns", name)
        for space, link, own in (("vpc", device, near), (name, "uplink", far)):
            sh("ip", "-n", space, "address", "add", f"{own}/30", "dev", link)
            sh("ip", "-n", space, "link", "set", link, "up")
        sh("ip", "-n", "vpc", "route", "add", cidr, "via", far)
        sh("ip", "-n", name, "route", "add", "default", "via", near)
    for name, (router, address) in HOSTS.items():
        sh("ip", "-n", router, "link", "add", name, "type", "veth", "peer", "name", "eth0",
           "netns", name)
        sh("ip", "-n", router, "link", "set", name, "up")
        sh("ip", "-n", name, "link", "set", "eth0", "up")
        sh("ip", "-n", name, "address", "add", f"{address}/32", "dev", "eth0")
        sh("ip", "-n", name, "route", "add", "default", "dev", "eth0")
        sh("ip", "-n", router, "route", "add", f"{address}/32", "dev", name)
        sh("ip", "netns", "exec", router, "sh", "-c",
           f"echo 1 > /proc/sys/net/ipv4/conf/{name}/proxy_arp; "
           f"echo 0 > /proc/sys/net/ipv4/neigh/{name}/proxy_delay")


def listen() -> list[socket.socket]:
    found = []
    for name in HOSTS:
        with inside(name):
            for port in PORTS:
                found.append(socket.create_server(("", port), backlog=64))
    return found


def echo(number: int, size: int) -> bytes:
    body = struct.pack("!BBHHH", 8, 0, 0, os.getpid() & 0xFFFF, number) + b"x" * size
    total = sum(struct.unpack(f"!{len(body) // 2}H", body))
    total = (total >> 16) + (total & 0xFFFF)
    total += total >> 16
    return body[:2] + struct.pack("!H", ~total & 0xFFFF) + body[4:]


def start(number: int, probe: list[Any]) -> socket.socket:
    origin, target, protocol, port, source = probe
    address = HOSTS[target][1]
    with inside(origin):
        if source:  # a false source address
            subprocess.run(["ip", "address", "add", f"{source}/32", "dev", "eth0"],
                           capture_output=True)
        if protocol == "icmp":
            peer = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
            peer.sendto(echo(number, port), (address, 0))
            return peer
        peer = socket.socket()
        peer.setblocking(False)
        if source:
            peer.bind((source, 0))
        peer.connect_ex((address, port))
        return peer


def verdict(peer: socket.socket, number: int, protocol: str) -> str:
    """"" before the first relevant packet."""
    if protocol == "icmp":
        answer = peer.recv(65535)
        kind, _, _, _, sequence = struct.unpack_from("!BBHHH", answer, (answer[0] & 15) * 4)
        return "open" if kind == 0 and sequence == number else ""
    return "reset" if peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) else "open"


def probe_all(probes: list[list[Any]]) -> list[str]:
    """Sends all probes at once; a probe without an answer within LOST_S of the last answer is
    lost."""
    found = ["lost"] * len(probes)
    waiting = {start(number, probe): number for number, probe in enumerate(probes)}
    deadline = time.monotonic() + LOST_S
    while waiting and time.monotonic() < deadline:
        tcp = [p for p, n in waiting.items() if probes[n][2] == "tcp"]
        icmp = [p for p, n in waiting.items() if probes[n][2] == "icmp"]
        readable, writable, _ = select.select(icmp, tcp, [], max(0, deadline - time.monotonic()))
        for peer in readable + writable:
            number = waiting[peer]
            said = verdict(peer, number, probes[number][2])
            if said:
                found[number] = said
                del waiting[peer]
                deadline = time.monotonic() + LOST_S
    return found


def counters(router: str) -> dict[str, int]:
    text = sh("ip", "netns", "exec", router, "nft", "-j", "list", "counters")
    return {c["counter"]["name"]: c["counter"]["packets"]
            for c in json.loads(text)["nftables"] if "counter" in c}


def main() -> None:
    plan = json.load(sys.stdin)
    build()
    for router, text in plan["rules"].items():
        sh("ip", "netns", "exec", router, "nft", "-f", "-", stdin=text)
    open_ones = listen()
    verdicts = probe_all(plan["probes"])
    print(json.dumps({"verdicts": verdicts, "counters": {r: counters(r) for r in plan["rules"]},
                      "listeners": len(open_ones)}))


if __name__ == "__main__":
    main()
