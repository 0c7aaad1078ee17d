"""Whether a signed request is allowed, and the message of a refusal: by the caller's own policies
and by the policy of the VPC endpoint. Pure.

Sources: VPC User Guide, "Control access to VPC endpoints using endpoint policies" (it "does not
override or replace identity-based policies": both must allow); IAM User Guide, "Troubleshoot
access denied error messages" (the messages)."""
from __future__ import annotations

import datetime
from typing import Iterable

from lab.model.policy import Context, Statement, allows

IDENTITY, ENDPOINT = "identity-based", "VPC endpoint"


SIGNED_AT = "%Y%m%dT%H%M%SZ"
PATIENCE = datetime.timedelta(minutes=5)


def out_of_time(signed: str, now: datetime.datetime) -> str:
    """The message if the signature is more than five minutes old or early, else "" (IAM User
    Guide, "Signature Version 4 for API requests"). `signed`: X-Amz-Date."""
    try:
        at = datetime.datetime.strptime(signed, SIGNED_AT).replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return "Date must be in ISO-8601 'basic format'"
    if abs(now - at) <= PATIENCE:
        return ""
    kind, word = ("expired", "earlier") if at < now else ("not yet current", "later")
    return f"Signature {kind}: {signed} is now {word} than {now.strftime(SIGNED_AT)}"


def refusal(own: Iterable[Statement], endpoint: Iterable[Statement] | None, caller: str,
            action: str, resource: str, context: Context) -> str:
    """The message; empty if the request is allowed. `own`: the caller's statements; `endpoint`:
    the endpoint's; None without an endpoint, or with the default policy, which allows
    everything."""
    for kind, article, statements in ((IDENTITY, "an", own), (ENDPOINT, "a", endpoint)):
        if statements is None:
            continue
        said = list(statements)
        if not allows(said, action, resource, context):
            what = action if resource == "*" else f"{action} on resource: {resource}"
            why = f"with an explicit deny in {article} {kind} policy" \
                if _denies(said, action, resource, context) \
                else f"because no {kind} policy allows the {action} action"
            return f"User: {caller} is not authorized to perform: {what} {why}"
    return ""


def _denies(statements: list[Statement], action: str, resource: str, context: Context) -> bool:
    """Whether one of the statements denies the request."""
    turned = [{**s, "Effect": "Allow"} for s in statements if s["Effect"] == "Deny"]
    return allows(turned, action, resource, context)
