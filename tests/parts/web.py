"""The web tier of one node: real Apache and php-fpm. /health.html is a static
file on the local disk; the page is on the shared file system."""
from __future__ import annotations

import glob

from . import mariadb, names
from .host import Host
from .http import request
from .process import Process
from .wait import wait_until

HTTPD = """
ServerRoot /etc/apache2
ServerName localhost
Listen 0.0.0.0:80
PidFile /run/httpd.pid
DefaultRuntimeDir /run
ErrorLog /dev/stderr
User www-data
Group www-data
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_fcgi_module /usr/lib/apache2/modules/mod_proxy_fcgi.so
TypesConfig /etc/mime.types
DocumentRoot /var/www/html
StartServers 1
ThreadsPerChild 16
MaxRequestWorkers 64
<Directory /var/www/html>
  Require all granted
</Directory>
<FilesMatch \\.php$>
  SetHandler "proxy:unix:/run/php-fpm.sock|fcgi://localhost"
</FilesMatch>
"""

WORKERS = 2
FPM = """
[global]
pid = /run/php-fpm.pid
error_log = /dev/stderr
daemonize = no
process_control_timeout = 10s
[www]
user = www-data
group = www-data
listen = /run/php-fpm.sock
listen.owner = www-data
clear_env = no
"""
FPM_WORKERS = f"""
pm = static
pm.max_children = {WORKERS}
"""

# The page of the seed system: who answered, and the database's rows. The
# connection is persistent (p:), as pools are: what a failover leaves behind.
PAGE = """<?php
mysqli_report(MYSQLI_REPORT_OFF);
$facts = @parse_ini_file('/run/web-node-agent/facts.env', false, INI_SCANNER_RAW) ?: [];
echo 'instance ', $facts['WNA_INSTANCE_ID'] ?? '', ' ', $facts['WNA_PRIVATE_IPV4'] ?? '', "\\n";
$db = mysqli_init();
$db->ssl_set(NULL, NULL, '/etc/web-node-agent/ca.pem', NULL, NULL);
$db->options(MYSQLI_OPT_CONNECT_TIMEOUT, 2);
if (!@$db->real_connect('p:%s', '%s', '%s', 'practice', 3306, NULL, MYSQLI_CLIENT_SSL)) {
  http_response_code(500); echo 'database: ', mysqli_connect_error(), "\\n"; exit;
}
$rows = @$db->query('SELECT id, name, address FROM practice');
if (!$rows) { http_response_code(500); echo 'query: ', $db->error, "\\n"; exit; }
foreach ($rows as $row) echo implode(', ', $row), "\\n";
echo 'server ', $db->query('SELECT @@hostname')->fetch_row()[0], "\\n";
""" % (names.DATABASE_HOST, mariadb.PAGE_USER, mariadb.PAGE_PASSWORD)


class Web:
    def __init__(self, host: Host) -> None:
        self.host = host
        self.httpd: Process | None = None
        self.fpm: Process | None = None

    def start(self, wait: bool = True, php: bool = True, workers: str = FPM_WORKERS) -> None:
        self.host.write("/var/www/html/health.html", "ok\n")
        self.host.write("/etc/apache2/lab.conf", HTTPD)
        if php:
            self.host.write("/etc/php/lab-fpm.conf", FPM + workers)
            self.start_php()
        self.start_httpd()
        if wait:
            wait_until(self.serving, "httpd serves", 15)

    def start_php(self) -> None:
        fpm = sorted(glob.glob("/usr/sbin/php-fpm*"))[-1]
        self.fpm = self.host.spawn(fpm, "-F", "-y", "/etc/php/lab-fpm.conf", log="php-fpm")
        wait_until(lambda: self.host.path("/run/php-fpm.sock").exists(), "php-fpm listens")

    def restart_php(self) -> None:
        assert self.fpm
        self.fpm.stop()
        self.host.sh("rm -f /run/php-fpm.sock")
        self.start_php()

    def start_httpd(self) -> None:
        self.httpd = self.host.spawn("/usr/sbin/apache2", "-DFOREGROUND", "-f",
                                     "/etc/apache2/lab.conf", log="httpd")

    def stop_httpd(self) -> None:
        assert self.httpd
        self.httpd.stop()

    def serving(self) -> bool:
        return self.get("/health.html")[0] == 200

    def get(self, path: str, timeout: float = 5.0) -> tuple[int, str]:
        """Through the web server, from the node itself."""
        answer = request(self.host, "127.0.0.1", 80, path, timeout=timeout)
        return answer.status, answer.body
