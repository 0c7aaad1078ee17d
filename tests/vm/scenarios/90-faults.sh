# The table of faults: each with the agent and without it, by the same steps. A measurement without
# bars (60-guard.sh has them); only on demand, since most faults last for ever without the agent:
#
#	[FAULTS=dead,stuck] tests/vm/run BUILD_DIR STAGE_DIR faults-with faults-without
#
# The lines are in out/faults/table: fault, with or without, seconds until a record is written again.
# A writer with fsync runs all the time. Without the agent the mount is that of mount.efs alone, and
# the stand-in of efs-utils' watchdog runs but for "dead", as with the agent.
# shellcheck shell=bash disable=SC2154,SC2086

LONGEST_S=150
: "${wna_faults:=dead,stuck,frozen,away,moved,silent,lazy}"
COLUMN=''

# ready: a mount through the proxy, and a writer.
ready() {
	if [ $COLUMN = with ]; then
		guard
		return
	fi
	helper
	mkdir -p $EFS
	/sbin/mount.efs $FS:/ $EFS -o tls,region=ap-northeast-2 > /dev/null 2>&1 || die "no mount"
	writer
}

# revive NUMBER: the writer goes on, or the kernel would share its connection with the next mount.
revive() {
	local file
	watchdog_stop
	unsilence
	umount /etc/hosts 2> /dev/null
	tunnels_stop
	for file in /run/efs/stunnel-config.*[0-9]; do setsid stunnel "$file" > /dev/null 2>&1 & done
	within 120 "the writer does not go on" writes_on $1
}

# measured FAULT: waits until the writer goes on.
measured() {
	local start=${EPOCHREALTIME/./} number took end=$((EPOCHSECONDS + LONGEST_S))
	number=$(($(written) + 1)) # one may be under way
	until writes_on $number; do
		if [ $EPOCHSECONDS -ge $end ]; then
			echo "$1 $COLUMN more than $LONGEST_S s" >> $OUT/table
			revive $number
			return
		fi
		nap
	done
	took=$(((${EPOCHREALTIME/./} - start) / 100000))
	[ ! -s /run/writer.errors ] || echo "$1 $COLUMN errors: $(head -n 1 /run/writer.errors)" >> $OUT/table
	echo "$1 $COLUMN $((took / 10)).$((took % 10))" >> $OUT/table
}

fault_dead() {
	ready
	kill -9 "$(tunnel_pids)"
	measured dead
}

fault_stuck() {
	ready
	watchdog_start
	silence_connection
	measured stuck
}

fault_frozen() {
	ready
	watchdog_start
	kill -STOP "$(tunnel_pids)"
	measured frozen
}

fault_away() {
	other_target
	echo "10.99.0.4 ap-northeast-2c.$NAME" >> /etc/hosts
	ready
	watchdog_start
	ip netns exec srv iptables-legacy -A INPUT -i eth0 -d $SERVER -j DROP
	: > /run/silenced
	measured away
	sed -i /ap-northeast-2c/d /etc/hosts
}

fault_moved() {
	other_target
	ready
	watchdog_start
	target_moves
	measured moved
}

# After three minutes in which all targets are silent.
fault_silent() {
	local end=$((EPOCHSECONDS + 180))
	ready
	watchdog_start
	silence
	while [ $EPOCHSECONDS -lt $end ]; do nap; done
	unsilence
	measured silent
}

# umount -l while the writer writes, and then the operator's next mount. The old proxy's files are
# marked 30 s later, and it is ended after 30 s more; is anything written after that?
fault_lazy() {
	ready
	watchdog_start
	sleep 31 # younger mounts are not counted
	umount -l $EFS
	if [ $COLUMN = without ]; then
		sleep 8
		/sbin/mount.efs $FS:/ $EFS -o tls,region=ap-northeast-2 > /dev/null 2>&1 || die "no mount"
	fi
	sleep 90
	measured lazy
}

faults() {
	COLUMN=$1
	local fault
	for fault in ${wna_faults//,/ }; do
		echo "--- $fault $COLUMN"
		(fault_$fault) || echo "$fault $COLUMN failed: $(cat /run/why)" >> $OUT/table
		clean_up
	done
}

faults_with() { faults with; }
faults_without() { faults without; }
scenario faults-with
scenario faults-without
