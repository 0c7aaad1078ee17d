"""What stands in an instance for Amazon Linux's packages: Debian's, which the machine has, under
the names, paths and units of Amazon Linux 2023, so that user-data and the agent meet what they
would there. Real: the programs. Not as there: their users (www-data), versions, defaults."""
from __future__ import annotations

import glob
from dataclasses import dataclass, field

HTTPD_CONF = """
# As /etc/httpd/conf/httpd.conf of Amazon Linux, with Debian's modules.
ServerRoot /etc/httpd
ServerName localhost
Listen 80
PidFile /run/httpd/httpd.pid
DefaultRuntimeDir /run/httpd
ErrorLog /dev/stderr
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

# With a pool as Amazon Linux's www.conf has it, but for a number of processes that does not
# change under load.
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
error_log = /dev/stderr
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
ExecStart={fpm} --nodaemonize --fpm-config /etc/php-fpm.conf
ExecReload=/bin/kill -USR2 $MAINPID
TimeoutStopSec=15

[Install]
WantedBy=multi-user.target
"""


@dataclass
class Twin:
    """`there`: a pattern of what shows that the machine has it; `debian`: what to install if
    not; `files`: what installing it leaves."""

    there: str
    debian: str
    files: dict[str, str] = field(default_factory=dict)

    def found(self) -> str:
        return next(iter(sorted(glob.glob(self.there), reverse=True)), "")

    def content(self, text: str) -> str:
        return text.lstrip("\n").replace("{fpm}", self.found())


UNITS = "/usr/lib/systemd/system"

TWINS = {
    "httpd": Twin("/usr/sbin/apache2", "apache2", {
        "/etc/httpd/conf/httpd.conf": HTTPD_CONF, f"{UNITS}/httpd.service": HTTPD_UNIT}),
    "php8.4-fpm": Twin("/usr/sbin/php-fpm*", "php-fpm", {
        "/etc/php-fpm.conf": FPM_CONF, "/etc/php-fpm.d/www.conf": FPM_POOL,
        "/etc/httpd/conf.d/php.conf": PHP_CONF, f"{UNITS}/php-fpm.service": FPM_UNIT}),
    "php8.4-cli": Twin("/usr/bin/php", "php-cli"),
    "php8.4-mysqlnd": Twin("/usr/lib/php/*/mysqli.so", "php-mysql"),
    "nftables": Twin("/usr/sbin/nft", "nftables"),
    "awscli-2": Twin("/usr/bin/aws", "awscli"),
    # Its mount helper has no twin: the lab mounts by the agent's own libmount.
    "amazon-efs-utils": Twin("/usr/bin/sshfs", "sshfs"),
}
