"""The parts themselves: what the other tests rely on when they say refused,
verified or silent is shown here to be able to say the opposite too."""
from __future__ import annotations

import time
from typing import Any

from botocore.exceptions import ClientError

from parts import names
from parts.cloudwatch import Credentials
from parts.host import Host
from parts.mariadb import Database
from parts.node import CA, Node
from parts.wait import wait_until
from parts.web import PAGE
from parts.world import World

DATUM: dict[str, Any] = {
    "MetricName": "CPUUtilization", "Unit": "Percent", "Values": [1.0, 2.5], "Counts": [3, 2],
    "Dimensions": [{"Name": "AutoScalingGroupName", "Value": "parts"}], "StorageResolution": 1}


def put(world: World, credentials: Credentials) -> str:
    """"" if moto takes a datum signed so, else the error's code."""
    with world.cloudwatch.host.net():
        try:
            world.cloudwatch.client(credentials).put_metric_data(
                Namespace="Parts", MetricData=[{**DATUM, "Timestamp": time.time()}])
        except ClientError as error:
            return str(error.response["Error"]["Code"])
    return ""


def test_moto_verifies_signatures(world: World, node: Node) -> None:
    """But for the unsigned request: moto fails over it, the lab's recorder in front of
    it answers (parts/moto_server.py)."""
    role = world.cloudwatch.assume()
    assert put(world, role) == ""
    assert put(world, world.cloudwatch.user("node")) == ""
    assert put(world, Credentials(role.access_key, "x" * 40, role.token)) == "SignatureDoesNotMatch"
    assert put(world, Credentials(role.access_key, role.secret, "no-such-token")) \
        == "InvalidClientTokenId"
    assert put(world, world.cloudwatch.assume("powerless")) == "AccessDenied"
    unsigned = node.host.run(
        "curl", "-sS", "--cacert", CA, "-w", "%{http_code}", "-d", "{}",
        "-H", "X-Amz-Target: GraniteServiceVersion20100801.PutMetricData",
        "-H", "Content-Type: application/x-amz-json-1.0", f"https://{names.CLOUDWATCH_HOST}/")
    assert "MissingAuthenticationToken" in unsigned.stdout and unsigned.stdout.endswith("403")


def test_moto_keeps_values_and_counts(world: World) -> None:
    assert put(world, world.cloudwatch.assume()) == ""
    points = world.cloudwatch.statistics("Parts", "CPUUtilization",
                                         {"AutoScalingGroupName": "parts"})
    assert sum(p["SampleCount"] for p in points) >= 5
    assert max(p["Maximum"] for p in points) == 2.5
    assert not world.cloudwatch.statistics("Parts", "CPUUtilization",
                                           {"AutoScalingGroupName": "another"})


def fetch(host: Host, *options: str, path: str = "instance-id") -> tuple[int, str]:
    done = host.run("curl", "-sS", "-m", "2", "-w", "\n%{http_code}", *options,
                    f"http://{names.METADATA}/latest/{path}", check=False)
    body, _, code = done.stdout.rpartition("\n")
    return int(code), body


def test_metadata_speaks_version_two_only(node: Node) -> None:
    header = "X-aws-ec2-metadata-token-ttl-seconds: "
    code, token = fetch(node.host, "-X", "PUT", "-H", header + "60", path="api/token")
    assert code == 200
    own = ("-H", f"X-aws-ec2-metadata-token: {token}")
    item = "meta-data/instance-id"
    assert fetch(node.host, *own, path=item) == (200, node.instance_id)
    assert fetch(node.host, path=item)[0] == 401
    assert fetch(node.host, *own, path="meta-data/public-ipv4")[0] == 404
    for ttl in ("0", "21601", "x"):
        assert fetch(node.host, "-X", "PUT", "-H", header + ttl, path="api/token")[0] == 400
    forwarded = ("-H", "X-Forwarded-For: 10.0.0.1")
    assert fetch(node.host, "-X", "PUT", "-H", header + "60", *forwarded,
                 path="api/token")[0] == 403
    node.imds.revoke()
    assert fetch(node.host, *own, path=item)[0] == 401


def test_no_way_out(world: World, node: Node) -> None:
    """Nothing but the lab is reachable from a host."""
    routes = node.host.run("ip", "route").stdout
    assert "default" not in routes and f"{names.METADATA} dev imds0" in routes
    assert world.dns.lookup(names.CLOUDWATCH_HOST) == [names.CLOUDWATCH]
    with node.host.connect(names.CLOUDWATCH, 443):
        pass
    assert node.host.run("curl", "-sS", "-m", "2", "http://192.0.2.1/",
                         check=False).returncode != 0


def test_failover_reaches_the_page(world: World, node: Node, database: Database) -> None:
    node.web.start()
    node.shared.write("index.php", PAGE)
    node.host.run("mount", "-t", "fuse.bindfs", "/srv/efs", "/var/www/html/efs")

    def page() -> str:
        return node.web.get("/efs/index.php")[1]
    assert "1, KIM, SEOUL" in page() and "server db-a" in page()
    database.failover("kill")
    wait_until(lambda: "server db-c" in page(), "the page comes from the other server", 15)
