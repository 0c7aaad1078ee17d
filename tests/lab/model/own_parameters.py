"""The lab's values of template parameters: those without a default, those that switch parts of the
template on, and shorter times than AWS's. `up` prints the values that differ from the template's.
Times that AWS does not let users set (alarms of 3 and of 15 periods) are not shortened."""
from __future__ import annotations

BUCKET = "web-node-agent-lab"
REGION = "ap-northeast-2"
ADMIN = "198.51.100.7"  # the administrator's address (network/internet.py)
REPOSITORY_HOST = f"{BUCKET}.s3.{REGION}.amazonaws.com"
SIGNAL_HOST = f"cloudformation-waitcondition-{REGION}.s3.{REGION}.amazonaws.com"

NEEDED = {
    "KeyName": "lab",
    "AdminCidr": f"{ADMIN}/32",
    "RepositoryUrl": f"https://{REPOSITORY_HOST}",
    "RepositoryBucket": BUCKET,
}

# Placeholders: each lab has its own key and authority (world.py).
PINNED = {
    "RepositoryKey": "LS0tLS1CRUdJTiBQR1AgUFVCTElDIEtFWSBCTE9DSy0tLS0tCg==",
    "CaBundleSha256": "0" * 64,
}

CHOSEN = {
    "S3ThroughNat": ("true", "the tests prove the document's rules, too"),
    "PageWrites": ("true", "the tests add rows"),
}

SHORTER = {
    "DeregistrationDelay": ("5", "requests here take milliseconds"),
    "InstanceWarmup": ("20", "an instance here is ready in seconds"),
    "HealthCheckGracePeriod": ("60", "an instance here is ready in seconds"),
    "MaxSize": ("3", "2 -> 3 -> 2 is what the document shows"),
}


def with_given(given: dict[str, str]) -> dict[str, str]:
    """The lab's values, overridden by the user's."""
    own = {name: value for name, (value, _) in {**CHOSEN, **SHORTER}.items()}
    return {**NEEDED, **PINNED, **own, **given}


def why(name: str) -> str:
    if name in NEEDED:
        return "has no default"
    return {**CHOSEN, **SHORTER}.get(name, ("", "asked for"))[1]
