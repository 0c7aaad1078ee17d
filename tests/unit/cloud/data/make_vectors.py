#!/usr/bin/env python3
"""Test vectors for cloud_sigv4.c, from botocore's signer.

    python3 -m venv V && V/bin/pip install botocore && V/bin/python make_vectors.py

Recomputes AWS's published vectors (sigv4_suite.json) and fails if one differs,
then writes sigv4_botocore.json: requests as the agent sends them, random with a
fixed seed: the file changes only with botocore; and sigv4_login.json: login
tokens of RDS. All keys are made up.
"""
import json
import random
import string
import sys
from datetime import datetime, timezone
from pathlib import Path

import botocore
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

HERE = Path(__file__).resolve().parent
COUNT = 60
LOGINS = 20


def signature(doc, vector):
    """The signature that botocore makes of one vector."""
    keys = Credentials(doc["access_key"], doc["secret_key"], vector["token"] or None)
    host = next(v for n, v in vector["headers"] if n.lower() == "host")
    request = AWSRequest("POST", f"https://{host}/", data=vector["body"].encode() or None)
    for name, value in vector["headers"]:
        request.headers.add_header(name, value)
    auth = SigV4Auth(keys, doc["service"], vector.get("region", doc.get("region")))
    when = datetime.fromtimestamp(vector.get("time", doc.get("time")), timezone.utc)
    request.context["timestamp"] = when.strftime("%Y%m%dT%H%M%SZ")
    auth._modify_request_before_signing(request)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    return auth.signature(text, request)


def login_token(doc, vector):
    """As botocore.signers.generate_db_auth_token makes it, at a given time."""
    keys = Credentials(doc["access_key"], doc["secret_key"], vector["token"] or None)
    request = AWSRequest("GET", f"https://{vector['host']}/",
                         params={"Action": "connect", "DBUser": vector["user"]})
    auth = SigV4QueryAuth(keys, "rds-db", vector["region"], expires=900)
    when = datetime.fromtimestamp(vector["time"], timezone.utc)
    request.context["timestamp"] = when.strftime("%Y%m%dT%H%M%SZ")
    auth._modify_request_before_signing(request)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    auth._inject_signature_to_request(request, auth.signature(text, request))
    return request.url.removeprefix("https://")


def word(rng, letters, low, high):
    return "".join(rng.choice(letters) for _ in range(rng.randint(low, high)))


def random_vector(rng, number):
    plain = string.ascii_letters + string.digits
    region = rng.choice(["us-east-1", "ap-northeast-2", "us-gov-west-1", "cn-north-1"])
    host = rng.choice([f"monitoring.{region}.amazonaws.com", "[2001:db8::1]", "127.0.0.1",
                       word(rng, string.ascii_lowercase, 3, 12) + ".example.com"])
    if rng.random() < 0.3:
        host += f":{rng.randint(1024, 65535)}"
    return {
        "name": f"random {number}",
        "headers": [["Content-Type", "application/x-amz-json-1.0"], ["Host", host],
                    ["X-Amz-Target", "GraniteServiceVersion20100801.PutMetricData"],
                    ["x-amzn-query-mode", "true"]],
        "body": word(rng, plain + "{}[]\":,. äß€ሴ😀", 0, 400),
        "token": word(rng, plain + "/+=", 100, 800) if rng.random() < 0.5 else "",
        "region": region,
        "time": rng.randint(0, 4102444799),
    }


def random_login(rng, number):
    plain = string.ascii_letters + string.digits
    region = rng.choice(["us-east-1", "ap-northeast-2", "us-gov-west-1", "cn-north-1"])
    return {
        "name": f"login {number}",
        "host": f"{word(rng, string.ascii_lowercase, 3, 12)}.{word(rng, plain, 12, 12).lower()}"
                f".{region}.rds.amazonaws.com:{rng.randint(1, 65535)}",
        "user": word(rng, plain + "_-.@+ /ß€", 1, 32),
        "token": word(rng, plain + "/+=", 100, 4096) if rng.random() < 0.7 else "",
        "region": region,
        "time": rng.randint(0, 4102444799),
    }


def write(doc, name):
    lines = ",\n".join(json.dumps(v, ensure_ascii=False) for v in doc["vectors"])
    head = json.dumps({k: v for k, v in doc.items() if k != "vectors"}, indent=1)
    (HERE / name).write_text(head[:-2] + ',\n "vectors": [\n' + lines + "\n]}\n")


def main():
    suite = json.loads((HERE / "sigv4_suite.json").read_text())
    wrong = [v["name"] for v in suite["vectors"] if signature(suite, v) != v["signature"]]
    if wrong:
        sys.exit(f"botocore disagrees with the published suite: {', '.join(wrong)}")
    rng = random.Random(20261123)
    doc = {
        "origin": f"make_vectors.py, botocore {botocore.__version__}, "
                  f"Python {sys.version_info.major}.{sys.version_info.minor}",
        "access_key": "AKIAFAKEFAKEFAKEFAKE",
        "secret_key": "this/is+not/a+secret/but+a/fake+one",
        "service": "monitoring",
        "vectors": [],
    }
    for number in range(COUNT):
        vector = random_vector(rng, number)
        vector["signature"] = signature(doc, vector)
        doc["vectors"].append(vector)
    write(doc, "sigv4_botocore.json")
    doc |= {"service": "rds-db", "vectors": []}
    for number in range(LOGINS):
        vector = random_login(rng, number)
        vector["login"] = login_token(doc, vector)
        doc["vectors"].append(vector)
    write(doc, "sigv4_login.json")
    print(f"{len(suite['vectors'])} published vectors agree, {COUNT} and {LOGINS} written")


if __name__ == "__main__":
    main()
