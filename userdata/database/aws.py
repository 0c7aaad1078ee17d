"""AWS's command line, with the instance's role."""
from __future__ import annotations

import os
import re
import subprocess

# Errors of Secrets Manager that a retry alone does not fix.
FORBIDDEN = re.compile(r"\((AccessDenied\w*|ResourceNotFoundException)\)")


class NotYet(Exception):
    """The reason why this run failed; has no secrets."""


class Refused(NotYet):
    """A failure that a retry alone does not fix."""


def run(conf: dict[str, str], *words: str) -> tuple[str, str]:
    """Output and error of a command, the error "" after a success; configuration files of root are
    ignored."""
    keep = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "AWS_CA_BUNDLE")}
    done = subprocess.run(["aws", *words, "--region", conf["WNA_REGION"]], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/",
                          timeout=60, check=False,
                          env={**keep, "AWS_CONFIG_FILE": "/dev/null",
                               "HOME": "/run/web-node-agent-database",
                               "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_PAGER": "",
                               "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "3",
                               "AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": "3"})
    told = " ".join(done.stderr.split())[-300:] or f"exit {done.returncode}"
    return done.stdout, told if done.returncode != 0 else ""


def token(conf: dict[str, str], user: str) -> str:
    """A login token of this user. Signed here, with the role's credentials."""
    found, wrong = run(conf, "rds", "generate-db-auth-token", "--username", user,
                       "--hostname", conf["WNA_DATABASE_ENDPOINT"], "--port", conf["WNA_DATABASE_PORT"])
    if wrong or not re.fullmatch(r"[!#-~]{1,8000}", found.strip()):
        raise NotYet(f"the login token cannot be made: {wrong or 'it is malformed'}")
    return found.strip()


def secret(conf: dict[str, str], *more: str) -> str:
    """The master user's secret; "" without the version that `more` asks for."""
    found, wrong = run(conf, "secretsmanager", "get-secret-value", "--secret-id", conf["WNA_SECRET_ARN"],
                       "--cli-connect-timeout", "5", "--cli-read-timeout", "10", *more)
    if "ResourceNotFoundException" in wrong and "--version-stage" in more:
        return ""
    if wrong:
        kind = Refused if FORBIDDEN.search(wrong) else NotYet
        raise kind(f"the secret cannot be read: {wrong}")
    return found
