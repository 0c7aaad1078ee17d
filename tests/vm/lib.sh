# What the scenarios are written in. Sourced by guest; bash.
# shellcheck shell=bash disable=SC2154,SC2034,SC2086

FS=fs-0123456789abcdef0
NAME=$FS.efs.ap-northeast-2.amazonaws.com
SERVER=10.99.0.2    # the mount target; also the far end of the tunnel
OTHER=10.99.0.3     # another file server
EFS=/var/www/html/efs
LIBEXEC=/usr/libexec/web-node-agent
CONF=/etc/web-node-agent/agent.conf

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

# nap: a tenth of a second without a process, which is dear in an emulated machine.
exec {NAP}<> <(:)
nap() { read -r -t 0.1 -u "$NAP" || true; }

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
# subshell, and writes its line. With names on the command line only those.
scenario() {
	local name=$1 start=${EPOCHREALTIME/./} rc
	case ,$wna_only, in ,, | *,"$name",*) ;; *) return ;; esac
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
		cat /run/why /run/facts
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
# addresses: nobody says so, the client just waits.
silence() {
	local from=
	if [ $# -gt 0 ]; then from="ip saddr { $(IFS=,; echo "$*") }"; fi
	: > /run/silenced
	ip netns exec srv nft -f - << END
table inet silence {
	chain input { type filter hook input priority 0; iifname eth0 $from drop; }
}
END
}

unsilence() {
	if [ -e /run/silenced ]; then
		ip netns exec srv nft delete table inet silence
		rm /run/silenced
	fi
}

# --- the workers by themselves ----------------------------------------------

# conf KEY=VALUE...: the [mount] section, with short times.
conf() {
	{
		echo '[agent]'
		echo 'log_level = debug'
		echo '[mount]'
		echo 'enabled = yes'
		[[ " $*" == *" path="* ]] || echo "path = $EFS"
		printf '%s\n' "$@"
	} > $CONF
}

plain() { # KEY=VALUE...: the plain NFS configuration and more
	conf type=nfs4 tls=no file_system=$FS region=ap-northeast-2 "$@"
}

# worker [-t MS] NAME: runs it; its facts can be asked by value, text and why.
declare -A VALUES TEXTS WHYS
worker() {
	local limit=() line rest
	if [ "$1" = -t ]; then limit=(-t "$2"); shift 2; fi
	"$wna_vm/play_wnad" "${limit[@]}" $CONF "$LIBEXEC/$1" 0 > /run/facts 2>> $OUT/workers.log
	VALUES=() TEXTS=() WHYS=()
	while read -r line; do
		echo "$1: $line"
		[[ $line == "fact "* ]] || continue
		read -r _ name rest <<< "$line"
		VALUES[$name]=${rest%%|*} rest=${rest#*|}
		TEXTS[$name]=${rest%%|*} WHYS[$name]=${rest#*|}
	done < /run/facts
}
value() { echo "${VALUES[$1]:-}"; }
why() { echo "${WHYS[$1]:-}"; }

RIGHT=1 MISSING=2 WRONG=3 UNVERIFIED=4 # enum mount_state

# mount_is STATE [PATTERN]: wna-mount says so, and its reason matches.
mount_is() {
	[ "${VALUES[mount]:-}" = "$1" ] || die "mount is ${VALUES[mount]:-}, not $1: ${WHYS[mount]:-}"
	[ $# = 1 ] || [[ ${WHYS[mount]} =~ $2 ]] || die "reason: ${WHYS[mount]}, not $2"
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
	unsilence
	if declare -F agent_kill > /dev/null; then agent_kill; fi
	while look && [ $TOP_COUNT -gt 0 ]; do
		umount -f -l $EFS || break
	done
	umount /etc/hosts 2> /dev/null
	if [ -e /run/efs ]; then tunnels_stop; fi
	# The next one's node has just booted: nobody's last verdict is there to go on from.
	rm -rf /run/efs /sbin/mount.efs /run/web-node-agent/lock
}
