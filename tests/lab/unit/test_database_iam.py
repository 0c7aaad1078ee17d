"""wna-database with IAM authentication, and a MariaDB with a stand-in for RDS's login method
(parts/iam_rds.py): the tokens are real ones, and their signatures are verified."""
from __future__ import annotations

import os
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.unit.database_rig import (DONE, EFS, MASTER, PLACE, RELOAD, Node, Rig, pair, rig, template)
from parts.process import Process
from parts.wait import wait_until

__all__ = ["rig", "template"]

INI, DROP_IN = "/etc/web-node-agent/page.ini", "/etc/web-node-agent/agent.conf.d/50-database.conf"
READ, SIGN = "get-secret-value", "generate-db-auth-token"


@pytest.fixture
def verifier(rig: Rig) -> Process:
    return rig.allow_iam()


def node(rig: Rig, writes: bool = False) -> Node:
    made = rig.node()
    made.write_settings(writes, "iam")
    return made


def claims(rig: Rig) -> list[str]:
    return [path.name for path in rig.shared.iterdir() if path.name.endswith("-claim")]


def later(host: Node, minutes: float = 4) -> None:
    """Makes the token this old."""
    host.host.sh(f"touch -d '-{int(minutes * 60)} sec' {INI}")


def token(host: Node) -> str:
    found = re.search('password = "(.*)"', host.host.read(INI))
    assert found
    return found[1]


def test_one_node_reads_the_secret_once(rig: Rig, verifier: Process) -> None:
    """Whoever has the claim; the others wait for it, and later nodes and boots find the record."""
    nodes = [node(rig), node(rig)]
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda each: each.run(), nodes))
    for each, (status, said) in zip(nodes, runs):
        if status != 0:
            assert status == 75 and "another node makes the database's users" in said
            each.good()
    nodes.append(node(rig))
    nodes[2].good()
    # A boot empties /run.
    nodes[2].host.run("rm", "-r", os.path.dirname(DONE))
    later(nodes[2], 60 * 24)
    nodes[2].good()
    assert sum(each.asked(READ) for each in nodes) == 1
    assert rig.users() == pair("iam") and claims(rig) == []
    for each in nodes:
        assert "<td>KIM</td>" in each.page("GET")
    assert verifier.output().count("accepted page_iam") == 3


def test_the_users_have_no_password_and_need_tls(rig: Rig) -> None:
    first = node(rig)
    first.good()
    for user in pair("iam"):
        made = rig.db.sql(f"SHOW CREATE USER {user}@'%'")
        assert "VIA AWSAuthenticationPlugin USING 'RDS' REQUIRE SSL" in made
    assert rig.db.sql("SHOW GRANTS FOR wna_iam@'%'").count("GRANT") == 1
    assert "GRANT SELECT ON `practice`.*" in rig.db.sql("SHOW GRANTS FOR page_iam@'%'")
    assert first.host.read(DROP_IN).endswith(
        "[database]\nuser = wna_iam\nauth = iam\npassword_file =\n")
    assert "db.password" not in first.host.sh("ls /etc/web-node-agent")
    modes = first.host.sh(f"stat -c '%a %U' {INI} {EFS}/.web-node-agent-*-reads")
    assert modes == "640 root\n600 root\n"


def test_a_token_is_renewed_before_it_ends(rig: Rig, verifier: Process) -> None:
    """The timer's events are four to five minutes apart. The agent, which signs its own, is not
    disturbed, and a file system that does not answer does no harm."""
    first = node(rig)
    first.good()
    assert not first.looks() and first.good() == ""
    before = token(first)
    first.host.write("/tmp/systemctl.log", "")
    first.host.run("umount", EFS)
    time.sleep(1.1)  # a token's date has whole seconds
    later(first)
    assert first.looks()
    assert first.good() == "" and token(first) != before
    assert RELOAD not in first.host.read("/tmp/systemctl.log")
    assert (first.asked(READ), first.asked(SIGN)) == (1, 2)
    assert verifier.output().count("refused") == 0


def test_the_stand_in_refuses_what_rds_refuses(rig: Rig, verifier: Process) -> None:
    """The positive twin: a login means that the token was good."""
    first = node(rig)
    first.good()
    good = first.host.read(INI)
    for old, new, words in ((r"(X-Amz-Signature=)....", r"\g<1>dead", "with a wrong signature"),
                            (r"DBUser=page_iam", "DBUser=wna_iam", "of another user"),
                            (r"20\d\d(?=\d{4}(T|%2F))", "2019", " s old")):
        first.host.write(INI, re.sub(old, new, good))
        assert "1045" in first.page("GET")
        assert words in verifier.output().splitlines()[-1]
    first.host.write(INI, good)
    assert "<td>KIM</td>" in first.page("GET")


def test_a_session_outlives_its_token_s_file(rig: Rig, verifier: Process) -> None:
    """One login for many requests, and one more after a renewal."""
    first = node(rig)
    first.good()
    first.host.spawn("php", "-S", "127.0.0.1:8000", f"{PLACE}/index.php", log="page")

    def get() -> bool:
        return "<td>KIM</td>" in first.host.run("curl", "-s", "http://127.0.0.1:8000/",
                                                check=False).stdout
    wait_until(get, "the page answers")
    assert get() and get()
    assert verifier.output().count("accepted page_iam") == 1
    later(first)
    time.sleep(1.1)
    first.good()
    assert get() and get()
    assert verifier.output().count("accepted page_iam") == 2
    assert set(rig.db.sql("SELECT @@SESSION.wait_timeout, COUNT(*) FROM "
                          "information_schema.processlist WHERE USER = 'page_iam'").split()) == {
        "28800", "2"}  # the former one ends after IDLE_S


def test_without_the_file_system_no_users_and_no_secret(rig: Rig) -> None:
    """A new node waits: it cannot know whether the users are there."""
    first = node(rig)
    first.host.run("umount", EFS)
    status, said = first.run()
    assert status == 75 and "not mounted" in said
    assert first.asked(READ) == 0 and not first.host.path(INI).exists() and rig.users() == set()
    first.host.run("bindfs", "/srv/efs", EFS, "-o", "allow_other")
    first.good()
    assert rig.users() == pair("iam")


def test_a_node_that_died_over_its_claim(rig: Rig) -> None:
    """Its own next run goes on at once, another node's after a while; a failed run leaves none."""
    first, other = node(rig), node(rig)
    first.host.write("/etc/secret.json", "{}")
    assert first.run()[0] == 75 and claims(rig) == [] and first.asked(READ) == 1
    first.secret(AWSCURRENT=("v1", MASTER))
    first.good()
    record = next(path for path in rig.shared.iterdir() if path.name.endswith("-reads"))
    claim = record.with_name(record.name.replace("-reads", "-claim"))
    record.rename(claim)
    status, said = other.run()
    assert status == 75 and "another node" in said and other.asked(READ) == 0
    os.utime(claim, (time.time() - 700,) * 2)
    other.good()
    assert other.asked(READ) == 1 and claims(rig) == [] and record.exists()
    record.rename(claim)
    claim.write_text(first.host.run("uname", "-n").stdout)
    first.host.run("rm", DROP_IN)
    first.good()
    assert first.asked(READ) == 3 and claims(rig) == []


def test_users_that_are_lost(rig: Rig, verifier: Process) -> None:
    """A refused agent alone makes no node read the secret; an administrator removes the record."""
    first, other = node(rig), node(rig)
    first.good(), other.good()
    rig.db.sql("DROP USER wna_iam@'%', page_iam@'%'")
    for minutes in (2, 5):
        first.says("denied")
        first.host.sh(f"touch -d '-{minutes} min' {DONE}")
        later(first)
        first.good()
    assert first.asked(READ) == 1 and rig.users() == set() and "1045" in first.page("GET")
    first.host.sh(f"rm {EFS}/.web-node-agent-*")
    first.host.write("/tmp/systemctl.log", "")
    for each in (first, other):
        each.says("denied")
        later(each)
        each.good()
    assert rig.users() == pair("iam") and "<td>KIM</td>" in other.page("GET")
    assert (first.asked(READ), other.asked(READ)) == (2, 0)
    assert first.host.read("/tmp/systemctl.log") == RELOAD


def test_a_page_that_starts_to_write(rig: Rig) -> None:
    """The parameter is changed: one more node reads the secret. Back again it needs nothing."""
    reads, writes, again = node(rig), node(rig, writes=True), node(rig)
    reads.good()
    assert "INSERT" not in rig.db.sql("SHOW GRANTS FOR page_iam@'%'")
    writes.good()
    assert "INSERT" in rig.db.sql("SHOW GRANTS FOR page_iam@'%'")
    again.good()
    node(rig, writes=True).good()
    assert [each.asked(READ) for each in rig.nodes] == [1, 1, 0, 0]


def test_a_stack_that_changes_over(rig: Rig, verifier: Process) -> None:
    """While its nodes are replaced, those with a password go on, also over a rotation, and drop
    only each other's old users. Then the way back."""
    old = rig.node()
    old.good()
    gen = old.generation()
    new = node(rig)
    new.good()
    for version, before in (("v2", MASTER), ("v3", "v2")):
        rig.rotate(version, version, (f"v{int(version[1]) - 1}", before))
        old.later(1)
        old.good()
    old.later(3, credentials=True)
    assert old.good().count("dropped user") == 2
    assert pair("iam") < rig.users() and not pair(gen) & rig.users()
    assert new.asked(READ) == 1
    for each in (old, new):
        assert "<td>KIM</td>" in each.page("GET")
    # A node that is given the other setting by hand.
    old.write_settings(False, "iam")
    assert old.looks()
    old.good()
    assert "<td>KIM</td>" in old.page("GET") and "page_iam" in old.host.read(INI)
    old.write_settings(False, "password")
    assert old.looks()
    old.good()
    assert "<td>KIM</td>" in old.page("GET") and "page_iam" not in old.host.read(INI)


def test_a_database_without_iam_authentication(rig: Rig) -> None:
    """As RDS before the setting takes effect: nothing is recorded."""
    first = node(rig)
    rig.db.sql("UNINSTALL PLUGIN AWSAuthenticationPlugin")
    status, said = first.run()
    assert status == 75 and "create wna_iam: error 1524" in said
    assert not first.host.path(INI).exists() and claims(rig) == []
    rig.db.sql("INSTALL PLUGIN AWSAuthenticationPlugin SONAME 'iam_plugin.so'")
    first.good()


def test_secrets_are_in_no_argument_and_no_word(rig: Rig) -> None:
    first = node(rig)
    said = first.good() + first.host.read("/tmp/aws.log")
    assert MASTER not in said and token(first) not in said


def test_the_package_s_removal(rig: Rig) -> None:
    first = node(rig)
    first.good()
    assert first.host.run(f"{PLACE}/wna-database", "--remove").stdout == ""
    left = first.host.sh("cd /etc/web-node-agent; find . -type f | sort").split()
    assert left == ["./rds-ca.pem", "./stack.env"]
