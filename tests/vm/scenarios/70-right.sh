# What attempts leave, and whose proxy serves: with a stand-in of efs-utils' watchdog, and without.
# shellcheck shell=bash disable=SC2154,SC2086

port() { look && [[ $TOP_OPTIONS =~ ,port=([0-9]+) ]] && PORT=${BASH_REMATCH[1]}; }
# The names of the state files, "~" included.
states() { (cd /run/efs && compgen -G "*$FS.var.www.html.efs.*[0-9]" | grep -v stunnel); }
proxies() { tunnel_pids | wc -l; }
one_proxy() { [ "$(proxies)" = 1 ] && [ "$(states)" = "$FS.var.www.html.efs.$PORT" ]; }
nothing_left() { [ "$(proxies)" = 0 ] && [ -z "$(ls /run/efs)" ]; }
calls() { [ "$(wc -l < /run/standin/calls)" = "$1" ]; }
serves() { timeout -s KILL 2 touch $EFS/served && timeout -s KILL 2 stat -f $EFS > /dev/null; }

# umount -l while a file is open: the kernel shares the old connection with the new mount. The old
# proxy is marked before that, and would be ended 10 s later, the watchdog's grace here.
right_after_lazy_unmount() {
	helper
	watchdog_start 3
	efs timeout=30s
	keeper
	mount_is $RIGHT
	port
	local old=$PORT end
	echo opened > $EFS/held
	exec 9< $EFS/held
	within 15 "too young for the watchdog" older 11
	echo 9 > /run/standin/delay
	umount -l $EFS
	within 15 "never marked" grep -q "$old: no mount; marked" $OUT/watchdog.log
	mount_is $RIGHT
	port
	expect "the kernel shares the old connection" [ "$PORT" = "$old" ]
	refuse "still marked" grep -q unmount_time "/run/efs/$FS.var.www.html.efs.$old"
	within 10 "the useless proxy stays" one_proxy
	# Longer than the grace.
	end=$((EPOCHSECONDS + 15))
	while [ $EPOCHSECONDS -lt $end ]; do
		expect "it serves" serves
		expect "one proxy" one_proxy
		sleep 1
	done
	expect "the open file as well" grep -q opened /proc/self/fd/9
	expect "it is still called right" fact_is mount $RIGHT
	exec 9<&-
}
older() { # SECONDS: than that is the mount, for the watchdog
	local at
	at=$(sed 's/.*"mount_time": \([0-9]*\).*/\1/' "$(state_file)")
	[ $((EPOCHSECONDS - at)) -gt "$1" ]
}
scenario right-after-lazy-unmount

# A server that is silent from the start: attempts of the helper's limits 1 s, 1 s and none.
right_after_silence() {
	helper normal 1
	watchdog_start 3
	efs timeout=6s
	silence
	keeper
	local end=$((EPOCHSECONDS + 30)) most=0 count
	while [ $EPOCHSECONDS -lt $end ]; do
		count=$(proxies)
		if [ $count -gt $most ]; then most=$count; fi
		nap
	done
	fact_says mount "ended, since its limit is 6.0 s: Mount attempt 1/3 failed" || die "why: $WHY"
	count=$(wc -l < /run/standin/calls)
	expect "several attempts: $count" [ $count -ge 3 ]
	# One of this attempt; one of the last, which the watchdog ends within its second.
	expect "not $most proxies at a time" [ $most -le 2 ]
	unsilence
	mount_is $RIGHT
	port
	within 10 "more than the one of the mount" one_proxy
	expect "it serves" serves
	expect "and the mount is right" fact_is mount $RIGHT
}
scenario right-after-silence

# A server that refuses at once, again and again.
right_after_refusals() {
	helper
	watchdog_start
	efs export=/nowhere
	keeper
	mount_is $ABSENT "^mount.nfs4: .*No such file or directory$"
	within 30 "few attempts" tried 6
	mkdir /srv/srv/nowhere
	mount_is $RIGHT
	port
	within 10 "more than the one of the mount" one_proxy
	rmdir /srv/srv/nowhere
}
tried() { [ "$(wc -l < /run/standin/calls)" -ge "$1" ]; }
scenario right-after-refusals

# Without a watchdog the keeper ends the proxies; and the agent is stopped within an attempt.
right_without_watchdog() {
	helper normal 1
	efs timeout=4s retry_min=1m retry_max=1m
	silence
	keeper
	mount_is $ABSENT "ended, since its limit is 4.0 s"
	expect "its proxy" [ "$(proxies)" = 1 ]
	within 20 "it stays" nothing_left
	agent_stop
	agent_start core mount
	within 10 "no second attempt" calls 2
	within 10 "no proxy" tunnel_pids > /dev/null
	agent_stop
	expect "finished" [ -z "$(compgen -G '/run/efs/~*')" ]
	unsilence
	efs timeout=30s
	agent_start core mount
	mount_is $RIGHT
	port
	within 20 "more than the one of the mount" one_proxy
}
scenario right-without-watchdog

# mount.efs of an operator, whose fstab line may be at work while the agent starts.
right_by_others() {
	helper
	echo 8 > /run/standin/delay
	efs timeout=30s
	setsid /sbin/mount.efs $FS:/ $EFS -o tls,_netdev < /dev/null > $OUT/others.log 2>&1 &
	within 10 "it has no state file" compgen -G "/run/efs/~$FS*"
	keeper
	mount_is $ABSENT "mount.efs of another program is at work here, by port [0-9]+"
	mount_is $RIGHT
	port
	expect "mounted once, by one proxy" [ "$(count_mounts)/$(proxies)" = 1/1 ]
	expect "one call" calls 1
}
scenario right-by-others

# automount COMMAND...: what an automount unit of systemd is: a trigger, and a process that runs the
# command when the path is used.
automount() {
	setsid python3 - $EFS "$@" << 'PYTHON' > $OUT/automount.log 2>&1 &
import ctypes
import fcntl
import os
import struct
import subprocess
import sys

READY, FAIL = 0x9360, 0x9361
told, tell = os.pipe()
options = f"fd={tell},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct"
if ctypes.CDLL(None).mount(b"test", sys.argv[1].encode(), b"autofs", 0, options.encode()):
    sys.exit("no autofs")
os.close(tell)
root = os.open(sys.argv[1], os.O_RDONLY)
while packet := os.read(told, 1024):
    token, = struct.unpack_from("I", packet, 8)
    failed = subprocess.run(sys.argv[2:]).returncode
    fcntl.ioctl(root, FAIL if failed else READY, token)
PYTHON
	AUTOMOUNT=$!
	within 10 "no trigger" triggered
}
triggered() { look && [ "$TOP_COUNT/$TOP_TYPE" = 1/autofs ]; }

right_by_automount() {
	modprobe autofs4
	mkdir -p $EFS
	automount false
	plain
	keeper
	mount_is $ABSENT "the automount on this path does not mount: "
	services_kill
	kill $AUTOMOUNT
	within 10 "the trigger stays" umount $EFS
	automount mount -t nfs4 -o nfsvers=4.1 $NAME:/ $EFS
	keeper
	mount_is $RIGHT
	expect "the trigger and the operator's mount" [ "$(count_mounts)" = 2 ]
	expect "it serves" serves
	kill $AUTOMOUNT
}
scenario right-by-automount
