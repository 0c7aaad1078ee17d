# Plain NFSv4.1, the keeper and its probe, with the core that shows what they say.
# shellcheck shell=bash disable=SC2154,SC2086

plain_mount() {
	plain
	keeper
	mount_is $RIGHT
	look
	expect "source by name" [ "$TOP_SOURCE" = "$NAME:/" ]
	local option options=,$TOP_OPTIONS,
	for option in vers=4.1 rsize=1048576 wsize=1048576 hard timeo=600 retrans=2 noresvport \
		addr=$SERVER; do
		[[ $options == *",$option,"* ]] || die "no option $option in $options"
	done
	expect "read-ahead of 15 times rsize" \
		[ "$(< "/sys/class/bdi/$TOP_DEVICE/read_ahead_kb")" = 15360 ]
	echo hello > $EFS/f
	expect "a file reaches the server" [ "$(< /srv/srv/f)" = hello ]
}
scenario plain-mount

guard_before_mount() {
	chattr -i $EFS
	rmdir $EFS
	plain "source=10.99.0.77:/" "options=retry=0,soft,timeo=1,retrans=1"
	keeper # nobody has that address: the directory is ready, not mounted
	mount_is $ABSENT
	within 10 "no guard reported" guard_is 1
	refuse "root could write into the bare directory" touch $EFS/written
	expect "the parent may still be written" touch /var/www/html/beside
	plain
	keeper
	mount_is $RIGHT
	expect "root may write into the mount over it" touch $EFS/written
	services_kill
	umount $EFS
	refuse "root could write into the bare directory after umount" touch $EFS/written
}
scenario guard-before-mount

guard_off() {
	chattr -i $EFS
	plain guard=no
	keeper
	mount_is $RIGHT
	within 10 "no guard, and why" guard_is 0 "^switched off by mount.guard$"
	# Beneath a mount that is already there (say, from fstab) it is set as well.
	plain
	keeper
	within 10 "no guard beneath the mount" guard_is 1
	services_kill
	umount $EFS
	refuse "root could write into the bare directory" touch $EFS/written
}
scenario guard-off

two_writers() {
	plain
	keeper
	mount_is $RIGHT
	ip netns exec node2 unshare -u bash -c "
		hostname node2
		mount -t nfs4 -o nfsvers=4.1,noresvport $SERVER:/ /mnt/node2
		echo from-node2 > /mnt/node2/two
		echo mounted > /run/node2.mounted
		# Not by looking: the client would remember that there was no such file.
		until [ -e /run/node1.wrote ]; do sleep 0.1; done
		cat /mnt/node2/one > /run/node2.read
		umount /mnt/node2" &
	within 10 "node2 does not mount" [ -e /run/node2.mounted ]
	echo from-node1 > $EFS/one
	expect "node1 reads what node2 wrote" [ "$(< $EFS/two)" = from-node2 ]
	: > /run/node1.wrote
	wait $!
	expect "node2 reads what node1 wrote" [ "$(< /run/node2.read)" = from-node1 ]
}
scenario two-writers

adopt() {
	plain
	keeper
	mount_is $RIGHT
	local id
	id=$(top_id)
	keeper
	mount_is $RIGHT
	expect "same mount, once" [ "$(top_id)/$(count_mounts)" = "$id/1" ]
	umount $EFS
	within 10 "no new mount after it was lost" mounted_once
	mount_is $RIGHT
}
mounted_once() { [ "$(count_mounts)" = 1 ]; }
scenario adopt

wrong_refused() {
	local id
	plain
	mkdir -p $EFS
	mount -t tmpfs tmpfs $EFS
	id=$(top_id)
	keeper
	mount_is $WRONG "tmpfs is mounted there, expected nfs4"
	expect "tmpfs neither covered nor removed" [ "$(top_id)/$(count_mounts)" = "$id/1" ]
	services_kill
	umount $EFS

	mount -t nfs4 -o nfsvers=4.1 other.example:/ $EFS
	id=$(top_id)
	keeper
	mount_is $WRONG "mounted from $OTHER, but $NAME is $SERVER"
	expect "the other server's export not covered" [ "$(top_id)/$(count_mounts)" = "$id/1" ]
	services_kill
	umount $EFS

	mount -t nfs4 -o nfsvers=4.1 $NAME:/other $EFS
	keeper
	mount_is $WRONG "the export /other is mounted there, configured is /"
	services_kill
	umount $EFS

	mount -t nfs4 -o nfsvers=4.1,rsize=1048576 $SERVER:/ $EFS # somebody else's, yet the right one
	id=$(top_id)
	look
	local ahead=/sys/class/bdi/$TOP_DEVICE/read_ahead_kb
	echo 128 > "$ahead"
	keeper
	mount_is $RIGHT
	expect "adopted as it is" [ "$(top_id)/$(count_mounts)" = "$id/1" ]
	expect "with the read-ahead it needs" [ "$(< "$ahead")" = 15360 ]
	echo 4096 > "$ahead"
	keeper
	mount_is $RIGHT
	expect "what somebody has tuned stays" [ "$(< "$ahead")" = 4096 ]
}
scenario wrong-refused

hidden_refused() {
	plain
	keeper
	mount_is $RIGHT
	sign_comes yes
	mount -t tmpfs tmpfs /var/www/html
	mkdir $EFS # what a web server would serve now
	mount_is $WRONG "hidden by tmpfs, which is mounted on /var/www/html"
	keeper
	mount_is $WRONG "hidden by tmpfs, which is mounted on /var/www/html"
	refuse "the probe takes it for the same mount" sign_is yes
	umount /var/www/html
	mount_is $RIGHT
	sign_comes yes
}
scenario hidden-refused

unverified() {
	plain
	keeper
	mount_is $RIGHT
	services_kill
	sed "/$NAME/d" /etc/hosts > /run/hosts
	mount --bind /run/hosts /etc/hosts
	keeper
	mount_is $UNVERIFIED "$NAME does not resolve"
	umount /etc/hosts
	mount_is $RIGHT
}
scenario unverified

region_from_facts() {
	conf type=nfs4 tls=no file_system=$FS
	trap 'metadata_region ap-northeast-2' EXIT
	metadata_region ../../etc
	agent_start core cloud mount
	mount_is $ABSENT "the region is not known yet"
	within 20 "the metadata is not read" fact_is instance-type 1
	expect "still waiting" fact_says mount "the region is not known yet"
	metadata_region ap-northeast-2
	services_kill
	agent_start core cloud mount
	mount_is $RIGHT
}
scenario region-from-facts

symlink_refused() {
	plain path=/var/www/link/efs
	mkdir -p /run/elsewhere
	ln -sfn /run/elsewhere /var/www/link
	keeper
	mount_is $ABSENT "/var/www/link is or is below a symbolic link"
	services_kill # without the link it would mount
	rm /var/www/link
	refuse "something was made behind the link" [ -e /run/elsewhere/efs ]
}
scenario symlink-refused

job_mount() { # LEVEL PATTERN: the verdict's word about the mount, and its reason
	get /status &&
		[[ $BODY =~ \"name\":\"mount\",\"level\":\"$1\",[^}]*\"why\":\"$2 ]]
}
silent() { job_mount degraded "no answer for more than"; }
answering() { job_mount ok ""; }

probe_silence() {
	plain
	keeper
	mount_is $RIGHT
	sign_comes yes
	stat $EFS > /dev/null
	local id
	id=$(top_id)
	silence
	timeout -s KILL 2 stat $EFS > /dev/null || die "stat was expected to come from the cache"
	within 10 "statfs has an answer" silent
	# Nothing here may wait for the server either.
	expect "still told right" fact_is mount $RIGHT
	keeper
	mount_is $RIGHT
	within 10 "statfs has an answer" silent
	expect "one probe at most" [ "$(pgrep -cx wna-probe)" -le 1 ]
	unsilence
	within 20 "the server does not answer again" answering
	expect "the same mount" [ "$(top_id)/$(count_mounts)" = "$id/1" ]
}
scenario probe-silence

# probe_with FILE EXPECTED: a probe that reads it as well.
probe_with() {
	plain "probe_file=$1"
	keeper
	within 10 "probe of $1 does not give $2" sign_is "$2"
}

probe_file() {
	mkdir -p /srv/srv/probe/folder
	echo yes > /srv/srv/probe/alive
	ln -s /etc/passwd /srv/srv/probe/link
	mkfifo /srv/srv/probe/fifo
	probe_with probe/alive yes
	probe_with probe/missing -2
	probe_with probe/link -40
	probe_with probe/fifo -40 # so NFS calls whatever is no regular file
	probe_with probe/folder -22
	rm -rf /srv/srv/probe
}
scenario probe-file

stale() {
	plain export=/data
	keeper
	mount_is $RIGHT
	sign_comes yes
	rmdir /srv/srv/data
	mkdir /srv/srv/hole /srv/srv/data # the export made anew: another inode
	sign_comes -116
	expect "and why" fact_says mount "stale file handle"
	rmdir /srv/srv/hole
}
scenario stale

other_types() {
	# What libmount knows needs no branch: the type, and the type then expected.
	conf type=tmpfs source=shared "options=size=1m"
	keeper
	mount_is $RIGHT
	look
	expect "a tmpfs" [ "$TOP_TYPE/$TOP_SOURCE" = tmpfs/shared ]
	conf type=tmpfs source=else
	keeper
	mount_is $WRONG "shared is mounted there, configured is else"
	services_kill
	umount $EFS

	mkdir -p /srv/bound/a /srv/bound/b
	conf type=none source=/srv/bound/a options=bind
	keeper
	mount_is $RIGHT
	conf type=none source=/srv/bound/b options=bind
	keeper
	mount_is $WRONG
	services_kill
	umount $EFS

	truncate -s 4M /run/image
	mkfs.ext4 -q /run/image
	conf type=ext4 source=/run/image options=loop
	keeper
	mount_is $RIGHT
	keeper
	mount_is $RIGHT
	services_kill
	umount $EFS

	conf type=xyzzy source=none
	keeper
	mount_is $ABSENT "xyzzy"
}
scenario other-types
