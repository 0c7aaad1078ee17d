"""userdata/database/wna-database on its own: a real MariaDB with TLS, one or two nodes, and
scripts in the places of aws and wnactl, so that what takes hours on AWS (rotations, timers) can
be had at once. The whole of it, with moto and the real agent: tests/lab/test_boot.py."""
from __future__ import annotations

import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Iterator

import pytest

from parts import mariadb
from parts.host import Host, Switch, add_users
from parts.pki import Authority

DATABASE = Path(__file__).parents[3] / "userdata/database"
PLACE = "/usr/libexec/web-node-agent/database"
ENDPOINT = "practice.c9akciq32rrw.ap-northeast-2.rds.amazonaws.com"
SERVER = "10.16.5.149"
DONE = "/run/web-node-agent-database/done"
EFS = "/var/www/html/efs"
# What quoting could spoil.
MASTER = "Master's-\"pw\\1"

AWS = """#!/usr/bin/python3
import json, sys
words = sys.argv[1:]
open("/tmp/aws.log", "a").write(json.dumps(words) + "\\n")
secret = json.load(open("/etc/secret.json"))
stage = words[words.index("--version-stage") + 1] if "--version-stage" in words else "AWSCURRENT"
if stage not in secret:
    sys.exit("An error occurred (ResourceNotFoundException) when calling GetSecretValue: no")
if "--query" in words:
    print(secret[stage][0])
else:
    print(json.dumps({"VersionId": secret[stage][0], "SecretString": json.dumps(
        {"username": "admin", "password": secret[stage][1]})}))
"""
WNACTL = f"""#!/bin/sh
echo "$*" >> /tmp/wnactl.log
case $1 in
wait) grep -q ' {EFS} ' /proc/self/mounts || exit 4 ;;
reload) ! test -e /tmp/unwilling ;;
esac
"""
STACK = f"""WNA_REGION=ap-northeast-2
WNA_SECRET_ARN=arn:aws:secretsmanager:ap-northeast-2:123456789012:secret:rds!db-0a1b-AbCdEf
WNA_DATABASE_ENDPOINT={ENDPOINT}
WNA_DATABASE_PORT=3306
WNA_DATABASE_NAME=practice
WNA_DATABASE_CA=/etc/web-node-agent/rds-ca.pem
"""


class Node:
    def __init__(self, rig: "Rig", name: str, address: str) -> None:
        self.rig = rig
        self.host = Host(name, rig.logs, binds=[(rig.shared, "/srv/efs", "rw")])
        rig.switch.attach(self.host, address)
        host = self.host
        host.sh("rm -rf /etc/web-node-agent; mkdir -p /etc/web-node-agent/agent.conf.d "
                f"/run/web-node-agent/rds {EFS} {PLACE}; rm -rf {EFS}/*")
        for file in DATABASE.iterdir():
            host.write(f"{PLACE}/{file.name}", file.read_bytes(),
                       0o755 if file.name == "wna-database" else 0o644)
        add_users(host, DATABASE / "sysusers.conf")
        host.write("/etc/hosts", f"127.0.0.1 localhost\n{SERVER} {ENDPOINT}\n")
        host.write("/etc/web-node-agent/rds-ca.pem", rig.authority.pem)
        host.write("/etc/web-node-agent/stack.env", STACK)
        host.write("/usr/bin/aws", AWS, 0o755)
        host.write("/usr/bin/wnactl", WNACTL, 0o755)
        self.secret(AWSCURRENT=("v1", MASTER))
        host.sh(f"bindfs /srv/efs {EFS} -o allow_other")

    def secret(self, **stages: tuple[str, str]) -> None:
        self.host.write("/etc/secret.json", json.dumps(stages))

    def run(self) -> tuple[int, str]:
        done = self.host.run(f"{PLACE}/wna-database", check=False, timeout=100)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout

    def good(self) -> str:
        status, said = self.run()
        assert status == 0, said
        return said

    def later(self, hours: float, credentials: bool = False) -> None:
        """As if the last run, or even the credentials, were so old."""
        minutes = int(hours * 60)
        self.host.sh(f"touch -d '-{minutes} min' {DONE}")
        if credentials:
            self.host.sh(f"touch -d '-{minutes} min' /etc/web-node-agent/db.password.*")

    def generation(self) -> str:
        found = re.search("user = wna_(.*)", self.host.read(
            "/etc/web-node-agent/agent.conf.d/50-database.conf"))
        assert found
        return found[1]

    def says(self, trouble: str) -> None:
        self.host.write("/run/web-node-agent/rds/rds.json", json.dumps({"trouble": trouble}))


class Rig:
    def __init__(self, folder: Path, template: Path) -> None:
        self.logs = folder
        self.shared = folder / "efs"
        self.shared.mkdir()
        self.authority = Authority()
        self.switch = Switch(folder)
        self.nodes: list[Node] = []
        server = Host("db", folder)
        self.switch.attach(server, SERVER)
        self.db = mariadb.MariaDb(server, template)
        self.db.prepare(self.authority.pem, self.authority.issue(ENDPOINT))
        self.db.start(writer=True)
        text = MASTER.replace("\\", "\\\\").replace("'", "\\'")
        self.db.sql(f"DROP DATABASE practice; CREATE USER admin@'%' IDENTIFIED BY '{text}'; "
                    "GRANT ALL ON *.* TO admin@'%' WITH GRANT OPTION; "
                    # All that RDS's master user has not: SUPER and what goes past read_only.
                    "REVOKE SUPER, READ_ONLY ADMIN ON *.* FROM admin@'%'")

    def node(self) -> Node:
        number = len(self.nodes)
        self.nodes.append(Node(self, f"web-{number}", f"10.16.3.{10 + number}"))
        return self.nodes[-1]

    def rotate(self, version: str, password: str, previous: tuple[str, str]) -> None:
        self.db.sql(f"ALTER USER admin@'%' IDENTIFIED BY '{password}'")
        for node in self.nodes:
            node.secret(AWSCURRENT=(version, password), AWSPREVIOUS=previous)

    def users(self) -> set[str]:
        return set(self.db.sql("SELECT User FROM mysql.user WHERE User REGEXP '^(wna|page)_[0-9a-f]'"
                               ).split())

    def close(self) -> None:
        for host in [*(node.host for node in self.nodes), self.db.host, self.switch.host]:
            host.close()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = os.environ.get("WNA_LAB_BUILD")
    return mariadb.prepare_template(
        (Path(build) / "cache" if build else tmp_path_factory.mktemp("cache")) / "mariadb-template")


@pytest.fixture
def rig(tmp_path: Path, template: Path) -> Iterator[Rig]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    found = Rig(tmp_path, template)
    yield found
    found.close()


def pair(gen: str) -> set[str]:
    return {f"wna_{gen}", f"page_{gen}"}


def test_two_nodes_at_once(rig: Rig) -> None:
    nodes = [rig.node(), rig.node()]
    with ThreadPoolExecutor(2) as pool:
        said = "".join(pool.map(lambda node: node.good(), nodes))
    assert said.count("made table") == said.count("index.php is in place") == 1, said
    gen = nodes[0].generation()
    assert gen == nodes[1].generation() and rig.users() == pair(gen)
    assert rig.db.sql("SELECT * FROM practice.practice").split() == ["1", "KIM", "SEOUL"]
    assert nodes[0].good() == ""  # and then there is nothing to do
    for node in nodes:
        modes = node.host.sh(f"stat -c '%a %U %G' /etc/web-node-agent/page.ini "
                             f"/etc/web-node-agent/db.password.{gen}")
        assert re.fullmatch(r"640 root (apache|www-data)\n600 root root\n", modes), modes


def test_the_users_may_do_no_more_than_they_need(rig: Rig) -> None:
    node = rig.node()
    node.good()
    gen = node.generation()
    grants = {user: rig.db.sql(f"SHOW GRANTS FOR {user}@'%'") for user in pair(gen)}
    assert "GRANT SELECT, INSERT ON `practice`.*" in grants[f"page_{gen}"]
    for text in grants.values():
        assert "REQUIRE SSL" in text and text.count("GRANT USAGE") == 1, text
    assert grants[f"wna_{gen}"].count("GRANT") == 1


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
    """Files in place are not enough: the agent has to be told, however often it takes."""
    node = rig.node()
    node.host.write("/tmp/unwilling", "")
    status, said = node.run()
    assert status == 75 and "wnactl reload" in said
    assert node.run()[0] == 75
    node.host.run("rm", "/tmp/unwilling", "/tmp/wnactl.log")
    node.good()
    assert "reload" in node.host.read("/tmp/wnactl.log").split("\n")
    node.host.run("rm", "/tmp/wnactl.log")
    node.later(1)
    node.good()
    log = node.host.path("/tmp/wnactl.log")
    assert not log.exists() or "reload" not in log.read_text().split("\n")


def test_an_old_password_outlives_the_new_one_for_a_while(rig: Rig) -> None:
    """Whoever has just read the old drop-in still finds its file, old as it may be."""
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
    """The new version's users come, the old ones stay; those before them go, but not before
    every node has had time to follow."""
    node, other = rig.node(), rig.node()
    node.good(), other.good()
    first = node.generation()
    rig.rotate("v2", "second", ("v1", MASTER))
    assert node.good() == ""  # it was just here
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
    # The other node was away for all of it.
    other.later(24)
    other.good()
    assert other.generation() == third
    left = node.host.sh("ls /etc/web-node-agent | grep db.password").split()
    assert left == [f"db.password.{third}"]


def test_a_secret_rotated_meanwhile_drops_nobody(rig: Rig) -> None:
    """A node that has read the old version, and then waits for the lock while others make the
    new one's users."""
    node = rig.node()
    node.good()
    node.later(3, credentials=True)
    # Its first call sees v1, those under the lock see v2.
    node.host.write("/usr/bin/aws", AWS.replace(
        "stage = words", "if '--query' in words: secret = {'AWSCURRENT': ['v2', 'x'], "
        "'AWSPREVIOUS': ['v1', 'y']}\nstage = words"), 0o755)
    rig.db.sql("CREATE USER wna_00000000@'%', page_00000000@'%'")
    status, said = node.run()
    assert status == 75 and "rotated meanwhile" in said
    assert pair("00000000") < rig.users()


def test_a_refused_login(rig: Rig) -> None:
    """The user's password was changed, or the user is gone: it is there again, and the agent
    gets another file, which it tries without waiting."""
    node = rig.node()
    node.good()
    gen = node.generation()
    file = f"/etc/web-node-agent/db.password.{gen}"
    before = node.host.sh(f"stat -c %i {file}; cat {file}").split()
    for spoil in (f"ALTER USER wna_{gen}@'%' IDENTIFIED BY 'x'", f"DROP USER page_{gen}@'%'"):
        rig.db.sql(spoil)
        node.says("denied")
        assert node.good() == ""  # a good run was just now
        node.host.sh(f"touch -d '-2 min' {DONE}")
        assert "login refused" in node.good()
        assert rig.users() == pair(gen)
    after = node.host.sh(f"stat -c %i {file}; cat {file}").split()
    assert after[0] != before[0] and after[1] == before[1]
    node.says("network")
    node.host.sh(f"touch -d '-2 min' {DONE}")
    assert node.good() == ""


def test_a_server_that_takes_no_writes(rig: Rig) -> None:
    """As in the middle of a failover."""
    node = rig.node()
    rig.db.writable(False)
    status, said = node.run()
    assert status == 75 and "takes no writes now" in said
    rig.db.writable(True)
    node.good()


def test_a_server_that_is_not_the_endpoint(rig: Rig) -> None:
    """Nobody is told the master user's password who has no certificate for the name."""
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
    ("echo '{\"AWSCURRENT\": [1, {}]}' > /etc/secret.json", "not what RDS makes"),
    ("sed -i s/NAME=.*/NAME=a-b/ /etc/web-node-agent/stack.env", "WNA_DATABASE_NAME"),
    ("rm /etc/web-node-agent/stack.env", "WNA_REGION is missing"),
])
def test_bad_input(rig: Rig, spoil: str, words: str) -> None:
    node = rig.node()
    node.host.sh(spoil)
    status, said = node.run()
    assert status == 75 and words in said, said


def test_the_scripts_are_of_amazon_linuxs_python(tmp_path: Path) -> None:
    """3.9: the version that dnf and cloud-init have there."""
    for file in ("wna-database", "files.py", "page.py"):
        check = "import ast, sys; ast.parse(open(sys.argv[1]).read(), feature_version=(3, 9))"
        subprocess.run(["/usr/bin/python3", "-c", check, str(DATABASE / file)], check=True)
