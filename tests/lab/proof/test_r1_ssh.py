"""R1: ssh reaches a web instance only through a bastion host; each zone has a bastion."""
from __future__ import annotations

import pytest

from lab.command.client import Lab, patience
from .probing import place_of, probe, start, verdicts
from parts.wait import wait_until


def ssh(lab: Lab, bastion: str, instance: dict[str, str], *command: str) -> str:
    """The ssh command that the stack's outputs give to an administrator."""
    public = lab.hosts()[bastion]["public"]
    options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new",
               "-o", f"ConnectTimeout={patience(10) / 2:.0f}"]
    jump = "ssh " + " ".join(options) + f" -W %h:%p ec2-user@{public}"
    return lab.host("admin").run("ssh", *options, "-o", f"ProxyCommand={jump}",
                                 f"ec2-user@{instance['address']}", *command).stdout.strip()


@pytest.mark.parametrize("bastion", ["bastion-a", "bastion-c"])
def test_through_each_bastion_to_each_instance(settled: Lab, bastion: str) -> None:
    for instance in settled.in_service():
        assert ssh(settled, bastion, instance, "hostname") == instance["host"]


def test_no_key_lies_on_a_bastion(lab: Lab) -> None:
    """A jump needs no key on the bastion: an intruder on a bastion finds none."""
    for bastion in ("bastion-a", "bastion-c"):
        found = lab.host(bastion).sh("grep -rl 'PRIVATE KEY' /home /root 2>/dev/null || test $? = 1")
        assert found == ""
    assert "PRIVATE KEY" in lab.host("admin").sh("cat /root/.ssh/id_ed25519")


def test_from_anywhere_else_it_times_out(settled: Lab) -> None:
    instances = settled.in_service()
    hosts = settled.hosts()
    places = [name for name, info in hosts.items()
              if info["kind"] in ("internet", "alb", "web", "database")]
    assert len(places) >= 8
    others = {name: [i for i in instances if i["host"] != name] for name in places}
    begun = {name: start(place_of(settled.host(name)), [(i["address"], 22, "tcp") for i in knocked])
             for name, knocked in others.items()}  # all at once: each probe only waits
    met = {(name, i["host"]): verdict for name, process in begun.items()
           for i, verdict in zip(others[name], verdicts(process), strict=True)}
    assert len(met) == sum(map(len, others.values())) and set(met.values()) == {"silent"}, met
    # The counterpart: the same probe is answered where it is allowed.
    assert probe(settled.host("bastion-a"), [(instances[0]["address"], 22, "tcp")]) == ["open"]


def test_one_bastion_gone_the_other_goes_on(settled: Lab) -> None:
    instance = settled.in_service()[0]
    settled.ask("cut", host="bastion-a")
    try:
        with pytest.raises(RuntimeError):
            settled.host("admin").run("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=2",
                                      "-o", "StrictHostKeyChecking=accept-new",
                                      f"ec2-user@{settled.hosts()['bastion-a']['public']}", "true")
        assert ssh(settled, "bastion-c", instance, "hostname") == instance["host"]
    finally:
        settled.ask("mend", host="bastion-a")
    wait_until(lambda: ssh(settled, "bastion-a", instance, "hostname") == instance["host"],
               "the bastion is back", 15)
