"""An instance's first boot without manual steps: credentials, schema, page; the metadata closed to
the web server; a rotated secret and new tokens without an outage. (The lab's first two instances boot
at the same time.)"""
from __future__ import annotations

import fnmatch
import json
import re
import time
from typing import Any

import pytest

from lab.command.client import Inside, Lab
from lab.command.table import Notes
from lab.network.netns import write_sysctls
from .visitors import Visitors, bad, told
from parts.wait import wait_until

METADATA = "http://169.254.169.254/latest/api/token"
PUT = ("-X", "PUT", "-H", "X-aws-ec2-metadata-token-ttl-seconds: 60")
REFUSED, TIMED_OUT = 7, 28  # exit codes of curl
INI, TOKEN = "/etc/web-node-agent/page.ini", "/run/web-node-agent/login/token"
RECORD = "/var/www/html/efs/.web-node-agent-*-writes"
USERS = ["page_iam", "wna_iam"]
LOGIN = "rds-db:connect"


def users(lab: Lab) -> list[str]:
    """The users of agents and pages in the database."""
    return list(lab.ask("sql", text="SELECT User FROM mysql.user WHERE User REGEXP "
                                    "'^(wna|page)_' ORDER BY User;"))


def token(host: Inside) -> str:
    found = re.search(r'^password = "([^"]+)"', host.read(INI), re.M)
    assert found
    return found[1]


def made(host: Inside) -> int:
    """How often this node has made the users, and so has read the master user's secret."""
    return host.sh("journalctl -o cat -u web-node-agent-database").count("made user wna_iam")


def web_hosts(lab: Lab) -> list[Inside]:
    return [lab.host(instance["host"]) for instance in lab.in_service()]


def test_two_that_boot_at_once_agree(settled: Lab) -> None:
    """One table with one first row, and one user each for agents and pages, with both nodes
    working at the same time."""
    table = settled.facts()["database_table"]
    assert settled.ask("sql", text="SELECT CONCAT_WS(',', id, name, address) FROM "
                                   f"{table} WHERE id = 1;") == ["1,KIM,SEOUL"]
    assert users(settled) == USERS
    assert sum(map(made, web_hosts(settled))) <= 1  # it may be gone
    for host in web_hosts(settled):
        assert 'user = "page_iam"' in host.read(INI) and len(host.sh(f"ls {RECORD}").split()) == 1
    grants = "\n".join(settled.ask("sql", text="SHOW GRANTS FOR page_iam@'%';"))
    assert f"GRANT SELECT, INSERT ON `{table.partition('.')[0]}`.*" in grants and "ALL PRIVILEGES" not in grants


def test_each_says_once_that_it_is_ready(settled: Lab) -> None:
    """To CloudFormation, by way of the S3 endpoint: the stack is complete when as many signals as
    it waits for have come, with different ids (CloudFormation User Guide, wait conditions)."""
    there = {instance["address"] for instance in settled.in_service()}
    # The load balancer may find an instance healthy before its user-data does.
    got = wait_until(lambda: (found := settled.facts()["signals"]["got"]) and
                     there <= {signal["peer"] for signal in found} and found, "all signals", 30)
    told_by = {json.loads(signal["body"])["UniqueId"]: json.loads(signal["body"]) for signal in got}
    assert len(told_by) == len(got) >= settled.facts()["signals"]["wanted"] == 2
    for said in told_by.values():
        assert (said["Status"], said["Reason"].split(": ")[1]) == ("SUCCESS", "ready")


def found_in(host: Inside, secret: str, *grep: str) -> str:
    """grep's output; the secret goes to standard input."""
    return host.run(*grep, stdin=secret + "\n", check=False).stdout


def shown_by_processes(host: Inside, secret: str) -> dict[str, int]:
    """The number of the host's processes that have it in their arguments or in their
    environment."""
    return {name: len(found_in(host, secret, "sh", "-c", "exec 3<&0; grep -laF -f /dev/fd/3 "
                               f"/proc/[0-9]*/{name} 2>/dev/null").split())
            for name in ("cmdline", "environ")}


def test_credentials_are_where_they_belong(settled: Lab) -> None:
    for host in web_hosts(settled):
        mode = host.sh(f"stat -c '%a %U %G' {INI} $(dirname {TOKEN}) {TOKEN}").splitlines()
        assert mode == ["640 root www-data", "2750 wna-cloud wna-rds", "644 wna-cloud wna-rds"]
        assert "db.password" not in host.sh("ls /etc/web-node-agent")
        page, agent = token(host), host.read(TOKEN).strip()
        for word, place in ((page, INI), (agent, TOKEN)):
            # The token is not on the shared file system, not in a log, and not shown by a process.
            assert found_in(host, word, "grep", "-rlF", "-f", "-", "/var/www/html", "/var/log", "/run",
                            INI).split() == [place]
            assert shown_by_processes(host, word) == {"cmdline": 0, "environ": 0}


def rights(statements: list[dict[str, Any]]) -> dict[str, Any]:
    """Action: its condition."""
    return {action: statement.get("Condition", {}) for statement in statements
            for action in statement["Action"]}


def test_the_role_has_what_the_configuration_needs(settled: Lab) -> None:
    """And the secret, with which the users are made, and the page's user. The file system's own policy
    names the role."""
    host = web_hosts(settled)[0]
    wanted = json.loads(host.run("wnactl", "iam-policy").stdout)["Statement"]
    needs = rights(wanted)
    files = {action for action in needs if action.startswith("elasticfilesystem:")}
    assert files == {f"elasticfilesystem:Client{what}" for what in ("Mount", "Write", "RootAccess")}
    has = rights(settled.facts()["role"])
    assert has.pop("secretsmanager:GetSecretValue") == {}
    assert {action: needs[action] for action in set(needs) - files} == has
    pattern, (agent, page) = (next(s["Resource"] for s in statements if s["Action"] == [LOGIN])
                              for statements in (wanted, settled.facts()["role"]))
    assert fnmatch.fnmatch(agent, pattern) and page == agent.replace("/wna_iam", "/page_iam")


def test_a_secret_that_a_process_shows_would_be_seen(settled: Lab) -> None:
    """The counterpart of the test above: the same search finds an existing text."""
    host = web_hosts(settled)[0]
    mark = f"mark-{time.monotonic_ns()}"
    assert shown_by_processes(host, mark) == {"cmdline": 0, "environ": 0}
    # "; :": otherwise the shell would be replaced by sleep, which does not have these arguments.
    shows = [host.spawn("sh", "-c", "sleep 60; :", mark, log="shows-arguments"),
             host.spawn(f"MARK={mark}", "sleep", "60", log="shows-environment")]
    try:
        wait_until(lambda: shown_by_processes(host, mark) == {"cmdline": 1, "environ": 1},
                   "one shows it in its arguments, one in its environment", 10)
    finally:
        for process in shows:
            process.stop()


def may_reach_metadata(host: Inside, user: str) -> int:
    """curl's exit code."""
    return host.run("setpriv", f"--reuid={user}", "--clear-groups", "curl", "-sS", "-m", "3",
                    *PUT, METADATA, check=False).returncode


def test_php_is_refused_the_metadata(settled: Lab) -> None:
    """PHP is refused; root and wna-cloud are answered before and after it."""
    host = web_hosts(settled)[0]
    page = "/var/www/html/metadata.php"
    host.write(page, "<?php $s = @stream_socket_client('tcp://169.254.169.254:80', $no, $why, 5);"
                     " echo posix_geteuid(), $s ? ' reached' : \" no: $why\";")
    try:
        for user in ("root", "wna-cloud"):
            assert may_reach_metadata(host, user) == 0
            said = host.run("curl", "-sS", "-m", "10", "http://127.0.0.1/metadata.php").stdout
            assert may_reach_metadata(host, user) == 0
            assert said.startswith(host.sh("id -u www-data").strip() + " no: "), said
    finally:
        host.path(page).unlink()
    for user, status in (("www-data", REFUSED), ("wna-rds", REFUSED), ("nobody", REFUSED),
                         ("wna-cloud", 0), ("root", 0)):
        assert may_reach_metadata(host, user) == status, user


NESTED = """
ip netns add inner
ip link add outside type veth peer name eth0 netns inner
ip address add 172.31.0.1/24 dev outside; ip link set outside up
ip -n inner address add 172.31.0.2/24 dev eth0; ip -n inner link set eth0 up
ip -n inner route add default via 172.31.0.1
nft 'add table ip nested; add chain ip nested out { type nat hook postrouting priority 100; }
     add rule ip nested out ip saddr 172.31.0.0/24 masquerade'
"""
NESTED_AWAY = """
nft 'add table ip nested; delete table ip nested'; ip netns delete inner
"""


def forward(host: Inside, on: bool) -> None:
    """Written in this machine's /proc/sys: an instance's is read-only."""
    with host.net():
        write_sysctls({"ipv4/ip_forward": int(on)})


def test_the_hop_limit_keeps_the_token_on_the_instance(settled: Lab) -> None:
    """From a container's network the token's packets need one hop more than allowed: no status, no
    answer (EC2 User Guide, "Instance metadata options")."""
    instance = settled.in_service()[0]
    host = settled.host(instance["host"])
    ask = ("ip", "netns", "exec", "inner", "curl", "-sS", "-m", "3", *PUT, METADATA)
    host.sh(NESTED)
    forward(host, True)
    try:
        assert host.run(*ask, check=False).returncode == TIMED_OUT
        settled.ask("metadata", host=instance["host"], order={"op": "hops", "value": 2})
        assert host.run(*ask).stdout
    finally:
        settled.ask("metadata", host=instance["host"], order={"op": "hops", "value": 1})
        forward(host, False)
        host.sh(NESTED_AWAY)


def refresh(host: Inside) -> None:
    """Like the timer, some minutes after the last token."""
    host.run("touch", "-d", "-4 minutes", INI)
    host.run("systemctl", "start", "web-node-agent-database.service", timeout=60)


LOG = "/var/log/cloud-init-output.log"
LOCK = "/var/lib/dnf/rpmdb_lock.pid"  # dnf's lock


def said(host: Inside, word: str) -> int:
    """The number of occurrences in cloud-init's output so far."""
    return host.sh(f"cat {LOG} 2> /dev/null || :").count(word)


def wait_for_a_try(host: Inside, what: str, timeout: float) -> None:
    """Waits for one more failed try of user-data; the next try follows some seconds later."""
    before = said(host, "again in")
    wait_until(lambda: said(host, "again in") > before, what, timeout)


@pytest.mark.long
@pytest.mark.timeout(360)
def test_what_is_in_the_way_at_boot_is_waited_for(settled: Lab, notes: Notes) -> None:
    """Without a human and a second boot: user-data retries until the package is installed. The
    repository first answers with errors, then packets are dropped, then another dnf locks the rpm
    database. (The group would replace the instance: the lab's grace period is a minute, the
    stack's 15.)"""
    known = {instance["id"] for instance in settled.in_service()}
    settled.ask("suspend", process="ReplaceUnhealthy")
    settled.ask("repository", available=False)
    try:
        began = time.monotonic()
        settled.ask("capacity", desired=len(known) + 1)
        new, host = settled.launched(known)
        wait_for_a_try(host, "it does not get the package", 60)
        assert said(host, "Unable to find a match: web-node-agent")

        where = ", ".join(settled.facts()["repository_addresses"])
        settled.ask("cut", host=host.name, rule=f"ip daddr {{ {where} }} tcp dport 443")
        settled.ask("repository", available=True)
        wait_for_a_try(host, "dnf gives up on what is silent", 120)

        holder = host.spawn("sh", "-c", f"echo $$ > {LOCK}; exec sleep 300", log="rpm-lock")
        settled.ask("mend", host=host.name)
        wait_until(lambda: said(host, "RPMDB already locked by"), "dnf sees the lock", 60)
        holder.stop()
        mended = time.monotonic()
        wait_until(lambda: settled.targets()[new]["state"] == "healthy", "it is healthy", 120)
        wait_until(lambda: "web-node-setup: ready" in host.read(LOG), "its last words say so", 60)
        notes.add(f"    at boot the repository away, then silent, the rpm database locked: healthy "
                  f"{time.monotonic() - mended:.0f} s after that, "
                  f"{time.monotonic() - began:.0f} s after the launch, by itself")
    finally:
        settled.ask("restore")


def test_a_rotated_secret_and_new_tokens_disturb_nobody(settled: Lab, notes: Notes) -> None:
    hosts = web_hosts(settled)
    before = [token(host) for host in hosts]
    url = f"http://{settled.facts()['alb_name']}/efs/index.php"
    with Visitors(settled.host("client"), url) as people:
        people.wait(lambda v: len(v) >= 10, "visits before")
        began = time.time()
        settled.ask("rotate")
        for host in hosts:
            people.wait(lambda v: len(v) >= 40, "visits", since=time.time())
            refresh(host)
        people.wait(lambda v: len(v) >= 40, "visits with the new tokens", since=time.time())
        visits = people.visits(began)
    assert not bad(visits), told(visits)
    assert not {token(host) for host in hosts} & set(before)
    assert users(settled) == USERS
    notes.add(f"    secret rotated, tokens renewed under {len(visits)} visits: none failed")


def database_job(host: Inside) -> dict[str, Any]:
    status = json.loads(host.run("wnactl", "status", "--json", check=False).stdout)
    return dict(next(job for job in status["jobs"] if job["name"] == "database"))


def database_page(host: Inside) -> tuple[str, str]:
    """Status and body."""
    said = host.run("curl", "-sS", "-m", "10", "-w", "\n%{http_code}",
                    "http://127.0.0.1/efs/index.php").stdout
    body, _, status = said.rpartition("\n")
    return status, body


def test_lost_users_are_made_again(settled: Lab, notes: Notes) -> None:
    """The agent and the page are refused, and no node reads the secret, until an administrator removes
    the record."""
    hosts = web_hosts(settled)
    before = [made(host) for host in hosts]
    since = int(time.time())
    for user in USERS:
        settled.ask("sql", text=f"DROP USER {user}@'%'; KILL USER {user};")
    for host in hosts:
        wait_until(lambda: database_page(host)[0] == "500" and "Access denied for user 'page_" in
                   database_page(host)[1], f"{host.name}: the page is refused", 10)
        wait_until(lambda: "login refused" in host.sh(
            f"journalctl -o cat -u web-node-agent-rds --since @{since}"),
                   f"{host.name}: the agent's login is refused", 30)
        refresh(host)
    assert users(settled) == [] and [made(host) for host in hosts] == before
    began = time.monotonic()
    hosts[0].sh(f"rm {RECORD}")
    refresh(hosts[0])
    for host in hosts:
        host.run("systemctl", "reload", "web-node-agent")
        wait_until(lambda: database_page(host)[0] == "200" and database_job(host)["level"] == "ok",
                   f"{host.name}: page and agent are back", 120)
    assert users(settled) == USERS and [made(host) for host in hosts] == [before[0] + 1, *before[1:]]
    notes.add(f"    database users lost, record removed: mended after {time.monotonic() - began:.0f} s")
