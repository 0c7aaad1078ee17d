#!/usr/bin/python3
"""Stand-ins for Amazon Linux 2023's packages, for the lab's instances and the boot test's machine.
They are RPMs with the same names, which dnf resolves, downloads and installs. They are SHIMS, as
each package's description says: the programs and libraries are Debian's, in the image; an RPM has
only the names, sonames, configuration and units that user-data and the agent need. Different from
Amazon Linux: users (www-data), versions, defaults.

    twins.py ROOT OUT      ROOT: the image; writes a yum repository to OUT, and adds to ROOT's rpm
                           database the package for the contents of Amazon Linux's image
"""
from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]

HTTPD_CONF = """
# As /etc/httpd/conf/httpd.conf of Amazon Linux, with Debian's modules.
ServerRoot /etc/httpd
ServerName localhost
Listen 80
PidFile /run/httpd/httpd.pid
DefaultRuntimeDir /run/httpd
ErrorLog /var/log/httpd/error_log
User www-data
Group www-data
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_fcgi_module /usr/lib/apache2/modules/mod_proxy_fcgi.so
TypesConfig /etc/mime.types
DocumentRoot /var/www/html
DirectoryIndex index.html
StartServers 1
ThreadsPerChild 32
MaxRequestWorkers 128
<Directory />
  Require all denied
</Directory>
<Directory /var/www/html>
  Require all granted
</Directory>
IncludeOptional conf.d/*.conf
"""

# Amazon Linux's pool, but with a constant number of processes.
PHP_CONF = """
DirectoryIndex index.php
<FilesMatch \\.(php|phar)$>
  SetHandler "proxy:unix:/run/php-fpm/www.sock|fcgi://localhost"
</FilesMatch>
"""
FPM_CONF = """
include=/etc/php-fpm.d/*.conf
[global]
pid = /run/php-fpm/php-fpm.pid
error_log = /var/log/php-fpm/error.log
daemonize = no
"""
FPM_POOL = """
[www]
user = www-data
group = www-data
listen = /run/php-fpm/www.sock
listen.owner = www-data
listen.mode = 0660
pm = static
pm.max_children = 4
catch_workers_output = yes
"""

HTTPD_UNIT = """
[Unit]
Description=The Apache HTTP Server (the lab's unit, after Amazon Linux's)
Wants=php-fpm.service
After=network.target php-fpm.service

[Service]
Type=simple
RuntimeDirectory=httpd
LogsDirectory=httpd
ExecStart=/usr/sbin/apache2 -DFOREGROUND -f /etc/httpd/conf/httpd.conf
ExecReload=/bin/kill -USR1 $MAINPID
# Graceful: what is being served is served to its end.
KillSignal=SIGWINCH
KillMode=mixed
TimeoutStopSec=10

[Install]
WantedBy=multi-user.target
"""
FPM_UNIT = """
[Unit]
Description=The PHP FastCGI Process Manager (the lab's unit, after Amazon Linux's)
After=network.target

[Service]
Type=notify
RuntimeDirectory=php-fpm
LogsDirectory=php-fpm
ExecStart={fpm} --nodaemonize --fpm-config /etc/php-fpm.conf
ExecReload=/bin/kill -USR2 $MAINPID
TimeoutStopSec=15

[Install]
WantedBy=multi-user.target
"""

UNITS = "/usr/lib/systemd/system"

# The files of each package. amazon-efs-utils also has the mount helper of tests/vm.
TWINS: dict[str, dict[str, str]] = {
    "httpd": {"/etc/httpd/conf/httpd.conf": HTTPD_CONF, f"{UNITS}/httpd.service": HTTPD_UNIT},
    "php8.4-fpm": {"/etc/php-fpm.conf": FPM_CONF, "/etc/php-fpm.d/www.conf": FPM_POOL,
                   "/etc/httpd/conf.d/php.conf": PHP_CONF, f"{UNITS}/php-fpm.service": FPM_UNIT},
    "php8.4-cli": {}, "php8.4-mysqlnd": {}, "nftables": {}, "awscli-2": {}, "amazon-efs-utils": {},
}


# Libraries in Amazon Linux 2023's standard image: packaging/rpm/al2023-packages.txt.
BASE_LIBRARIES = ("libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "libcurl.so.4", "libcrypto.so.3",
                  "libssl.so.3", "libmount.so.1", "libseccomp.so.2", "libsqlite3.so.0",
                  "libblkid.so.1", "libselinux.so.1", "libcares.so.2")
# Libraries that dnf installs, by package.
LIBRARIES = {"libevent": ("libevent_core-2.1.so.7", "libevent_extra-2.1.so.7"),
             "cjson": ("libcjson.so.1",),
             "mariadb-connector-c": ("libmariadb.so.3",)}
BASE_PROVIDES = ("/bin/sh", "/bin/bash", "/usr/bin/bash", "/usr/bin/sh", "/usr/bin/python3", "systemd",
                 "shadow-utils", "rtld(GNU_HASH)", "curl-minimal", "python3", "bash", "coreutils",
                 "glibc", "e2fsprogs", "util-linux", "selinux-policy-targeted")

STANDIN = """# Settings of the mount helper's stand-in.
d /run/standin 0755 root root -
f /run/standin/ca 0644 root root - /etc/ssl/efs-ca.pem
f /run/standin/tls_port 0644 root root - 2049
f /run/standin/patience 0644 root root - 30
d /var/run/efs 0750 root root -
"""


@dataclass
class Package:
    name: str
    provides: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)  # path → source file on the machine
    modes: dict[str, str] = field(default_factory=dict)
    post: str = ""


def library(root: Path, name: str) -> Path:
    found = [p for p in glob.glob(f"{root}/usr/lib/x86_64-linux-gnu/{name}")
             + glob.glob(f"{root}/lib/x86_64-linux-gnu/{name}")]
    if not found:
        raise SystemExit(f"twins: {root} has no {name}")
    return Path(found[0])


def sonames(root: Path, names: tuple[str, ...]) -> list[str]:
    """The capabilities that rpm derives from these libraries."""
    listed = "".join(f"{os.path.realpath(library(root, name))}\n" for name in names)
    done = subprocess.run(["/usr/lib/rpm/elfdeps", "--provides"], input=listed, check=True,
                          capture_output=True, text=True)
    return sorted(set(done.stdout.split()))


def packages(root: Path, texts: Path) -> list[Package]:
    found = [Package("amazon-linux-image", [*BASE_PROVIDES, *sonames(root, BASE_LIBRARIES)])]
    found += [Package(name, sonames(root, names)) for name, names in LIBRARIES.items()]
    fpm = max(glob.glob(f"{root}/usr/sbin/php-fpm*")).removeprefix(str(root))
    for name, files in TWINS.items():
        made = Package(name)
        for number, (path, text) in enumerate(sorted(files.items())):
            place = texts / f"{name}.{number}"
            place.write_text(text.lstrip("\n").replace("{fpm}", fpm))
            made.files[path] = str(place)
        found.append(made)
    helper = next(p for p in found if p.name == "amazon-efs-utils")
    (texts / "standin.conf").write_text(STANDIN)
    helper.files = {"/usr/sbin/mount.efs": str(TESTS / "vm" / "mount.efs"),
                    "/usr/lib/tmpfiles.d/standin.conf": str(texts / "standin.conf")}
    helper.modes = {"/usr/sbin/mount.efs": "0755"}
    helper.post = "systemd-tmpfiles --create /usr/lib/tmpfiles.d/standin.conf"
    return found


def spec(made: list[Package]) -> str:
    lines = ["Name: amazon-linux-twins", "Version: 1", "Release: 1", "License: Apache-2.0",
             "Summary: Shims of the tests", "BuildArch: noarch", "",
             "%description", "Shims of web-node-agent's tests.", "", "%install"]
    for package in made:
        for path, source in package.files.items():
            mode = package.modes.get(path, "0644")
            lines.append(f"install -D -m {mode} {source} %{{buildroot}}{path}")
    for package in made:
        lines += ["", f"%package -n {package.name}",
                  f"Summary: A shim: stands for Amazon Linux 2023's {package.name}",
                  *(f"Provides: {name}" for name in package.provides),
                  f"%description -n {package.name}",
                  "A shim of web-node-agent's tests: the programs are Debian's, in the image.",
                  f"%files -n {package.name}", *package.files]
        if package.post:
            lines += [f"%post -n {package.name}", package.post]
    return "\n".join(lines) + "\n"


def main() -> None:
    root, out = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    work = out.with_name(out.name + ".work")
    for folder in (out, work):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    text = spec(packages(root, work))
    (work / "twins.spec").write_text(text)
    subprocess.run(["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {work}",
                    "--define", f"_rpmdir {out}", "--define", "_build_id_links none",
                    "--dbpath", str(work / "db"), str(work / "twins.spec")], check=True)
    image = next(out.rglob("amazon-linux-image-*.rpm"))
    database = ["--root", str(root), "--dbpath", "/var/lib/rpm"]
    subprocess.run(["rpm", *database, "--initdb"], check=True)
    subprocess.run(["rpm", *database, "--install", "--replacepkgs", "--nosignature", "--nodeps",
                    str(image)], check=True)
    image.unlink()
    subprocess.run(["createrepo_c", "--quiet", str(out)], check=True)
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
