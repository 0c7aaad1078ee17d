"""R6: all instances share a file system, each through the mount target of its zone."""
from __future__ import annotations

import time
from typing import Any

from lab.command.client import Lab
from lab.command.table import Notes
from parts.http import request
from parts.wait import wait_until

PATH = "/var/www/html/efs"


def test_each_mounts_by_its_own_zone(settled: Lab) -> None:
    """The file system's name has the address of the mount target in the caller's zone (EFS User
    Guide, "Mounting using a DNS name")."""
    facts = settled.facts()
    for instance in settled.in_service():
        host = settled.host(instance["host"])
        found = host.sh(f"dig +short +tries=1 +time=2 {facts['efs_name']}").split()
        assert found == [facts["mount_targets"][instance["zone"]]]
        peers = host.sh("ss -Htn state established '( dport = :2049 )'")
        assert found[0] in peers, peers


def test_a_file_of_one_is_served_by_all(settled: Lab) -> None:
    instances = settled.in_service()
    text = f"written at {time.time()}\n"
    settled.host(instances[0]["host"]).write_inside(f"{PATH}/r6.txt", text)
    for instance in instances:
        host = settled.host(instance["host"])
        wait_until(lambda: request(host, "127.0.0.1", 80, "/efs/r6.txt").body == text,
                   f"{instance['host']} serves it", 5)


def test_a_shared_file_system_is_mounted(settled: Lab) -> None:
    for instance in settled.in_service():
        line = settled.host(instance["host"]).sh(f"findmnt -n -o FSTYPE {PATH}").strip()
        assert line.startswith(("nfs4", "fuse"))


def test_a_new_instance_has_it_at_its_first_healthy_answer(settled: Lab, notes: Notes) -> None:
    text = f"for the newcomer {time.time()}\n"
    known = settled.in_service()
    settled.host(known[0]["host"]).write_inside(f"{PATH}/r6-new.txt", text)
    balancer = settled.host("alb-a")
    settled.ask("capacity", desired=len(known) + 1)
    try:
        began = time.monotonic()
        new: dict[str, Any] = wait_until(
            lambda: [i for i in settled.instances() if i["id"] not in {k["id"] for k in known}][0],
            "a third instance", 30)

        def first_healthy() -> bool:
            return request(balancer, new["address"], 8099, "/healthz", timeout=2).status == 200
        wait_until(first_healthy, "its first healthy answer", 90)
        took = time.monotonic() - began
        served = request(balancer, new["address"], 80, "/efs/r6-new.txt", timeout=5)
        assert (served.status, served.body) == (200, text)
        settled.wait_healthy(len(known) + 1, 60)
        notes.add(f"R6  a new instance: first healthy answer {took:.1f} s after it was asked for; "
                  "it served the shared file with it")
    finally:
        settled.ask("capacity", desired=len(known))
        settled.wait_healthy(len(known), 90)
