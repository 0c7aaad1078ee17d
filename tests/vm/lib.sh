# What the scenarios are written in. Sourced by guest; bash.
# shellcheck shell=bash disable=SC2154,SC2034,SC2086

FS=fs-0123456789abcdef0
NAME=$FS.efs.ap-northeast-2.amazonaws.com
SERVER=10.99.0.2    # the mount target; also the far end of the tunnel
OTHER=10.99.0.3     # another file server
EFS=/var/www/html/efs
CONF=/etc/web-node-agent/agent.conf
# shellcheck source=tests/vm/services.sh
. "$wna_here/services.sh"

# --- results ---------------------------------------------------------------

die() {
	echo "$*" > /run/why
	exit 1
}

# expect WHAT COMMAND...: fails the scenario unless the command succeeds.
expect() {
	local what=$1
	shift
	"$@" || die "$what"
}

# refuse WHAT COMMAND...: fails the scenario if the command succeeds.
refuse() {
	local what=$1
	shift
	if "$@"; then die "$what"; fi
}

# nap: a fifth of a second without a process, which is dear in User-mode Linux.
exec {NAP}<> <(:)
nap() { read -r -t 0.2 -u "$NAP" || true; }

# within SECONDS WHAT COMMAND...: waits for the command to succeed.
within() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000)) what=$2
	shift 2
	until "$@"; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || die "$what"
		nap
	done
}

# scenario NAME: runs the function of that name, dashes for underscores, in a
# subshell, and writes its line, if it is one of those that this machine is to run.
scenario() {
	local name=$1 start=${EPOCHREALTIME/./} rc
	case ,$wna_only, in *,"$name",*) ;; *) return ;; esac
	echo "=== $name"
	rm -f /run/why
	("${name//-/_}")
	rc=$?
	printf -v took '%d.%d s' $(((${EPOCHREALTIME/./} - start) / 1000000)) \
		$(((${EPOCHREALTIME/./} - start) / 100000 % 10))
	if [ $rc = 0 ]; then
		echo "PASS $name ($took)" >> "$RESULTS"
	else
		echo "FAIL $name: $(tr '\n' ' ' < /run/why 2> /dev/null) ($took)" >> "$RESULTS"
		echo "--- $name failed"
		cat /run/why
		get /status
		echo "$BODY"
		grep -E 'nfs|efs' /proc/self/mountinfo
	fi 2> /dev/null
	clean_up
}

# --- two file servers, each in a network namespace of its own ---------------

server_start() { # NETNS ADDRESS
	ip netns add "$1"
	ip link add "v-$1" type veth peer name eth0 netns "$1"
	ip link set "v-$1" master br0 up
	ip -n "$1" addr add "$2/24" dev eth0
	ip -n "$1" link set eth0 up
	ip -n "$1" link set lo up
	mkdir -p "/srv/$1"
	mount -t tmpfs tmpfs "/srv/$1"
	mkdir -p "/srv/$1/data" "/srv/$1/other"
	chmod 1777 "/srv/$1" "/srv/$1"/*
	# ip netns exec brings a private mount namespace, and this its own state.
	ip netns exec "$1" bash -e -c "
		mount -t tmpfs tmpfs /var/lib/nfs
		mkdir -p /var/lib/nfs/v4recovery /run/rpcbind
		touch /var/lib/nfs/etab /var/lib/nfs/rmtab /var/lib/nfs/xtab
		mount -t nfsd nfsd /proc/fs/nfsd
		echo 1048576 > /proc/fs/nfsd/max_block_size
		echo 10 > /proc/fs/nfsd/nfsv4leasetime
		echo 10 > /proc/fs/nfsd/nfsv4gracetime
		# Without client tracking the server makes every open wait for its grace.
		mkdir -p /var/lib/nfs/rpc_pipefs
		mount -t rpc_pipefs rpc_pipefs /var/lib/nfs/rpc_pipefs
		nfsdcld -p /var/lib/nfs/rpc_pipefs
		rpc.mountd -N 2 -N 3
		exportfs -o rw,fsid=0,insecure,no_subtree_check,no_root_squash '*:/srv/$1'
		rpc.nfsd -N 3 2"
}

servers_start() {
	ip link add br0 type bridge
	ip addr add 10.99.0.1/24 dev br0
	ip link set br0 up
	echo "$SERVER $NAME" >> /etc/hosts
	echo "$OTHER other.example" >> /etc/hosts
	server_start srv $SERVER
	server_start srv2 $OTHER
	# A second node: a network and a host name of its own, or the server would
	# take the two for one client that restarted.
	ip netns add node2
	ip link add v-node2 type veth peer name eth0 netns node2
	ip link set v-node2 master br0 up
	ip -n node2 addr add 10.99.0.9/24 dev eth0
	ip -n node2 link set eth0 up
	mkdir -p /mnt/node2
}

# silence [CLIENT...]: drops all that reaches the server, or all from these
# addresses: nobody says so, the client just waits. (The kernel has no nftables of IP.)
silence() {
	local from=()
	if [ $# -gt 0 ]; then from=(-s "$(IFS=,; echo "$*")"); fi
	ip netns exec srv iptables-legacy -A INPUT -i eth0 "${from[@]}" -j DROP
	: > /run/silenced
}

unsilence() {
	if [ -e /run/silenced ]; then
		ip netns exec srv iptables-legacy -F INPUT
		rm /run/silenced
	fi
}

# --- the agent ---------------------------------------------------------------

# conf KEY=VALUE...: the [mount] section, with short times.
conf() {
	local pair
	{
		echo '[agent]'
		echo 'log_level = debug'
		echo '[health]'
		echo 'listen = 0.0.0.0:8099'
		echo '[metrics]'
		echo 'enabled = no'
		echo '[mount]'
		echo 'enabled = yes'
		for pair in path=$EFS timeout=15s probe_interval=1s probe_timeout=1s max_age=2500ms \
			retry_min=500ms retry_max=1s; do
			[[ " $*" == *" ${pair%%=*}="* ]] || echo "$pair"
		done
		printf '%s\n' "$@"
	} > $CONF
}

plain() { # KEY=VALUE...: the plain NFS configuration and more
	conf type=nfs4 tls=no file_system=$FS region=ap-northeast-2 "$@"
}

agent_start() { # [ROLE...]: all that have work here, or these
	local roles=("$@")
	if [ $# = 0 ]; then roles=(core cloud mount); fi
	services_start $OUT/agent.log "${roles[@]}" || die "the configuration is refused"
}
agent_stop() {
	services_stop
	within 15 "the agent does not stop" services_gone
}

# watchdog_start [SPEED]: the stand-in of efs-utils' watchdog, until the end of the scenario.
watchdog_start() {
	# The keeper knows it by its name.
	cp "$wna_here/watchdog" /sbin/amazon-efs-mount-watchdog
	setsid /sbin/amazon-efs-mount-watchdog "${1:-1}" < /dev/null >> $OUT/watchdog.log 2>&1 &
	echo $! > /run/watchdog.pid
}
watchdog_stop() {
	if [ -e /run/watchdog.pid ]; then
		kill "$(< /run/watchdog.pid)"
		rm /run/watchdog.pid
	fi
}

# keeper: the core and the keeper start anew, as on a node that has just booted.
keeper() {
	services_kill
	if [ $CONF -nt $RUN/config ]; then rm -f $RUN/config; fi
	agent_start core mount
}

# get PATH [SECONDS]: sets CODE and BODY; an answer has two seconds, or so many. By the shell alone: /readyz has to be asked often.
get() {
	local answer
	CODE=none BODY=
	{ exec {HTTP}<> /dev/tcp/127.0.0.1/8099; } 2> /dev/null || return 1
	printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$1" >&"$HTTP"
	# Up to a number of characters it is read in pieces, else in single bytes.
	IFS= read -r -t "${2:-2}" -N 262144 -u "$HTTP" answer
	exec {HTTP}>&-
	if [[ $answer == HTTP/* ]]; then
		CODE=${answer:9:3}
		BODY=${answer#*$'\r\n\r\n'}
	fi
}

# status_fact NAME [SECONDS]: sets VALUE, MORE, TEXT and WHY from /status.
status_fact() {
	VALUE='' MORE=() TEXT='' WHY=''
	get /status "${2:-2}" || return 1
	[[ $BODY =~ \"$1\":\{\"value\":(-?[0-9]+),\"more\":\[([-0-9,]*)\],\"text\":\"([^\"]*)\",\"why\":\"([^\"]*)\" ]] ||
		return 1
	VALUE=${BASH_REMATCH[1]} TEXT=${BASH_REMATCH[3]} WHY=${BASH_REMATCH[4]}
	IFS=, read -ra MORE <<< "${BASH_REMATCH[2]}"
}
fact_is() { status_fact "$1" && [ "$VALUE" = "$2" ]; }
fact_says() { status_fact "$1" && [[ $WHY =~ $2 ]]; }

ABSENT=0 RIGHT=1 WRONG=2 UNVERIFIED=3 # enum mount_state
SIGN=0 DUE=3                          # enum mount_more

# mount_is STATE [PATTERN]: the keeper comes to say so, with a reason that matches.
mount_is() {
	local end=$((${EPOCHREALTIME/./} + 40000000)) # to end a helper takes up to 14 s
	until fact_is mount "$1" && [[ $WHY =~ ${2:-} ]]; do
		[ "${EPOCHREALTIME/./}" -lt $end ] ||
			die "mount is ${VALUE:-unknown}, not $1${2:+ $2}: $WHY"
		nap
	done
}

# sign_is VALUE: what the last probe says: "yes" for any time that it took, or -errno.
sign_is() {
	status_fact mount || return 1
	if [ "$1" = yes ]; then [ "${MORE[SIGN]}" -gt 0 ]; else [ "${MORE[SIGN]}" = "$1" ]; fi
}
sign_comes() { within 20 "the probe's result does not become $1" sign_is "$1"; }

guard_is() { fact_is mount-guard "$1" && [[ $WHY =~ ${2:-} ]]; }

# The node's metadata: the lab's stand-in, at the true address, which leads nowhere in
# this machine. So /readyz has nothing but the mount to complain of.
metadata_start() {
	ip addr add 169.254.169.254/32 dev lo
	export PYTHONPATH=$wna_here/.. PYTHONDONTWRITEBYTECODE=1
	python3 -m parts.imds_server /run/imds.sock 169.254.169.254 > $OUT/imds.log 2>&1 &
	metadata_region ap-northeast-2
}
metadata_region() {
	python3 - "$1" << 'PYTHON'
import sys
from pathlib import Path
from parts import control, imds, names
values = imds.instance(1, "10.99.0.1", "ap-northeast-2a")
control.ask(Path("/run/imds.sock"), {
    "op": "set",
    "values": {key: value.replace(f'"{names.REGION}"', f'"{sys.argv[1]}"')
               if key.endswith("/document")
               else sys.argv[1] if key.endswith("/placement/region") else value
               for key, value in values.items()}})
PYTHON
}

# What mountinfo says of the path: TOP_ID, TOP_DEVICE, TOP_TYPE, TOP_SOURCE,
# TOP_OPTIONS (of the last one on it) and TOP_COUNT.
look() {
	local id device path rest
	TOP_ID='' TOP_COUNT=0
	while read -r id _ device _ path rest; do
		[ "$path" = $EFS ] || continue
		TOP_ID=$id TOP_DEVICE=$device TOP_COUNT=$((TOP_COUNT + 1))
		read -r TOP_TYPE TOP_SOURCE TOP_OPTIONS <<< "${rest#* - }"
	done < /proc/self/mountinfo
}
top_id() { look && echo "$TOP_ID"; }
top_source() { look && echo "$TOP_SOURCE"; }
count_mounts() { look && echo $TOP_COUNT; }

# After each scenario: nothing mounted, nothing running, nothing dropped.
clean_up() {
	local pid
	unsilence
	services_kill
	for pid in $(pgrep -x 'mount.efs'; pgrep -x 'mount.nfs4'); do kill -9 "$pid"; done
	while look && [ $TOP_COUNT -gt 0 ]; do
		umount -f -l $EFS || break
	done
	umount /etc/hosts 2> /dev/null
	watchdog_stop
	if [ -e /run/efs ]; then tunnels_stop; fi
	# The next one's node has just booted.
	rm -rf /run/efs /sbin/mount.efs "${RUN:?}"/{config,hub,*/*}
}
