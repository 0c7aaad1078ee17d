"""userdata/database/wna-database alone. tests/lab/proof/test_boot.py tests it with moto and the
real agent, test_database_refusals.py tests refusals."""
from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.unit.database_rig import (AWS, EFS, ENDPOINT, MASTER, PLACE, RELOAD, SERVER, STACK, Rig,
                                   pair, rig, template)
from parts.pki import Authority

__all__ = ["rig", "template"]


def test_two_nodes_at_once(rig: Rig) -> None:
    nodes = [rig.node(), rig.node()]
    with ThreadPoolExecutor(2) as pool:
        said = "".join(pool.map(lambda node: node.good(), nodes))
    assert said.count("made table") == said.count("index.php is in place") == 1, said
    gen = nodes[0].generation()
    assert gen == nodes[1].generation() and rig.users() == pair(gen)
    assert rig.db.sql("SELECT * FROM practice.practice").split() == ["1", "KIM", "SEOUL"]
    assert nodes[0].good() == ""  # a second run has no work
    for node in nodes:
        modes = node.host.sh(f"stat -c '%a %U %G' /etc/web-node-agent/page.ini "
                             f"/etc/web-node-agent/db.password.{gen}")
        assert re.fullmatch(r"640 root (apache|www-data)\n640 root wna-rds\n", modes), modes


def test_the_users_may_do_no_more_than_they_need(rig: Rig) -> None:
    node = rig.node()
    node.good()
    gen = node.generation()
    grants = {user: rig.db.sql(f"SHOW GRANTS FOR {user}@'%'") for user in pair(gen)}
    assert "GRANT SELECT ON `practice`.*" in grants[f"page_{gen}"]
    for text in grants.values():
        assert "REQUIRE SSL" in text and text.count("GRANT USAGE") == 1, text
    assert grants[f"wna_{gen}"].count("GRANT") == 1


@pytest.mark.parametrize("writes", [False, True])
def test_the_page_adds_rows_only_if_it_is_told_to(rig: Rig, writes: bool) -> None:
    node = rig.node()
    node.write_settings(writes)
    node.good()
    assert node.page("GET").count("<form") == writes
    assert ("this page only reads" in node.page("POST")) != writes
    rows = rig.db.sql("SELECT name FROM practice.practice ORDER BY id").split()
    assert rows == (["KIM", "LEE"] if writes else ["KIM"])
    # Without the form the page's user may not add rows either.
    may = "INSERT" in rig.db.sql(f"SHOW GRANTS FOR page_{node.generation()}@'%'")
    assert may == writes


def test_secrets_are_in_no_argument_and_no_word(rig: Rig) -> None:
    node = rig.node()
    said = node.good()
    ini = node.host.read("/etc/web-node-agent/page.ini")
    password = re.search('password = "(.*)"', ini)
    assert password
    for secret in (MASTER, password[1]):
        assert secret not in said + node.host.read("/tmp/aws.log")


def test_a_page_that_is_there_stays(rig: Rig) -> None:
    (rig.shared / "index.php").write_text("mine")
    rig.node().good()
    assert [p.name for p in rig.shared.iterdir()] == ["index.php"]
    assert (rig.shared / "index.php").read_text() == "mine"


def test_no_page_without_the_file_system(rig: Rig) -> None:
    node = rig.node()
    node.host.run("umount", EFS)
    status, said = node.run()
    assert status == 75 and "not mounted" in said and "are in place" in said
    assert node.host.sh(f"ls -A {EFS}") == ""
    node.host.run("bindfs", "/srv/efs", EFS, "-o", "allow_other")
    assert "index.php is in place" in node.good()


def test_a_reload_that_failed_is_owed(rig: Rig) -> None:
    """Files in place are not enough: the reload is retried until it succeeds."""
    node = rig.node()
    node.host.write("/tmp/unwilling", "")
    status, said = node.run()
    assert status == 75 and "reload of web-node-agent" in said
    assert node.run()[0] == 75
    node.host.run("rm", "/tmp/unwilling")
    node.host.write("/tmp/systemctl.log", "")
    node.good()
    assert node.host.read("/tmp/systemctl.log") == RELOAD
    node.later(1)
    node.good()
    assert node.host.read("/tmp/systemctl.log") == RELOAD


def test_an_old_password_outlives_the_new_one_for_a_while(rig: Rig) -> None:
    """A process that has just read the old drop-in still finds the old file, whatever its age."""
    node = rig.node()
    node.good()
    first = node.generation()
    rig.rotate("v2", "second", ("v1", MASTER))
    node.later(24 * 7, credentials=True)
    node.good()
    assert node.host.path(f"/etc/web-node-agent/db.password.{first}").exists()
    node.later(3, credentials=True)
    node.good()
    assert not node.host.path(f"/etc/web-node-agent/db.password.{first}").exists()


def test_rotations(rig: Rig) -> None:
    """The users of the new version are added, those of the last version stay. Older users are
    dropped, but only after every node has had time to follow."""
    node, other = rig.node(), rig.node()
    node.good(), other.good()
    first = node.generation()
    rig.rotate("v2", "second", ("v1", MASTER))
    assert node.good() == ""  # no work shortly after a run
    node.later(1)
    node.good()
    second = node.generation()
    assert second != first and rig.users() == pair(first) | pair(second)
    rig.rotate("v3", "third", ("v2", "second"))
    node.later(1)
    node.good()
    third = node.generation()
    assert rig.users() == pair(first) | pair(second) | pair(third)
    node.later(3, credentials=True)
    assert node.good().count("dropped user") == 2
    assert rig.users() == pair(second) | pair(third)
    # The other node was off during all rotations.
    other.later(24)
    other.good()
    assert other.generation() == third
    left = node.host.sh("ls /etc/web-node-agent | grep db.password").split()
    assert left == [f"db.password.{third}"]


def test_a_secret_rotated_meanwhile_drops_nobody(rig: Rig) -> None:
    """A node reads the old version and waits for the lock while other nodes create the new
    version's users."""
    node = rig.node()
    node.good()
    node.later(3, credentials=True)
    # The first call returns v1, calls under the lock return v2.
    node.host.write("/usr/bin/aws", AWS.replace(
        "stage = words", "if '--query' in words: secret = {'AWSCURRENT': ['v2', 'x'], "
        "'AWSPREVIOUS': ['v1', 'y']}\nstage = words"), 0o755)
    rig.db.sql("CREATE USER wna_00000000@'%', page_00000000@'%'")
    status, said = node.run()
    assert status == 75 and "rotated meanwhile" in said
    assert pair("00000000") < rig.users()


def test_the_package_s_removal(rig: Rig) -> None:
    """Edited files and other programs' files stay."""
    node = rig.node()
    node.good()
    gen = node.generation()
    folder = "/etc/web-node-agent"
    node.host.write(f"{folder}/db.password", "an admin's\n")
    node.host.write(f"{folder}/agent.conf.d/50-database.conf.new-17", "half of it")
    node.host.write(f"{folder}/db.password.00000000", "an admin's\n")
    said = node.host.run(f"{PLACE}/wna-database", "--remove").stdout
    assert said == f"{folder}/db.password.00000000 stays: it has been edited\n"
    left = node.host.sh(f"cd {folder}; find . -type f | sort").split()
    assert left == ["./db.password", "./db.password.00000000", "./rds-ca.pem", "./stack.env"]
    assert not node.host.path("/run/web-node-agent-database").exists()
    node.good()
    assert node.generation() == gen


def test_a_row_that_was_deleted_stays_so(rig: Rig) -> None:
    node = rig.node()
    node.good()
    rig.db.sql("DELETE FROM practice.practice")
    node.later(1)
    node.good()
    assert rig.db.sql("SELECT * FROM practice.practice") == ""


@pytest.mark.parametrize("row", ["", "INSERT INTO practice.practice_new VALUES (1);"])
def test_a_run_that_died_over_the_table(rig: Rig, row: str) -> None:
    """Killed before or after the first row: a table without the row never exists."""
    rig.db.sql(f"CREATE DATABASE practice; CREATE TABLE practice.practice_new (id INT); {row}")
    assert "made table" in rig.node().good()
    assert rig.db.sql("SELECT * FROM practice.practice").split() == ["1", "KIM", "SEOUL"]
    assert rig.db.sql("SHOW TABLES FROM practice").split() == ["practice"]


def test_a_server_that_takes_no_writes(rig: Rig) -> None:
    """Like a server during a failover."""
    node = rig.node()
    rig.db.writable(False)
    status, said = node.run()
    assert status == 75 and "the server is read-only" in said
    rig.db.writable(True)
    node.good()


def test_a_server_that_is_not_the_endpoint(rig: Rig) -> None:
    """The master user's password is never sent to a server without a certificate for the name."""
    node = rig.node()
    node.host.write("/etc/hosts", f"127.0.0.1 localhost\n{SERVER} other.example\n")
    node.host.write("/etc/web-node-agent/stack.env", STACK.replace(ENDPOINT, "other.example"))
    status, said = node.run()
    assert status == 75 and "SSL" in said
    node.host.write("/etc/web-node-agent/stack.env", STACK)
    node.host.write("/etc/web-node-agent/rds-ca.pem", Authority().pem)
    node.host.write("/etc/hosts", f"127.0.0.1 localhost\n{SERVER} {ENDPOINT}\n")
    status, said = node.run()
    assert status == 75 and "SSL" in said
    assert rig.users() == set()


@pytest.mark.parametrize("spoil, words", [
    ("rm /etc/secret.json", "the secret cannot be read"),
    ("echo '{\"AWSCURRENT\": [1, {}]}' > /etc/secret.json", "the form of an RDS secret"),
    ("sed -i s/NAME=.*/NAME=a-b/ /etc/web-node-agent/stack.env", "WNA_DATABASE_NAME"),
    ("rm /etc/web-node-agent/stack.env", "WNA_REGION is missing"),
])
def test_bad_input(rig: Rig, spoil: str, words: str) -> None:
    node = rig.node()
    node.host.sh(spoil)
    status, said = node.run()
    assert status == 75 and words in said, said
