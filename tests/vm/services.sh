# What systemd does for the agent elsewhere: each process as its unit runs it (its user, its
# folders), started again when it ends. Sourced by lib.sh and instance; bash.
# shellcheck shell=bash

LIBEXEC=/usr/libexec/web-node-agent
RUN=/run/web-node-agent
STATE=/var/lib/web-node-agent

# service_loop ROLE USER: until it is off (77) or TERM ends both.
service_loop() {
	local role=$1 user=$2 leaving=no pid='' rc options=()
	if [ "$role" = core ]; then options=(--listen 0.0.0.0:8099); fi
	trap 'leaving=yes; kill -TERM $pid' TERM
	while [ $leaving = no ]; do
		setpriv --reuid "$user" --regid "$user" --groups wna \
			"$LIBEXEC/wna-$role" "${options[@]}" < /dev/null &
		pid=$!
		if [ $leaving = yes ]; then kill -TERM $pid; fi
		rc=0
		wait $pid || rc=$?
		# The trap has ended the wait, not the process.
		while kill -0 $pid 2> /dev/null; do
			rc=0
			wait $pid || rc=$?
		done
		if [ $rc = 77 ]; then return; fi
		read -r -t 0.1 -u "$PAUSE" || true
	done
}
exec {PAUSE}<> <(:)

# services_start LOG ROLE...: with what /etc/web-node-agent says now.
services_start() {
	local log=$1 role user
	shift
	if [ ! -d $RUN ]; then
		# The core opens the hub itself.
		install -d -g wna -m 0775 $RUN
		mkdir -p $STATE
	fi
	if [ ! -e $RUN/config ] || [ /etc/web-node-agent/agent.conf -nt $RUN/config ]; then
		wnactl load >> "$log" 2>&1 || return 1
	fi
	for role in "$@"; do
		user=wna-$role
		case $role in core) user=wna ;; mount) user=root ;; esac
		if [ ! -d $RUN/"$role" ]; then
			install -d -o "$user" "$RUN/$role" "$STATE/$role"
		fi
		(
			if [ -d $CGROUP ]; then echo $BASHPID > $CGROUP/cgroup.procs; fi
			service_loop "$role" "$user"
		) >> "$log" 2>&1 &
		LOOPS[$role]=$!
		disown
	done
}

# All of them, and what they have started; instances, which end as a whole, have none. A mount
# helper and its proxy outlive the agent, hence they are told apart by their names.
CGROUP=/sys/fs/cgroup/agent
declare -A LOOPS

# services_find [ROLE]: sets PIDS to those that live, loops included. In the shell alone,
# since a process is dear in User-mode Linux.
services_find() {
	local pid name own
	read -r own < /proc/$$/comm
	PIDS=''
	if [ ! -e $CGROUP/cgroup.procs ]; then return; fi
	while read -r pid; do
		{ read -r name < /proc/"$pid"/comm; } 2> /dev/null || continue
		case $name in
		"wna-${1:-}"*) PIDS+=" $pid" ;;
		"$own" | setpriv) if [ $# = 0 ]; then PIDS+=" $pid"; fi ;;
		esac
	done < $CGROUP/cgroup.procs
}
services_gone() { services_find && [ -z "$PIDS" ]; }

# services_kill: all at once, and nothing is started again.
services_kill() {
	while services_find && [ -n "$PIDS" ]; do
		# shellcheck disable=SC2086 # several words
		kill -9 $PIDS 2> /dev/null
		read -r -t 0.02 -u "$PAUSE" || true
	done
}

# services_stop: in good order.
services_stop() {
	kill -TERM "${LOOPS[@]}"
}

# service_pid ROLE: sets PID to that of its process; to nothing while it is being started.
service_pid() {
	local pid parent
	PID=
	services_find "$1"
	# The keeper's attempts have its name for a while.
	for pid in $PIDS; do
		{ read -r _ _ _ parent _ < /proc/"$pid"/stat; } 2> /dev/null || continue
		# shellcheck disable=SC2034 # the scenarios use it
		if [ "$parent" = "${LOOPS[$1]}" ]; then PID=$pid; fi
	done
}
