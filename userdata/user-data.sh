#!/bin/bash
# User-data of a web server as a shell script, for launch templates without cloud-config and, run as
# root, for manual setup. The script may run again: it writes the same files and restarts nothing. New
# values take effect with `systemctl reload web-node-agent httpd php-fpm`, a new health check port with
# `systemctl daemon-reload` and a stop and start of web-node-agent. tests/setup/make_user_data generates
# this file from user-data.yaml: edit that file.
#
# The values of the stack; fill them in:
#   CloudFormation  Fn::Sub accepts the whole script: a dollar with braces appears nowhere else
#   Terraform       replace() for each value; templatefile() cannot read all of the names
#   by hand         write the values between the quotes, a quote as '\''
# A value is a single line. ReadyUrl is "none" without CloudFormation.
# shellcheck disable=SC2016,SC2034 # the variables are used by name
RepositoryUrl='${RepositoryUrl}'
HealthCheckPort='${HealthCheckPort}'
FileSystem='${FileSystem}'
Database_Endpoint_Address='${Database.Endpoint.Address}'
Database_Endpoint_Port='${Database.Endpoint.Port}'
MetricNamespace='${MetricNamespace}'
MetricName='${MetricName}'
AWS_Region='${AWS::Region}'
Database_MasterUserSecret_SecretArn='${Database.MasterUserSecret.SecretArn}'
DatabaseName='${DatabaseName}'
PageWrites='${PageWrites}'
DatabaseAuth='${DatabaseAuth}'
ReadyUrl='${ReadyUrl}'
LifecycleHooks='${LifecycleHooks}'
RepositoryKey='${RepositoryKey}'
CaBundleSha256='${CaBundleSha256}'
names='RepositoryUrl HealthCheckPort FileSystem Database_Endpoint_Address Database_Endpoint_Port MetricNamespace MetricName AWS_Region Database_MasterUserSecret_SecretArn DatabaseName PageWrites DatabaseAuth ReadyUrl LifecycleHooks RepositoryKey CaBundleSha256'

set -euo pipefail
umask 022
export LC_ALL=C

die() {
	echo "user-data.sh: $*" >&2
	exit 1
}

check() {
	local name
	[ "$(id -u)" = 0 ] || die "this has to be run by root"
	for name in $names; do
		local -n value=$name
		case $value in
		'') die "$name is empty: a value was expected at the top of this script" ;;
		'$''{'*'}') die "$name is not filled in: a value was expected at the top of this script" ;;
		*$'\n'*) die "$name has more than one line" ;;
		esac
	done
}

# Replaces @NAME@ by the value. awk reads the values from the environment, which keeps them literally.
# A @NAME@ inside of a value is not replaced.
fill() (
	# shellcheck disable=SC2086,SC2163 # a list of names
	export names $names
	awk '{
		done = ""
		rest = $0
		while (match(rest, /@[A-Za-z0-9_]+@/)) {
			name = substr(rest, RSTART + 1, RLENGTH - 2)
			if (index(" " ENVIRON["names"] " ", " " name " ")) {
				done = done substr(rest, 1, RSTART - 1) ENVIRON[name]
				rest = substr(rest, RSTART + RLENGTH)
			} else {
				done = done substr(rest, 1, RSTART)
				rest = substr(rest, RSTART + 1)
			}
		}
		print done rest
	}'
)

# put PATH MODE: writes standard input, filled in, to the file, atomically.
new=
trap 'rm -f -- "$new"' EXIT
put() {
	local folder
	folder=$(dirname "$1")
	mkdir -p "$folder"
	new=$(mktemp "$folder/.user-data.XXXXXX")
	fill > "$new"
	chmod "$2" "$new"
	mv -fT "$new" "$1"
	new=
	# As cloud-init does on systems with SELinux.
	! command -v restorecon > /dev/null || restorecon "$1" || :
}

check

put '/etc/yum.repos.d/web-node-agent.repo' 0644 << 'END-OF-FILE'
[web-node-agent]
name=web-node-agent
baseurl=@RepositoryUrl@
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-web-node-agent
gpgcheck=1
repo_gpgcheck=1
timeout=10
retries=3
END-OF-FILE

put '/etc/web-node-agent/agent.conf.d/10-stack.conf' 0644 << 'END-OF-FILE'
[health]
listen = 0.0.0.0:@HealthCheckPort@
# Two of the load balancer's checks must also fail: 7 to 13 s in all.
[check web]
interval = 1s
timeout = 1s
fall = 2
# By web-node-agent-database.service; without it the page shows only errors.
[check credentials]
type = file
path = /etc/web-node-agent/page.ini
[mount]
enabled = yes
file_system = @FileSystem@
iam = yes
# The same service sets the login.
[database]
enabled = yes
endpoint = @Database_Endpoint_Address@
port = @Database_Endpoint_Port@
tls_ca = /etc/web-node-agent/rds-ca.pem
password_file = /etc/web-node-agent/db.password
[metrics]
namespace = @MetricNamespace@
name = @MetricName@
END-OF-FILE

# The same value as health.listen.
put '/etc/systemd/system/web-node-agent-health.socket.d/10-stack.conf' 0644 << 'END-OF-FILE'
[Socket]
ListenStream=
ListenStream=0.0.0.0:@HealthCheckPort@
END-OF-FILE

put '/etc/web-node-agent/stack.env' 0644 << 'END-OF-FILE'
WNA_REGION=@AWS_Region@
WNA_SECRET_ARN=@Database_MasterUserSecret_SecretArn@
WNA_DATABASE_ENDPOINT=@Database_Endpoint_Address@
WNA_DATABASE_PORT=@Database_Endpoint_Port@
WNA_DATABASE_NAME=@DatabaseName@
WNA_DATABASE_CA=/etc/web-node-agent/rds-ca.pem
WNA_PAGE_WRITES=@PageWrites@
WNA_DATABASE_AUTH=@DatabaseAuth@
END-OF-FILE

# For the agent's check of the web server; not on EFS.
put '/var/www/html/health.html' 0644 << 'END-OF-FILE'
ok
END-OF-FILE

put '/etc/httpd/conf.d/web-node.conf' 0644 << 'END-OF-FILE'
RedirectMatch 302 "^/$" "/efs/"
# Longer than the load balancer's 60 s: httpd must not close first.
KeepAliveTimeout 75
END-OF-FILE

# Read after www.conf. Each child has a database session; the smallest database allows about 60.
# Its end closes those of former login tokens. The timeouts, by default a day and a minute, end a
# request whose database has died silently, and an attempt to connect.
put '/etc/php-fpm.d/zz-web-node.conf' 0644 << 'END-OF-FILE'
[www]
php_value[mysqlnd.net_read_timeout] = 30
php_value[default_socket_timeout] = 5
pm.max_children = 10
pm.start_servers = 4
pm.min_spare_servers = 2
pm.max_spare_servers = 10
pm.max_requests = 500
END-OF-FILE

put '/usr/local/sbin/web-node-setup' 0755 << 'END-OF-FILE'
#!/bin/sh
# Run once by cloud-init's last stage. The output is in /var/log/cloud-init-output.log and
# on the console (EC2: "Get system log").
set -u
said='web-node-setup has not begun'
say() { said=$*; echo "web-node-setup: $*"; }
last_words() {
  code=$? why=$said
  wnactl status || :
  if [ "$code" = 0 ]; then say "ready"; tell SUCCESS ready; else
    say "NOT READY ($code); see above, and journalctl -u 'web-node-agent*'"
    tell FAILURE "$why ($code)"
  fi
}
# Tells CloudFormation, which listens only while it creates the stack.
tell() {
  url='@ReadyUrl@'
  case $url in https:*) ;; *) return ;; esac
  printf '{"Status": "%s", "UniqueId": "%s", "Reason": "%s", "Data": "ready"}' "$1" \
    "$(cat /proc/sys/kernel/random/boot_id)" "$(uname -n): $2" |
    curl -fsS -m 60 --retry 3 -X PUT -H Content-Type: --data-binary @- "$url" ||
    say "CloudFormation does not listen"
}
trap last_words EXIT
if [ '@LifecycleHooks@' = true ]; then
  printf '[lifecycle]\nlaunch_hook = web-node-launch\nterminate_hook = web-node-terminate\n' \
    > /etc/web-node-agent/agent.conf.d/20-lifecycle.conf
fi
# Retries for 6 hours, with a back-off of 5 s to 10 minutes with jitter: another installer
# may have locked the rpm database, or the repository may not be reachable yet.
try() {
  pause=5 end=$(($(date +%s) + 21600))
  until "$@"; do
    [ "$(date +%s)" -lt "$end" ] || { say "gave up: $*"; exit 75; }
    rest=$((pause / 2 + $(od -An -N2 -tu2 /dev/urandom) % pause))
    say "again in $rest s: $*"
    sleep "$rest"
    pause=$((pause * 2))
    [ "$pause" -le 400 ] || pause=400
  done
}
# Key and checksum are parameters of the stack: a writer of the bucket cannot replace them.
key=/etc/pki/rpm-gpg/RPM-GPG-KEY-web-node-agent
mkdir -p /etc/pki/rpm-gpg
echo '@RepositoryKey@' | base64 -d > $key || { say "RepositoryKey is not base64"; exit 65; }
ca=/etc/web-node-agent/rds-ca.pem
right() { echo '@CaBundleSha256@' " $1" | sha256sum -c --status 2> /dev/null; }
# A baked image has all of it (WebImage): then nothing is downloaded.
packages='web-node-agent httpd php8.4-fpm php8.4-cli php8.4-mysqlnd nftables awscli-2
  amazon-efs-utils'
rpm -q --quiet $packages ||
  try dnf -y -q --setopt=exit_on_lock=True install $packages
right $ca || {
  try curl -fsS -m 60 -o $ca.new @RepositoryUrl@/rds-ca.pem
  right $ca.new || { say "rds-ca.pem is not the bundle of CaBundleSha256; not used"; exit 65; }
  mv $ca.new $ca
}
systemctl daemon-reload
# The guard first: the web server must never reach the metadata.
systemctl enable --now web-node-agent-guard.service || { say "no guard"; exit 1; }
# --no-block: no unit delays the boot or another unit.
systemctl enable --now --no-block php-fpm.service httpd.service web-node-agent.service \
  web-node-agent-database.service web-node-agent-database.path \
  web-node-agent-database.timer
say "the agent is waited for"
wnactl wait --for ready --timeout 15m
END-OF-FILE

'/usr/local/sbin/web-node-setup'
