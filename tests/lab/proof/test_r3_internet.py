"""R3: the instances reach the internet through NAT; the internet reaches no instance."""
from __future__ import annotations

import json

import pytest

from lab.command.client import Lab, patience
from .probing import Target, probe


def test_ping(settled: Lab) -> None:
    """The document's own test. (The document's rules would block it: they have no ICMP row.)"""
    for instance in settled.in_service():
        out = settled.host(instance["host"]).run("ping", "-n", "-c", "3", "-i", "0.2", "-W", "2",
                                                 "8.8.8.8").stdout
        assert " 0% packet loss" in out


def seen_by(lab: Lab, host: str, url: str, *options: str) -> str:
    """The client's address, as seen by a server on the internet."""
    done = lab.host(host).run("curl", "-sS", "--fail", "-m", f"{patience(10):.0f}", *options, url)
    return str(json.loads(done.stdout)["peer"])


def test_https_comes_from_nat(settled: Lab) -> None:
    """Another region's S3, in the document's 52.219.0.0/16: the server sees the address of the
    zone's NAT gateway."""
    facts = settled.facts()
    for instance in settled.in_service():
        assert seen_by(settled, instance["host"], facts["elsewhere_url"]) \
            == facts["nat_public"][instance["zone"]]


def test_the_regions_s3_comes_without_nat(settled: Lab) -> None:
    """The gateway endpoint keeps the instance's own address (VPC User Guide, "Gateway endpoints
    for Amazon S3"), for each of S3's ranges."""
    url = settled.facts()["repository_url"] + "peer"
    name = url.split("/")[2]
    addresses = settled.facts()["repository_addresses"]
    assert len(addresses) == 2
    for instance in settled.in_service():
        host = instance["host"]
        assert sorted(settled.host(host).sh(f"dig +short {name}").split()) == sorted(addresses)
        for address in addresses:
            assert seen_by(settled, host, url, "--resolve", f"{name}:443:{address}") \
                == instance["address"]


PORTS = (22, 80, 443, 2049, 3306, 8099, 1024, 33000, 60999)


@pytest.mark.parametrize("source", ["client", "stranger"])
def test_nothing_opens_inwards(settled: Lab, source: str) -> None:
    """Neither to the instances' own addresses, with a route to them, nor through the NAT gateways,
    nor to a bastion, which only the administrator reaches. The balancer is reachable meanwhile."""
    facts, hosts = settled.facts(), settled.hosts()
    places = [i["address"] for i in settled.in_service()] + list(facts["nat_public"].values())
    targets: list[Target] = [(place, port, "tcp") for place in places for port in PORTS]
    targets += [(place, 0, "icmp") for place in places]
    targets += [(place, 33000, "udp") for place in places]
    verdicts = probe(settled.host(source), targets)
    assert set(verdicts) == {"silent"}, dict(zip(targets, verdicts))
    assert probe(settled.host(source), [(hosts["bastion-a"]["public"], 22, "tcp"),
                                        (facts["alb_addresses"][0], 80, "tcp")]) \
        == ["silent", "open"]
