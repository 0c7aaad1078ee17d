"""AWS's command line, and the deployment that all steps share."""
from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .template import Template

ONE_REGION = {"freetier": "us-east-1"}  # services with one endpoint
POLL_S = float(os.environ.get("WNA_DEPLOY_POLL_S", "10"))
# Of the newest call and option that deploy uses: freetier get-account-plan-state.
NEEDS = "2.27.50 or newer (of version 1: 1.41.4)"
TOO_OLD = re.compile(r"invalid choice|Unknown options|Unknown parameter in", re.I)
ERROR = re.compile(r"An error occurred \(([^)]+)\) when calling the \w+ operation[^:]*: (.*)", re.S)


def say(text: str = "") -> None:
    print(text, flush=True)


class AwsError(Exception):
    """AWS's command line failed. `code` is AWS's error code, empty if it gave none."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}" if code else message)
        self.code = code


class Stop(Exception):
    """The reason for the end, and the next command."""


class Aws:
    """`dry`: calls that change something are printed, not made."""

    def __init__(self, region: str, dry: bool) -> None:
        self.region = region
        self.dry = dry

    def read(self, *words: str) -> Any:
        """A call that changes nothing: also made in a dry run."""
        if self.dry:
            say("reads:     " + shlex.join(("aws", *words)))
        return self._run(words)

    def make(self, *words: str) -> Any:
        """A call that changes something."""
        if self.dry:
            say("would run: " + shlex.join(("aws", *words)))
            return {}
        return self._run(words)

    def later(self, *words: str) -> None:
        """Dry run only: a read that needs what a real run has made."""
        say("would read: " + shlex.join(("aws", *words)))

    def _run(self, words: tuple[str, ...]) -> Any:
        region = ONE_REGION.get(words[0], self.region)
        command = ("aws", *words, "--region", region, "--output", "json")
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False,
                                  text=True, errors="replace", env={**os.environ, "AWS_PAGER": ""})
        except FileNotFoundError:
            raise Stop("the program aws is not installed: docs.aws.amazon.com/cli") from None
        if done.returncode != 0:
            text = done.stderr.strip()
            found = ERROR.search(text)
            if found:
                raise AwsError(found[1], f"{' '.join(found[2].split())} (aws {' '.join(words[:2])})")
            if TOO_OLD.search(text):
                raise AwsError("", f"AWS's command line is too old for \"aws {' '.join(words[:2])}\": "
                               f"install {NEEDS}")
            said = " ".join(text.split())[:300] or f"ended with {done.returncode}"
            raise AwsError("", f"aws {' '.join(words[:2])}: {said}")
        text = done.stdout.strip()
        return json.loads(text) if text[:1] in ("{", "[") else {}


class Deployment:
    """What the command line and the account say about this deployment."""

    def __init__(self, options: Any, aws: Aws, account: str, partition: str) -> None:
        self.aws = aws
        self.options = options
        self.account = account
        self.partition = partition
        self.region = aws.region
        self.stack = options.stack
        self.template = Template(Path(options.template))
        self.key_name = f"web-node-agent-{self.stack}"
        self.bucket = options.bucket or f"wna-{self.stack}-{account}-{self.region}".lower()
        home = Path(options.folder).expanduser()
        self.folder = home / f"{account}-{self.region}-{self.stack}"
        self.private_key = self.folder / f"{self.stack}.pem"
        self.started = time.monotonic()

    def took(self) -> str:
        seconds = int(time.monotonic() - self.started)
        return f"{seconds // 60} min {seconds % 60} s" if seconds >= 60 else f"{seconds} s"

    @property
    def repository_url(self) -> str:
        suffix = "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"
        return f"https://{self.bucket}.s3.{self.region}.{suffix}/al2023"

    def again(self, verb: str = "up", *more: str) -> str:
        """The command line that repeats this one, with another verb or more options."""
        words = ["userdata/deploy", verb, "--stack", self.stack, "--region", self.region]
        given, makes = self.options, verb in ("up", "image")
        for name, value in sorted(given.settings.items()):
            words += ["--set", f"{name}={value}"] if makes else []
        for option in ("admin_cidr", "packages") if makes else ():
            if getattr(given, option):
                words += ["--" + option.replace("_", "-"), getattr(given, option)]
        if given.bucket:
            words += ["--bucket", given.bucket]
        if given.folder != given.default_folder:
            words += ["--folder", given.folder]
        return shlex.join((*words, *more))


def warn(text: str) -> None:
    print(f"deploy: {text}", file=sys.stderr, flush=True)
