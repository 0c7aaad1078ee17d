"""Web nodes with userdata/database/wna-database, and a real MariaDB with TLS. Scripts replace aws
and wnactl: events that take hours on AWS (rotations, timers) happen at once. `template` and `rig`
are fixtures to import."""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pytest

from parts import iam_rds, mariadb
from parts.host import Host, Switch
from parts.pki import Authority
from parts.process import Process

TESTS = Path(__file__).parents[2]
DATABASE = TESTS.parent / "userdata/database"
VENV = (Path(sys.prefix), sys.prefix, "ro")
SYSUSERS = (DATABASE / "sysusers.conf",
            DATABASE.parents[1] / "packaging/sysusers.d/web-node-agent.conf")
PLACE = "/usr/libexec/web-node-agent/database"
ENDPOINT = "practice.c9akciq32rrw.ap-northeast-2.rds.amazonaws.com"
SERVER = "10.16.5.149"
DONE = "/run/web-node-agent-database/done"
EFS = "/var/www/html/efs"
# Characters that need quoting.
MASTER = "Master's-\"pw\\1"

ROLE = ["AKIAIOSFODNN7EXAMPLE", "its secret key", "its session token, " + 50 * "as long as AWS's "]
REGION = "ap-northeast-2"

AWS = f"""#!{sys.executable}
import json, sys
words = sys.argv[1:]
open("/tmp/aws.log", "a").write(json.dumps(words) + "\\n")
if words[:2] == ["rds", "generate-db-auth-token"]:
    import boto3
    given = dict(zip(words[2::2], words[3::2]))
    print(boto3.Session(*{ROLE}, given["--region"]).client("rds").generate_db_auth_token(
        given["--hostname"], int(given["--port"]), given["--username"]))
    sys.exit()
""" + """\
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
esac
"""
SYSTEMCTL = """#!/bin/sh
echo "$*" >> /tmp/systemctl.log
case $1 in
try-reload-or-restart) ! test -e /tmp/unwilling ;;
esac
"""
RELOAD = "try-reload-or-restart web-node-agent.service\n"
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
        self.host = Host(name, rig.logs, binds=[(rig.shared, "/srv/efs", "rw"), VENV])
        rig.switch.attach(self.host, address)
        host = self.host
        host.sh("rm -rf /etc/web-node-agent; mkdir -p /etc/web-node-agent/agent.conf.d "
                f"/run/web-node-agent/rds {EFS} {PLACE}; rm -rf {EFS}/*")
        for file in DATABASE.iterdir():
            host.write(f"{PLACE}/{file.name}", file.read_bytes(),
                       0o755 if file.name == "wna-database" else 0o644)
        host.write("/etc/sysusers.d/agent.conf", "".join(file.read_text() for file in SYSUSERS))
        host.run("systemd-sysusers", "/etc/sysusers.d/agent.conf")
        host.write("/etc/hosts", f"127.0.0.1 localhost\n{SERVER} {ENDPOINT}\n")
        host.write("/etc/web-node-agent/rds-ca.pem", rig.authority.pem)
        host.write("/etc/web-node-agent/stack.env", STACK)
        host.write("/usr/bin/aws", AWS, 0o755)
        host.write("/usr/bin/wnactl", WNACTL, 0o755)
        host.write("/usr/bin/systemctl", SYSTEMCTL, 0o755)
        self.secret(AWSCURRENT=("v1", MASTER))
        host.sh(f"bindfs /srv/efs {EFS} -o allow_other")

    def secret(self, **stages: tuple[str, str]) -> None:
        self.host.write("/etc/secret.json", json.dumps(stages))

    def write_settings(self, writes: bool, auth: str = "password") -> None:
        self.host.write("/etc/web-node-agent/stack.env",
                        STACK + f"WNA_PAGE_WRITES={str(writes).lower()}\n"
                        f"WNA_DATABASE_AUTH={auth}\n")

    def asked(self, what: str) -> int:
        """The number of calls of AWS's command line that had this word."""
        log = self.host.path("/tmp/aws.log")
        return sum(what in json.loads(line) for line in log.read_text().splitlines()) \
            if log.exists() else 0

    def page(self, method: str) -> str:
        """The page's answer; a POST has a new row."""
        return self.host.run("php", "-r", f"""
            $_SERVER['REQUEST_METHOD'] = '{method}';
            $_POST = ['name' => 'LEE', 'address' => 'BUSAN'];
            require '{PLACE}/index.php';""").stdout

    def looks(self) -> bool:
        """The command of timer and path unit; returns whether it has started the service."""
        self.host.write("/tmp/systemctl.log", "")
        self.host.run(f"{PLACE}/wna-database", "--look")
        said = self.host.read("/tmp/systemctl.log")
        assert said in ("", "start --no-block web-node-agent-database.service\n"), said
        return said != ""

    def run(self) -> tuple[int, str]:
        done = self.host.run(f"{PLACE}/wna-database", check=False, timeout=100)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout

    def good(self) -> str:
        status, said = self.run()
        assert status == 0, said
        return said

    def later(self, hours: float, credentials: bool = False) -> None:
        """Makes the last run, or the credentials, this old."""
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
        server = Host("db", folder, binds=[(TESTS, "/lab", "ro"), VENV])
        self.switch.attach(server, SERVER)
        self.db = mariadb.MariaDb(server, template)
        iam_rds.install(server)
        self.db.options = iam_rds.OPTIONS
        self.db.prepare(self.authority.pem, self.authority.issue(ENDPOINT))
        self.db.start(writer=True)
        text = MASTER.replace("\\", "\\\\").replace("'", "\\'")
        self.db.sql(f"DROP DATABASE practice; CREATE USER admin@'%' IDENTIFIED BY '{text}'; "
                    "GRANT ALL ON *.* TO admin@'%' WITH GRANT OPTION; "
                    # Rights that RDS's master user does not have: SUPER, and writing in spite of
                    # read_only.
                    "REVOKE SUPER, READ_ONLY ADMIN ON *.* FROM admin@'%'")

    def allow_iam(self) -> Process:
        """The role may log in as both users. Returns the process that verifies its tokens."""
        iam_rds.allow(self.db.host, {
            "host": ENDPOINT, "port": 3306, "region": REGION, "users": ["wna_iam", "page_iam"],
            "keys": {ROLE[0]: ROLE[1:]}})
        return iam_rds.verify(self.db.host, sys.executable)

    def node(self) -> Node:
        number = len(self.nodes)
        self.nodes.append(Node(self, f"web-{number}", f"10.16.3.{10 + number}"))
        return self.nodes[-1]

    def rotate(self, version: str, password: str, previous: tuple[str, str]) -> None:
        self.db.sql(f"ALTER USER admin@'%' IDENTIFIED BY '{password}'")
        for node in self.nodes:
            node.secret(AWSCURRENT=(version, password), AWSPREVIOUS=previous)

    def users(self) -> set[str]:
        return set(self.db.sql("SELECT User FROM mysql.user WHERE User REGEXP '^(wna|page)_'"
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
