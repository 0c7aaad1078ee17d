# The limits of the installed units, kept by the kernel's control groups: in a machine of its own, under
# systemd. This shell and what it starts have an OOM score adjustment of -1000: they are not chosen.
# shellcheck shell=bash disable=SC2154,SC2086

group_of() { echo "/sys/fs/cgroup/system.slice/web-node-agent-$1.service"; } # ROLE
unit_is() { systemctl show --value -p $2 web-node-agent-$1.service; } # ROLE PROPERTY
main_pid() { unit_is $1 MainPID; }
resident_kb() { awk '$1 == "VmRSS:" { print $2 }' /proc/$1/status; } # PID

# in_unit ROLE COMMAND...: as a process of that service, but as root, which no LimitNPROC= limits.
in_unit() {
	bash -c 'echo $$ > "$0/cgroup.procs"; echo "$1" > /proc/self/oom_score_adj; exec "${@:2}"' \
		"$(group_of $1)" "$(< "/proc/$(main_pid $1)/oom_score_adj")" "${@:2}"
}

# Arguments FILE: starts processes until the kernel refuses one, at most 100, and writes how many.
STORM='
import os, signal, sys
started = 0
try:
    while started < 100:
        if os.fork() == 0:
            signal.pause()
        started += 1
except BlockingIOError:
    pass
with open(sys.argv[1] + ".new", "w") as file:
    print(started, file=file)
os.rename(file.name, sys.argv[1])
signal.pause()'

# Argument MB: fills that much memory.
EAT='
import sys
kept = []
while len(kept) < int(sys.argv[1]) * 16:
    kept.append(b"x" * (1 << 16))
print(len(kept) // 16, "MB filled")'

clean_up() { systemctl stop web-node-agent.service; }

agent_up() {
	printf '%s\n' '[check file]' 'type = file' 'path = /etc/hosts' > $CONF
	systemctl start web-node-agent.service
	within 20 "no healthy answer" healthy
}
healthy() { get /healthz 5 && [ "$CODE" = 200 ]; }

# asking COMMAND...: /healthz is 200 all the time that the command takes.
asking() {
	local asker rc=0
	: > /run/asked
	while :; do
		get /healthz 5
		echo "$CODE" >> /run/asked
		nap
	done &
	asker=$!
	"$@" || rc=$?
	kill $asker
	wait $asker 2> /dev/null
	echo "/healthz, answers meanwhile: $(sort /run/asked | uniq -c | tr -s ' \n' ' ')"
	expect "/healthz was not asked" [ -s /run/asked ]
	refuse "/healthz was not 200 all the time" grep -qvx 200 /run/asked
	return $rc
}

storm_over() { ! kill -0 $1 2> /dev/null; } # PID
processes_are() { [ "$(< "$(group_of $1)/pids.current")" = $2 ]; } # ROLE NUMBER

storm_in() { # ROLE TASKS-MAX
	local before started storm
	before=$(< "$(group_of $1)/pids.current")
	rm -f /run/stormed
	in_unit $1 python3 -c "$STORM" /run/stormed &
	storm=$!
	within 20 "the storm in $1 does not end" [ -e /run/stormed ]
	started=$(< /run/stormed)
	expect "$1: $before processes, the storm, and the $started that it started: not $2" \
		[ $((before + 1 + started)) = $2 ]
	refuse "$1: the kernel counts no refusal" grep -qx 'max 0' "$(group_of $1)/pids.events"
	systemctl restart web-node-agent-$1.service
	within 10 "the storm outlives a restart of $1" storm_over $storm
	within 10 "not $before processes in $1 after its restart" processes_are $1 $before
}

limits_tasks() {
	agent_up
	asking storm_in check 4
	asking storm_in core 2
	# A service without a limit of its own.
	rm -f /run/stormed
	systemd-run -q --unit=storm python3 -c "$STORM" /run/stormed
	within 20 "the storm outside does not end" [ -e /run/stormed ]
	expect "100 processes outside" [ "$(< /run/stormed)" = 100 ]
	systemctl kill --signal=KILL storm
}
scenario limits-tasks

restarted() { [ "$(unit_is $1 NRestarts)" = 1 ] && [ "$(unit_is $1 SubState)" = running ]; } # ROLE
fill_in() { # ROLE MB
	refuse "$1 may fill $2 MB" in_unit $1 python3 -c "$EAT" $2
	within 20 "systemd does not start $1 again" restarted $1
}

limits_memory() {
	agent_up
	local core cloud
	core=$(main_pid core) cloud=$(main_pid cloud)
	expect "150 MB can be filled outside" python3 -c "$EAT" 150
	asking fill_in check 150
	expect "systemd says why" grep -q "Failed with result 'oom-kill'" \
		<(journalctl -b -u web-node-agent-check.service)
	expect "the other services run on" [ "$(main_pid core) $(main_pid cloud)" = "$core $cloud" ]
}
scenario limits-memory

score() { cat "/proc/$1/oom_score"; } # PID: by which the kernel chooses what it ends when memory is short

limits_oom() {
	agent_up
	local core small
	core=$(main_pid core)
	systemd-run -q --unit=small -p Type=exec sleep infinity
	small=$(systemctl show --value -p MainPID small)
	echo "core: $(resident_kb $core) kB, score $(score $core);" \
		"another service: $(resident_kb $small) kB, score $(score $small)"
	expect "the core is not the larger one, which the kernel would end first" \
		[ "$(resident_kb $core)" -gt "$(resident_kb $small)" ]
	expect "the kernel would end the core before a service without an OOMScoreAdjust=" \
		[ "$(score $core)" -lt "$(score $small)" ]
	expect "the kernel would end the core before the checks" \
		[ "$(score $core)" -lt "$(score "$(main_pid check)")" ]
	systemctl stop small
}
scenario limits-oom
