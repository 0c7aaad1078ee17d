# Plain NFSv4.1, the two workers by themselves.
# shellcheck shell=bash disable=SC2154,SC2086

plain_mount() {
	plain
	worker wna-mount
	mount_is $RIGHT
	expect "a fact with the mount's id" [ "$(value mount-id)" = "$(top_id)" ]
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
	worker -t 500 wna-mount # nobody has that address: the directory is ready, not mounted
	mount_is $MISSING
	expect "guard reported" [ "$(value mount-guard)" = 1 ]
	refuse "root could write into the bare directory" touch $EFS/written
	expect "the parent may still be written" touch /var/www/html/beside
	plain
	worker wna-mount
	mount_is $RIGHT
	expect "root may write into the mount over it" touch $EFS/written
	umount $EFS
	refuse "root could write into the bare directory after umount" touch $EFS/written
}
scenario guard-before-mount

guard_off() {
	chattr -i $EFS
	plain guard=no
	worker wna-mount
	mount_is $RIGHT
	expect "no guard, and why" [ "$(value mount-guard)/$(why mount-guard)" = \
		"0/switched off by mount.guard" ]
	# Beneath a mount that is already there (say, from fstab) it is set as well.
	plain
	worker wna-mount
	expect "guard beneath the mount" [ "$(value mount-guard)" = 1 ]
	umount $EFS
	refuse "root could write into the bare directory" touch $EFS/written
}
scenario guard-off

two_writers() {
	plain
	worker wna-mount
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
	worker wna-mount
	mount_is $RIGHT
	local id
	id=$(top_id)
	worker wna-mount
	mount_is $RIGHT
	expect "same mount" [ "$(top_id)/$(value mount-id)" = "$id/$id" ]
	expect "mounted once" [ "$(count_mounts)" = 1 ]
	umount $EFS
	worker wna-mount
	mount_is $RIGHT
	expect "a new mount after it was lost" [ "$(top_id)" = "$(value mount-id)" ]
}
scenario adopt

wrong_refused() {
	local id
	plain
	mkdir -p $EFS
	mount -t tmpfs tmpfs $EFS
	id=$(top_id)
	worker wna-mount
	mount_is $WRONG "tmpfs is mounted there, expected nfs4"
	expect "tmpfs neither covered nor removed" [ "$(top_id)/$(count_mounts)" = "$id/1" ]
	expect "no id of a right mount" [ "$(value mount-id)" = 0 ]
	umount $EFS

	mount -t nfs4 -o nfsvers=4.1 other.example:/ $EFS
	id=$(top_id)
	worker wna-mount
	mount_is $WRONG "mounted from $OTHER, but $NAME is $SERVER"
	expect "the other server's export not covered" [ "$(top_id)/$(count_mounts)" = "$id/1" ]
	umount $EFS

	mount -t nfs4 -o nfsvers=4.1 $NAME:/other $EFS
	worker wna-mount
	mount_is $WRONG "the export /other is mounted there, configured is /"
	umount $EFS

	mount -t nfs4 -o nfsvers=4.1,rsize=1048576 $SERVER:/ $EFS # somebody else's, yet the right one
	id=$(top_id)
	look
	local ahead=/sys/class/bdi/$TOP_DEVICE/read_ahead_kb
	echo 128 > "$ahead"
	worker wna-mount
	mount_is $RIGHT
	expect "adopted as it is" [ "$(value mount-id)/$(top_id)/$(count_mounts)" = "$id/$id/1" ]
	expect "with the read-ahead it needs" [ "$(< "$ahead")" = 15360 ]
	echo 4096 > "$ahead"
	worker wna-mount
	expect "what somebody has tuned stays" [ "$(< "$ahead")" = 4096 ]
}
scenario wrong-refused

hidden_refused() {
	plain
	worker wna-mount
	mount_is $RIGHT
	mount -t tmpfs tmpfs /var/www/html
	mkdir $EFS # what a web server would serve now
	worker wna-mount
	mount_is $WRONG "hidden by tmpfs, which is mounted on /var/www/html"
	worker wna-probe
	refuse "the probe takes it for the same mount" [ "$(value probe-id)" = "$(top_id)" ]
	umount /var/www/html
	worker wna-mount
	mount_is $RIGHT
	worker wna-probe
	expect "the same mount again" [ "$(value probe-id)" = "$(top_id)" ]
}
scenario hidden-refused

unverified() {
	plain
	worker wna-mount
	mount_is $RIGHT
	sed "/$NAME/d" /etc/hosts > /run/hosts
	mount --bind /run/hosts /etc/hosts
	worker wna-mount
	umount /etc/hosts
	mount_is $UNVERIFIED "$NAME does not resolve"
	worker wna-mount
	mount_is $RIGHT
}
scenario unverified

region_from_facts() {
	conf type=nfs4 tls=no file_system=$FS
	mkdir -p /run/web-node-agent/cloud
	rm -f /run/web-node-agent/cloud/facts.env
	worker wna-mount
	mount_is $MISSING "waiting for the region"
	printf 'WNA_REGION=../../etc\n' > /run/web-node-agent/cloud/facts.env
	worker wna-mount
	mount_is $MISSING "waiting for the region"
	printf 'WNA_REGION=ap-northeast-2\nWNA_DOMAIN=amazonaws.com\n' \
		> /run/web-node-agent/cloud/facts.env
	worker wna-mount
	mount_is $RIGHT
}
scenario region-from-facts

symlink_refused() {
	plain path=/var/www/link/efs
	mkdir -p /run/elsewhere
	ln -sfn /run/elsewhere /var/www/link
	worker wna-mount
	rm /var/www/link
	mount_is $MISSING "a symbolic link is on the way"
	refuse "something was made behind the link" [ -e /run/elsewhere/efs ]
}
scenario symlink-refused

probe_silence() {
	plain
	worker wna-mount
	mount_is $RIGHT
	worker wna-probe
	expect "the server answers" [ "$(value probe)" -gt 0 ]
	expect "of this mount" [ "$(value probe-id)" = "$(top_id)" ]
	stat $EFS > /dev/null
	silence
	timeout -s KILL 2 stat $EFS > /dev/null || die "stat was expected to come from the cache"
	worker -t 1000 wna-probe
	expect "the id is told before the question" [ "$(value probe-id)" = "$(top_id)" ]
	expect "statfs has no answer" [ -z "$(value probe)" ]
	expect "the probe could be ended" grep -q '^signal' /run/facts
	# Nothing here may wait for the server either.
	worker -t 3000 wna-mount
	mount_is $RIGHT
	unsilence
	worker -t 20000 wna-probe
	expect "the server answers again" [ "$(value probe)" -gt 0 ]
	umount $EFS
	worker wna-probe
	expect "nothing mounted" [ "$(value probe-id)/$(value probe)" = 0/-19 ]
}
scenario probe-silence

# probe_with FILE EXPECTED: a probe that reads it as well.
probe_with() {
	plain "probe_file=$1"
	worker -t 5000 wna-probe
	expect "probe of $1 gives $(value probe), not $2: $(why probe)" [ "$(value probe)" "${@:2}" ]
}

probe_file() {
	mkdir -p /srv/srv/probe/folder
	echo yes > /srv/srv/probe/alive
	ln -s /etc/passwd /srv/srv/probe/link
	mkfifo /srv/srv/probe/fifo
	plain
	worker wna-mount
	mount_is $RIGHT
	probe_with probe/alive -gt 0
	probe_with probe/missing = -2
	probe_with probe/link = -40
	probe_with probe/fifo = -40 # so NFS calls whatever is no regular file
	probe_with probe/folder = -22
	rm -rf /srv/srv/probe
}
scenario probe-file

stale() {
	plain export=/data
	worker wna-mount
	mount_is $RIGHT
	worker wna-probe
	expect "the server answers" [ "$(value probe)" -gt 0 ]
	rmdir /srv/srv/data
	mkdir /srv/srv/hole /srv/srv/data # the export made anew: another inode
	worker wna-probe
	expect "stale, $(value probe)" [ "$(value probe)" = -116 ]
	[[ $(why probe) == *"stale file handle"* ]] || die "not why: $(why probe)"
	rmdir /srv/srv/hole
}
scenario stale

other_types() {
	# What libmount knows needs no branch: the type, and the type then expected.
	conf type=tmpfs source=shared "options=size=1m"
	worker wna-mount
	mount_is $RIGHT
	look
	expect "a tmpfs" [ "$TOP_TYPE/$TOP_SOURCE" = tmpfs/shared ]
	conf type=tmpfs source=else
	worker wna-mount
	mount_is $WRONG "shared is mounted there, configured is else"
	umount $EFS

	mkdir -p /srv/bound/a /srv/bound/b
	conf type=none source=/srv/bound/a options=bind
	worker wna-mount
	mount_is $RIGHT
	conf type=none source=/srv/bound/b options=bind
	worker wna-mount
	mount_is $WRONG
	umount $EFS

	truncate -s 4M /run/image
	mkfs.ext4 -q /run/image
	conf type=ext4 source=/run/image options=loop
	worker wna-mount
	mount_is $RIGHT
	worker wna-mount
	mount_is $RIGHT
	umount $EFS

	conf type=xyzzy source=none
	worker wna-mount
	mount_is $MISSING "xyzzy"
}
scenario other-types
