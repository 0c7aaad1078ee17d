# A mount that hangs behind its proxy, and the keeper that repairs it: real NFS, real stunnel. Each
# scenario ends with the question whether a program that wrote and synced all the time lost anything.
# Those with the shortest limits come last, when the other machines have ended.
# shellcheck shell=bash disable=SC2154,SC2086

SERVING=2 SLOW=3 # enum service_state
REPAIRS=2               # enum service_more

# writer: five records a second, each synced; /run/writer has those that came back.
writer() {
	rm -f /run/writer /run/writer.errors
	python3 - $EFS/records /run/writer /run/writer.errors << 'PYTHON' &
import os, sys, time
to = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
with open(sys.argv[2], "w", buffering=1) as done, open(sys.argv[3], "w", buffering=1) as errors:
    for number in range(100000):
        try:
            os.write(to, f"{number}\n".encode())
            os.fsync(to)
            done.write(f"{number}\n")
        except OSError as error:
            errors.write(f"{number} {error}\n")
        time.sleep(0.2)
PYTHON
	WRITER=$!
	disown
	# With an open file the kernel would keep the old connection for the next scenario's mount.
	trap 'kill $WRITER $LOAD 2> /dev/null' EXIT
	within 10 "the writer does not write" [ -s /run/writer ]
}
written() { tail -n 1 /run/writer; }
writes_on() { [ "$(written)" -gt "$1" ]; } # NUMBER

# writer_ends: fails the scenario if it had an error, or if the server does not have all its records.
writer_ends() {
	kill $WRITER
	sync $EFS/records
	expect "errors: $(head -n 3 /run/writer.errors)" [ ! -s /run/writer.errors ]
	expect "records were lost" cmp -s <(seq 0 "$(written)") <(head -n $(($(written) + 1)) /srv/srv/records)
}

# The answer is long for a shell on a machine that is busy.
service() { status_fact mount-service 10; }
service_is() { service && [ "$VALUE" = "$1" ]; }
service_says() { service && [[ $WHY == "$1" ]]; }
repairs() { service && echo "${MORE[REPAIRS]}"; }
service_repairs() { service && [ "${MORE[REPAIRS]}" = "$1" ]; }

LOAD=''

# guard: an agent with a mount through the proxy, and a writer.
guard() {
	helper
	efs region=ap-northeast-2 probe_interval=5s probe_timeout=4s max_age=10s
	agent_start core cloud mount
	within 60 "the mount does not serve" service_is $SERVING
	writer
}

# heals SECONDS: the writer goes on within so many seconds from now; says how long it took.
heals() {
	local start=${EPOCHREALTIME/./} number
	number=$(($(written) + 1)) # one may be under way
	within $1 "nothing is written for more than $1 s" writes_on $number
	echo "serves again after $(((${EPOCHREALTIME/./} - start) / 1000)) ms"
	within 10 "it serves, but is not reported so" service_is $SERVING
}

keeper_anew() {
	services_kill
	agent_start core cloud mount
	within 60 "the mount is not adopted" service_is $SERVING
}

# Without a proxy there is nothing to repair, but the cause is told.
guard_plain() {
	plain
	agent_start core cloud mount
	within 60 "the mount does not serve" service_is $SERVING
	silence
	within 40 "the target is not found silent" service_says "the mount target accepts no connection"
	unsilence
	within 30 "it does not serve again" service_is $SERVING
	expect "a repair" [ "$(repairs)" = 0 ]
}
scenario guard-plain

# Calls take many seconds, but there are replies.
guard_slow() {
	guard
	local i end slow=no
	# Both ways: requests and replies.
	tc qdisc add dev v-srv root netem rate 2mbit limit 10000
	for i in 1 2 3 4; do
		dd if=/dev/zero of=$EFS/load-$i bs=1M count=20 oflag=direct 2> /dev/null &
		LOAD+=" $!"
	done
	end=$((EPOCHSECONDS + 30))
	while [ $EPOCHSECONDS -lt $end ]; do
		if service_is $SLOW; then slow=yes; fi
		nap
	done
	expect "a repair under load" [ "$(repairs)" = 0 ]
	expect "it was not slow" [ $slow = yes ]
	tc qdisc del dev v-srv root
	within 20 "it does not serve again" service_is $SERVING
	expect "a repair after it" [ "$(repairs)" = 0 ]
	writer_ends
}
scenario guard-slow

# Only the present connection of the proxy to the server is silent.
silence_connection() {
	local port
	port=$(ss -Htn state established "dst = $SERVER and dport = :2050" | sed -E 's/.*:([0-9]+) +[0-9.]+:2050.*/\1/')
	ip netns exec srv iptables-legacy -A INPUT -i eth0 -p tcp --sport "$port" -j DROP
	: > /run/silenced
}

guard_stuck() {
	guard
	watchdog_start
	silence_connection
	heals 15
	expect "one repair" [ "$(repairs)" = 1 ]
	[[ $TEXT == *"stuck connection: answers"* ]] || die "another reason: $TEXT"
	# A frozen proxy, and nobody else who would start a new one.
	watchdog_stop
	# The limit of repairs is of one keeper.
	keeper_anew
	kill -STOP "$(tunnel_pids)"
	heals 15
	service
	[[ $TEXT == *"frozen proxy: answers"* ]] || die "another reason: $TEXT"
	writer_ends
}
scenario guard-stuck

# other_target: a second mount target of the file system.
ELSEWHERE=10.99.0.4
other_target() {
	[ ! -e /run/server2.conf ] || return 0
	ip -n srv addr add $ELSEWHERE/24 dev eth0
	sed "s/$SERVER:2050/$ELSEWHERE:2050/; s|/run/server.pid|/run/server2.pid|" /run/server.conf > /run/server2.conf
	ip netns exec srv setsid stunnel /run/server2.conf > /dev/null 2>&1 &
}

# The own mount target is silent; another one, in another zone, answers.
guard_away() {
	local other=$ELSEWHERE file
	other_target
	echo "$other ap-northeast-2c.$NAME" >> /etc/hosts
	guard
	ip netns exec srv iptables-legacy -A INPUT -i eth0 -d $SERVER -j DROP
	: > /run/silenced
	heals 45
	service
	[[ $TEXT == *"silent mount target: answers"* ]] || die "another reason: $TEXT"
	expect "not by the other target" [ -n "$(ss -Htn state established "dst = $other")" ]
	file=$(state_file)
	expect "the next proxy would not go home" grep -q "^connect = $NAME:2050$" \
		"${file%/*}/stunnel-config.${file##*/}"
	sed -i /ap-northeast-2c/d /etc/hosts
	writer_ends
}
scenario guard-away

# target_moves: the name leads to the second target, and the first is silent for ever.
target_moves() {
	sed "s/^$SERVER $NAME/$ELSEWHERE $NAME/" /etc/hosts > /run/hosts
	mount --bind /run/hosts /etc/hosts # clean_up ends it
	ip netns exec srv iptables-legacy -A INPUT -i eth0 -d $SERVER -j DROP
	: > /run/silenced
}

guard_moved() {
	other_target
	guard
	target_moves
	heals 15
	expect "not by the new target" [ -n "$(ss -Htn state established "dst = $ELSEWHERE")" ]
	expect "one repair" [ "$(repairs)" = 1 ]
	writer_ends
}
scenario guard-moved

guard_silent() {
	guard
	local end
	silence
	within 40 "the target is not found silent" service_says "the mount target accepts no connection"
	end=$((EPOCHSECONDS + 15))
	while [ $EPOCHSECONDS -lt $end ]; do
		refuse "/healthz moves: $BODY" code_is /healthz 503
		nap
	done
	expect "a repair while the target is silent" [ "$(repairs)" = 0 ]
	unsilence
	heals 5
	writer_ends
}
scenario guard-silent

# The files of a proxy that serves are deleted, as by the watchdog after a short unmount.
guard_files() {
	local file
	guard
	file=$(state_file)
	rm -rf /run/efs/*
	within 10 "the files are not put back" [ -e "$file" ]
	expect "the mount is still right" fact_is mount $RIGHT
	rm -rf /run/efs/*
	kill -9 "$(tunnel_pids)"
	heals 5
	expect "one repair" [ "$(repairs)" = 1 ]
	expect "others can read the copies" [ "$(stat -c %a /run/web-node-agent/mount/proxy)" = 700 ]
	writer_ends
}
scenario guard-files

guard_dead() {
	local number
	guard
	kill -9 "$(tunnel_pids)"
	heals 5
	expect "one repair" [ "$(repairs)" = 1 ]
	expect "one proxy" [ "$(tunnel_pids | wc -l)" = 1 ]
	expect "its process is in the state file" grep -q "\"pid\":$(tunnel_pids)[,}]" "$(state_file)"
	keeper_anew
	expect "the proxy ended with the keeper" [ "$(tunnel_pids | wc -l)" = 1 ]
	# What `wnactl mount repair` does, while all is well.
	number=$(written)
	service_pid mount
	kill -USR1 $PID
	within 10 "no repair on request" service_repairs 1
	within 10 "it does not serve again" service_is $SERVING
	[[ $TEXT == *"asked for: answers"* ]] || die "another reason: $TEXT"
	within 10 "nothing is written" writes_on $((number + 2))
	writer_ends
}
scenario guard-dead
