"""wna-database and refusals: a refused login of the agent, which it repairs, and its own refusals
by AWS or the database, which it cannot repair."""
from __future__ import annotations

from lab.unit.database_rig import AWS, DONE, MASTER, Node, Rig, pair, rig, template

__all__ = ["rig", "template"]

RUN = "/run/web-node-agent-database"
REFUSALS, CURES = f"{RUN}/refusals", f"{RUN}/cures"


def test_a_refused_login(rig: Rig) -> None:
    """The user's password was changed, or the user is missing: the script creates it again, and
    the agent gets a new file, which it tries at once."""
    node = rig.node()
    node.good()
    gen = node.generation()
    file = f"/etc/web-node-agent/db.password.{gen}"
    before = node.host.sh(f"stat -c %i {file}; cat {file}").split()
    for spoil in (f"ALTER USER wna_{gen}@'%' IDENTIFIED BY 'x'", f"DROP USER page_{gen}@'%'"):
        rig.db.sql(spoil)
        node.says("denied")
        assert node.good() == ""  # the last successful run was just now
        node.host.sh(f"touch -d '-5 min' {DONE}")
        assert "login refused" in node.good()
        assert rig.users() == pair(gen)
    after = node.host.sh(f"stat -c %i {file}; cat {file}").split()
    assert after[0] != before[0] and after[1] == before[1]
    node.says("network")
    node.host.sh(f"touch -d '-2 min' {DONE}")
    assert node.good() == ""


def test_a_cure_that_does_not_help_is_tried_ever_less(rig: Rig) -> None:
    """The agent may be refused for other reasons: the back-off grows."""
    node = rig.node()
    node.good()
    node.says("denied")
    for minutes in (1, 2, 4, 8, 15, 15):
        node.host.sh(f"touch -d '-{minutes * 60 - 10} sec' {DONE}")
        assert node.good() == "", minutes
        node.host.sh(f"touch -d '-{minutes * 60 + 1} sec' {DONE}")
        assert "login refused" in node.good(), minutes
    # A new refusal after a long time: repaired at once again.
    node.host.sh(f"touch -d '-1 hour' {CURES}; touch -d '-61 sec' {DONE}")
    assert "login refused" in node.good()


FORBIDDEN = """#!/bin/sh
echo $* >> /tmp/aws.log
echo "An error occurred (AccessDeniedException) when calling the GetSecretValue operation" >&2
exit 254
"""


def asked(node: Node) -> int:
    log = node.host.path("/tmp/aws.log")
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_what_is_refused_is_soon_asked_for_seldom(rig: Rig) -> None:
    """Quick retries first: a right may be new. Then only after a manual start, after a long
    back-off, or after a change of the inputs."""
    node = rig.node()
    node.host.write("/usr/bin/aws", FORBIDDEN, 0o755)
    node.host.write("/tmp/aws.log", "")
    assert node.run()[0] == 75 and node.run()[0] == 75
    assert node.host.read(REFUSALS).split()[0] == "2" and node.looks()
    node.host.write(REFUSALS, node.host.read(REFUSALS).replace("2 ", "9 ", 1))
    status, said = node.run()
    assert status == 77 and "AccessDenied" in said and "some minutes" in said
    assert not node.looks() and asked(node) == 3
    assert node.run()[0] == 77 and asked(node) == 4
    # Without credentials the node's group replaces it within 15 minutes.
    node.host.sh(f"touch -d '-61 sec' {REFUSALS}")
    assert node.looks()
    assert node.run()[0] == 77 and not node.looks()
    node.says("denied")
    assert node.looks() and node.run()[0] == 75
    node.host.write("/usr/bin/aws", AWS, 0o755)
    node.good()
    assert not node.host.path(REFUSALS).exists() and not node.looks()


def test_who_has_credentials_asks_seldom(rig: Rig) -> None:
    node = rig.node()
    node.good()
    node.later(1)
    node.host.write("/usr/bin/aws", FORBIDDEN, 0o755)
    assert node.run()[0] == 75
    node.host.write(REFUSALS, node.host.read(REFUSALS).replace("1 ", "9 ", 1))
    status, said = node.run()
    assert status == 77 and "next try in 15 minutes" in said
    node.host.sh(f"touch -d '-61 sec' {REFUSALS}")
    assert not node.looks()
    node.host.sh(f"touch -d '-14 min' {REFUSALS}")
    assert node.looks()


def test_a_clock_that_was_ahead_hinders_nothing(rig: Rig) -> None:
    node = rig.node()
    node.good()
    assert not node.looks()
    node.host.sh(f"touch -d '2 hours' {RUN}/done")
    assert node.looks()


def test_a_look_sees_what_there_is_to_do(rig: Rig) -> None:
    node = rig.node()
    assert node.looks()
    node.good()
    assert not node.looks()
    node.later(1)
    assert node.looks()
    node.good()
    node.host.run("rm", f"{RUN}/page")
    assert node.looks()


def test_a_wrong_password_is_a_refusal_and_a_new_version_is_tried_anew(rig: Rig) -> None:
    node = rig.node()
    node.secret(AWSCURRENT=("v1", "wrong"))
    status, said = node.run()
    assert status == 75 and "login as admin: (1045)" in said
    node.host.write(REFUSALS, node.host.read(REFUSALS).replace("1 ", "9 ", 1))
    assert node.run()[0] == 77
    node.secret(AWSCURRENT=("v2", "wrong"))
    assert node.run()[0] == 75 and node.host.read(REFUSALS).split()[0] == "1"
    node.secret(AWSCURRENT=("v3", MASTER))
    node.good()
