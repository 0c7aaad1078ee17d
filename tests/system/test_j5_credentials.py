"""J5, the credentials: every source against moto with signatures verified, and
what each does when it is not as it should be."""
from __future__ import annotations

from typing import Any, Callable

from parts import names
from parts.agent import Agent
from parts.cloudwatch import Credentials
from parts.node import Node
from parts.wait import hold_true, wait_until
from parts.world import World

NONE, OK, STALE, REFUSED = range(4)  # enum cred_state
FILE = "/etc/web-node-agent/credentials"


def own(world: World, node: Node, start: int) -> list[dict[str, Any]]:
    return [d for d in world.cloudwatch.data(start) if d["peer"] == node.subnet_address]


def profile(user: Credentials, name: str = "default") -> str:
    return (f"[{name}]\naws_access_key_id = {user.access_key}\n"
            f"aws_secret_access_key = {user.secret}\n")


def write_secret(node: Node, path: str, text: str, mode: int = 0o640) -> None:
    """Root's, and wna-cloud's to read."""
    node.host.write(path, text, mode)
    node.host.run("chgrp", "wna-cloud", path)


def with_file(node: Node, text: str, mode: int = 0o640, **keys: Any) -> Agent:
    node.only("metrics")
    write_secret(node, FILE, text, mode)
    node.agent.change("metrics", credentials_file=FILE, **keys)
    return node.agent


def test_shared_file_and_environment(world: World, new_node: Callable[[], Node]) -> None:
    """Without a role."""
    user = world.cloudwatch.user("node")
    start = world.cloudwatch.mark()
    in_file, in_environment = new_node(), new_node()
    with_file(in_file, profile(user)).start()
    in_environment.only("metrics")
    in_environment.agent.start(environment={"AWS_ACCESS_KEY_ID": user.access_key,
                                            "AWS_SECRET_ACCESS_KEY": user.secret})
    for node in (in_file, in_environment):
        wait_until(lambda: own(world, node, start), f"{node.host.name} pushes", 40)


def test_stale_credentials_are_used_while_renewal_fails(world: World, node: Node) -> None:
    """Renewal is tried about a minute later, in virtual time by unit/cloud/test_creds."""
    node.give_role(seconds=15)
    node.only("metrics")
    agent = node.agent
    agent.start()
    agent.wait_fact("credentials", OK)
    node.imds.fault("500", match=r"GET .*/iam/security-credentials")
    agent.wait_fact("credentials", STALE, timeout=30)
    start = world.cloudwatch.mark()
    wait_until(lambda: own(world, node, start), "pushed all the same", 30)
    assert agent.fact("credentials")["value"] == STALE
    assert "have expired" in agent.log()


def test_a_file_open_to_others_costs_only_the_credentials(world: World, node: Node) -> None:
    """Identity and the processor's load need none; nor is the role taken instead.
    Mended, the file is asked for by itself."""
    node.give_role()
    agent = with_file(node, profile(world.cloudwatch.user("node")), mode=0o644)
    start = world.cloudwatch.mark()
    agent.start()
    agent.wait_job("identity", "ok")
    wait_until(lambda: agent.fact("cpu")["value"] >= 0, "cpu is sampled")
    wait_until(lambda: "open to others" in agent.job("metrics")["why"], "the reason", 20)
    assert agent.job("metrics")["level"] == "degraded" and agent.code("/readyz") == 503
    assert "it is open to others" in agent.log()
    assert not own(world, node, start)
    node.host.sh(f"chmod 640 {FILE}")
    wait_until(lambda: own(world, node, start), "pushed with it", 90)
    assert agent.fact("credentials")["text"].startswith("shared file")


def test_a_profile_that_is_not_there_is_no_other_identity(world: World, node: Node) -> None:
    """The twin: the one that is there, after the file was put right in place."""
    node.give_role()
    user = world.cloudwatch.user("node")
    agent = with_file(node, profile(user, "wbe"), profile="web")
    start = world.cloudwatch.mark()
    agent.start()
    wait_until(lambda: "profile web: not in the file" in agent.job("metrics")["why"],
               "the reason", 20)
    hold_true(lambda: not own(world, node, start), "nothing pushed", 3)
    node.host.path(FILE).write_text(profile(user, "web"), encoding="utf-8")
    wait_until(lambda: own(world, node, start), "pushed", 90)
    assert agent.fact("credentials")["text"] == "shared file, profile web"


def test_a_file_in_a_closed_folder_is_replaced(world: World, node: Node) -> None:
    """Nobody but root and wna-cloud sees the path; AWS's refusal makes the agent look."""
    user = world.cloudwatch.user("node")
    node.only("metrics")
    agent, path = node.agent, "/srv/closed/credentials"
    node.host.sh("mkdir -m 750 /srv/closed; chgrp wna-cloud /srv/closed")
    write_secret(node, path, profile(Credentials(user.access_key, "x" * 40)))
    agent.change("metrics", credentials_file=path)
    start = world.cloudwatch.mark()
    agent.start()
    agent.wait_fact("credentials", REFUSED, timeout=40)
    assert "SignatureDoesNotMatch" in agent.fact("credentials")["why"]
    write_secret(node, path + ".new", profile(user))
    node.host.sh(f"mv {path}.new {path}")
    wait_until(lambda: own(world, node, start), "accepted with the new keys", 90)


def test_endpoint_by_environment(world: World, node: Node) -> None:
    """AWS_ENDPOINT_URL is where it pushes to, and what it signs."""
    node.give_role()
    node.only("metrics")
    start = world.cloudwatch.mark()
    node.agent.start(environment={"AWS_ENDPOINT_URL": f"https://{names.CLOUDWATCH}"})
    wait_until(lambda: own(world, node, start), "pushed", 40)
    hosts = {e["headers"]["host"] for e in world.cloudwatch.log(start)
             if e["peer"] == node.subnet_address}
    assert hosts == {names.CLOUDWATCH}
