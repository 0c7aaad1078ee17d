"""The folder of this deployment: SSH key, signing key, certificates, the signed repository.

A file is written under another name and gets its own when it is whole: deploy may be killed at any
time, or run twice at once, and no key is lost or half written.
"""
from __future__ import annotations

import base64
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from .aws import Aws, AwsError, Deployment, Stop, say
from .looks import Problem

ROOT = Path(__file__).resolve().parents[2]
SIGNER = "web-node-agent packages"
PUBLIC = "RPM-GPG-KEY-web-node-agent"
CJSON = "https://github.com/DaveGamble/cJSON/archive/v1.7.19/cJSON-1.7.19.tar.gz"
SIGNING = ("gpg", "rpm", "rpmsign", "rpmkeys", "createrepo_c", "dnf", "flock")
BUILDING = ("git", "rpmbuild", "curl", "sudo")
INSTALL = ("sudo dnf install -y git rpm-build rpm-sign createrepo_c gnupg2-full "
           "'dnf-command(builddep)' --allowerasing")


def run(aws: Aws, *words: str, **environment: str) -> str:
    """A program of this machine; it changes only the folder."""
    if aws.dry:
        say("would run: " + shlex.join(words))
        return ""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          errors="replace", env={**os.environ, **environment})
    if done.returncode != 0:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        raise Stop(f"{shlex.join(words)} failed:\n{last}")
    return done.stdout


class Local:
    def __init__(self, deployment: Deployment) -> None:
        self.d = deployment
        self.aws = deployment.aws
        self.gnupg = deployment.folder / "gnupg"
        self.made = deployment.folder / "repository"
        self.packages = Path(deployment.options.packages) if deployment.options.packages else None

    @property
    def ready(self) -> bool:
        """The given folder is a finished repository."""
        return self.packages is not None and (self.packages / "repodata" / "repomd.xml.asc").exists()

    @property
    def repository(self) -> Path:
        return self.packages if self.ready and self.packages else self.made

    def _version(self) -> str:
        text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
        found = re.search(r"^project\(.* VERSION ([0-9.]+) ", text, re.M)
        return found[1] if found else "?"

    def _published(self) -> bool:
        return any(self.made.glob(f"web-node-agent-{self._version()}-*.rpm"))

    def look(self) -> list[Problem]:
        problems = []
        needs = ["ssh-keygen"]
        if self.packages is not None and not self.packages.is_dir():
            problems.append(Problem(f"--packages {self.packages}: no folder", "Name a folder"))
        elif self.ready and self.packages:
            problems += [Problem(f"{self.packages} is a repository without {name}",
                                 "Make it with packaging/repo --rds-ca FILE")
                         for name in (PUBLIC, "rds-ca.pem") if not (self.packages / name).exists()]
        elif self.packages is not None:
            needs += SIGNING
            if not any(self.packages.rglob("*.rpm")):
                problems.append(Problem(f"no package in {self.packages}", "Name a folder with *.rpm"))
        elif not self._published():
            needs += SIGNING + BUILDING
            system = Path(os.environ.get("WNA_OS_RELEASE", "/etc/os-release"))
            text = system.read_text(encoding="utf-8") if system.exists() else ""
            if not re.search(r'^ID="?amzn"?$', text, re.M):
                problems.append(Problem(
                    "packages for Amazon Linux 2023 cannot be built on this system", "Run deploy on an "
                    "instance of Amazon Linux 2023, or add --packages FOLDER with the RPMs or the repository"))
                needs = needs[:1]
        missing = [name for name in dict.fromkeys(needs) if shutil.which(name) is None]
        if missing:
            problems.append(Problem("not installed: " + ", ".join(missing), f"Amazon Linux: {INSTALL}"))
        return problems

    # SSH

    def look_key(self) -> list[Problem]:
        """EC2's key pair against the private key of the folder."""
        name, file = self.d.key_name, self.d.private_key
        pair = self._pair()
        if pair is None:
            return []
        remedy = (f"Copy the key there from the machine that made it, or delete the pair: "
                  f"aws ec2 delete-key-pair --region {self.d.region} --key-name {name}")
        if not file.exists():
            return [Problem(f"EC2 has the key pair {name}, and its private key is not in {file}", remedy)]
        public = pair.get("PublicKey", "").split()[:2]
        if public and public != self._public(file).split()[:2]:
            return [Problem(f"EC2's key pair {name} does not belong to {file}", remedy)]
        return []

    def _pair(self) -> dict[str, Any] | None:
        try:
            pairs = self.aws.read("ec2", "describe-key-pairs", "--include-public-key", "--key-names",
                                  self.d.key_name)
        except AwsError as error:
            if error.code == "InvalidKeyPair.NotFound":
                return None
            raise
        return pairs["KeyPairs"][0]

    @staticmethod
    def _public(file: Path) -> str:
        done = subprocess.run(["ssh-keygen", "-y", "-P", "", "-f", str(file)], capture_output=True,
                              stdin=subprocess.DEVNULL, text=True, check=False)
        if done.returncode != 0:
            raise Stop(f"{file}: no private key without a passphrase: {done.stderr.strip()}")
        return done.stdout

    def key_pair(self) -> None:
        """The key is made here: EC2 gets only the public half, and the private one is never sent."""
        file = self.d.private_key
        if self.aws.dry and not file.exists():
            run(self.aws, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file))
        elif not file.exists():
            say(f"SSH key: {file}")
            with tempfile.TemporaryDirectory(dir=self.d.folder) as work:
                run(self.aws, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.d.key_name,
                    "-f", f"{work}/key")
                try:
                    os.link(f"{work}/key", file)
                except FileExistsError:
                    pass  # another run has made one meanwhile, which stays
        if self._pair() is None:
            material = "(the public key)" if self.aws.dry and not file.exists() else self._public(file)
            with tempfile.NamedTemporaryFile("w", suffix=".pub") as public:
                public.write(material)
                public.flush()
                self.aws.make("ec2", "import-key-pair", "--key-name", self.d.key_name,
                              "--public-key-material", f"fileb://{public.name}")

    # Packages

    def rds_ca(self) -> Path:
        """RDS's certificates of the region; downloaded once, so that their checksum stays."""
        if self.ready:
            return self.repository / "rds-ca.pem"
        file = self.d.folder / "rds-ca.pem"
        if self.d.options.rds_ca:
            return Path(self.d.options.rds_ca)
        if file.exists():
            return file
        url = f"https://truststore.pki.rds.amazonaws.com/{self.d.region}/{self.d.region}-bundle.pem"
        say(("would read: " if self.aws.dry else "RDS's certificates: ") + url)
        if not self.aws.dry:
            data = fetch(url)
            if b"-----BEGIN CERTIFICATE-----" not in data:
                raise Stop(f"{url}: no certificate in it")
            write(file, data)
        return file

    def publish(self) -> None:
        """Builds and signs what the folder's repository does not have yet."""
        if self.ready or (self.packages is None and self._published()):
            return
        home = str(self.gnupg)
        if not self.aws.dry:
            self.gnupg.mkdir(mode=0o700, exist_ok=True)
        try:
            if self.aws.dry or not self._signers():
                say(f"signing key: {self.gnupg}")
                run(self.aws, "gpg", "--batch", "--passphrase", "", "--quick-gen-key", SIGNER, "rsa3072",
                    "sign", "never", GNUPGHOME=home)
            with tempfile.TemporaryDirectory(prefix="wna-build-") as work:
                folder = self.packages or self._build(Path(work))
                rpms = sorted(str(path) for path in folder.rglob("*.rpm"))
                say(f"repository: {len(rpms)} packages of {folder}")
                key = "SIGNING-KEY" if self.aws.dry else self._signers()[0]
                run(self.aws, str(ROOT / "packaging" / "repo"), "--key", key, "--url",
                    self.d.repository_url, "--rds-ca", str(self.rds_ca()), str(self.made), *rpms,
                    GNUPGHOME=home)
        finally:
            if not self.aws.dry:
                subprocess.run(["gpgconf", "--kill", "all"], env={**os.environ, "GNUPGHOME": home},
                               check=False, capture_output=True)

    def _signers(self) -> list[str]:
        done = subprocess.run(["gpg", "--batch", "--with-colons", "--list-secret-keys"], check=False,
                              capture_output=True, text=True,
                              env={**os.environ, "GNUPGHOME": str(self.gnupg)})
        lines = [line.split(":") for line in done.stdout.splitlines()]
        return [after[9] for before, after in zip(lines, lines[1:])
                if before[0] == "sec" and after[0] == "fpr"]

    def _build(self, work: Path) -> Path:
        """As packaging/rpm/README.md shows for an instance of Amazon Linux 2023."""
        say("packages: building, some minutes")
        archive, sources = work / "cJSON-1.7.19.tar.gz", work / "srpm"
        run(self.aws, "curl", "-fsSLo", str(archive), CJSON)
        run(self.aws, str(ROOT / "packaging" / "rpm" / "build"), "--source-only", str(sources),
            WNA_CJSON_TARBALL=str(archive))
        found = [str(path) for path in sources.glob("*.src.rpm")] or [f"{sources}/SOURCE-PACKAGE"]
        run(self.aws, "sudo", "dnf", "builddep", "-y", *found)
        run(self.aws, "rpmbuild", "--rebuild", "--define", f"_rpmdir {work}/rpms", *found)
        return work / "rpms"

    def parameters(self) -> dict[str, str]:
        """The public key and the certificates' checksum, which user-data pins."""
        key, authority = self.repository / PUBLIC, self.repository / "rds-ca.pem"
        if self.aws.dry and not (key.exists() and authority.exists()):
            return {"RepositoryKey": "KEY", "CaBundleSha256": "CHECKSUM"}
        return {"RepositoryKey": base64.b64encode(key.read_bytes()).decode(),
                "CaBundleSha256": hashlib.sha256(authority.read_bytes()).hexdigest()}


def fetch(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return bytes(answer.read())
    except OSError as error:
        raise Stop(f"{url}: {error}") from None


def write(file: Path, data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as new:
        new.write(data)
    os.replace(new.name, file)
