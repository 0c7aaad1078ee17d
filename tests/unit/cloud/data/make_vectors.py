#!/usr/bin/env python3
"""Test vectors for sigv4.c, from botocore's signer.

    python3 -m venv V && V/bin/pip install botocore && V/bin/python make_vectors.py

Recomputes AWS's published vectors (sigv4_suite.json) and fails if one differs,
then writes sigv4_botocore.json: random requests with a fixed seed, so that the
file changes only with botocore. All keys are made up.
"""
import json
import random
import string
import sys
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote

import botocore
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

HERE = Path(__file__).resolve().parent
COUNT = 300


def signature(doc, vector):
    """The signature that botocore makes of one vector."""
    keys = Credentials(doc["access_key"], doc["secret_key"], vector["token"] or None)
    host = next(v for n, v in vector["headers"] if n.lower() == "host")
    query = "&".join(f"{quote(n, safe='-_.~')}={quote(v, safe='-_.~')}"
                     for n, v in vector["query"])
    url = f"https://{host}{vector['path']}" + (f"?{query}" if query else "")
    # A request with data in the query form would have it moved into the query.
    request = AWSRequest(vector["method"], url, data=vector["body"].encode() or None)
    for name, value in vector["headers"]:
        request.headers.add_header(name, value)
    region = vector.get("region", doc.get("region"))
    service = vector.get("service", doc.get("service"))
    if vector["form"] == "query":
        auth = SigV4QueryAuth(keys, service, region, vector["expires"])
    else:
        auth = SigV4Auth(keys, service, region)
    when = datetime.fromtimestamp(vector.get("time", doc.get("time")), timezone.utc)
    request.context["timestamp"] = when.strftime("%Y%m%dT%H%M%SZ")
    auth._modify_request_before_signing(request)
    if "//" in vector["path"]:
        # AWSRequest keeps it; urlsplit would take "//host" for a host.
        request.url = request.url.replace(vector["path"], "/" + vector["path"].strip("/") + "/")
    text = auth.string_to_sign(request, auth.canonical_request(request))
    return auth.signature(text, request)


def word(rng, letters, low, high):
    return "".join(rng.choice(letters) for _ in range(rng.randint(low, high)))


def random_vector(rng, number):
    plain = string.ascii_letters + string.digits
    odd = plain + "-._~ +/?&=%:,;@!$'()*[]\"<>^`{|}äß€ሴ😀"
    form = "query" if number % 3 == 0 else "header"
    segments = [word(rng, plain + "-._~%20é ", 1, 12) for _ in range(rng.randint(0, 4))]
    segments += rng.choice([[], ["."], [".."], ["a", ".."]])
    host = word(rng, string.ascii_lowercase, 3, 12) + ".example.com"
    if rng.random() < 0.3:
        host += f":{rng.randint(1024, 65535)}"
    names = {word(rng, odd if rng.random() < 0.5 else plain, 1, 10).strip("&=?#") or "p"
             for _ in range(rng.randint(0, 5))}
    vector = {
        "name": f"random {number}",
        "form": form,
        "method": rng.choice(["GET", "POST", "PUT"]) if form == "header" else "GET",
        "path": "/" + "/".join(segments) + rng.choice(["", "/"] if segments else [""]),
        "query": [[n, word(rng, odd, 0, 20)] for n in sorted(names, key=lambda _: rng.random())],
        "headers": [["Host", host]],
        "body": word(rng, odd, 0, 200) if form == "header" else "",
        "token": word(rng, plain + "/+=", 100, 800) if rng.random() < 0.5 else "",
        "region": rng.choice(["us-east-1", "ap-northeast-2", "us-gov-west-1", "cn-north-1"]),
        "service": rng.choice(["monitoring", "rds-db", "autoscaling"]),
        "time": rng.randint(0, 4102444799),
    }
    if form == "query":
        vector["expires"] = rng.randint(1, 604800)
    else:
        for _ in range(rng.randint(0, 5)):
            name = rng.choice(["X-Amz-Target", "Content-Type", "X-Amz-Meta-A", "x-amz-meta-a-b",
                               "My-Header", "my-header", "Content-Encoding"])
            vector["headers"].append([name, " " * rng.randint(0, 2) + word(rng, plain + "  ;=", 1, 30)])
    rng.shuffle(vector["headers"])
    return vector


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
        "vectors": [],
    }
    for number in range(COUNT):
        vector = random_vector(rng, number)
        vector["signature"] = signature(doc, vector)
        doc["vectors"].append(vector)
    lines = ",\n".join(json.dumps(v, ensure_ascii=False) for v in doc["vectors"])
    head = json.dumps({k: v for k, v in doc.items() if k != "vectors"}, indent=1)
    (HERE / "sigv4_botocore.json").write_text(
        head[:-2] + ',\n "vectors": [\n' + lines + "\n]}\n")
    print(f"{len(suite['vectors'])} published vectors agree, {COUNT} written")


if __name__ == "__main__":
    main()
