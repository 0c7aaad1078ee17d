"""The lab's values of template parameters: those without a default, and shorter times than AWS's.
`up` prints the latter beside the template's values. Times that AWS does not let users set (alarms
of 3 and of 15 periods) are not shortened."""
from __future__ import annotations

BUCKET = "web-node-agent-lab"
REGION = "ap-northeast-2"
REPOSITORY_HOST = f"{BUCKET}.s3.{REGION}.amazonaws.com"

NEEDED = {
    "KeyName": "lab",
    "RepositoryUrl": f"https://{REPOSITORY_HOST}",
    "RepositoryBucket": BUCKET,
}

SHORTER = {
    "DeregistrationDelay": ("5", "requests here take milliseconds"),
    "InstanceWarmup": ("20", "an instance here is ready in seconds"),
    "HealthCheckGracePeriod": ("60", "an instance here is ready in seconds"),
    "MaxSize": ("3", "2 -> 3 -> 2 is what the document shows"),
}


def with_given(given: dict[str, str]) -> dict[str, str]:
    """The lab's values, overridden by the user's."""
    return {**NEEDED, **{name: value for name, (value, _) in SHORTER.items()}, **given}


def why(name: str) -> str:
    if name in NEEDED:
        return "has no default"
    return SHORTER[name][1] if name in SHORTER else "asked for"
