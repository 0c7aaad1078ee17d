# The last repair, repair = force: on a kernel that can give up an NFS mount (Linux 6.5). Only on demand
# and in the full check, since the keeper has five minutes of patience:
#
#	tests/vm/run BUILD_DIR STAGE_DIR given-up
# shellcheck shell=bash disable=SC2154,SC2086

mounted_anew() { look && [ $TOP_COUNT = 1 ] && [ "$TOP_ID" != "$1" ]; }

# The proxy dies, and no other one starts: its configuration is damaged.
given_up() {
	local id errors file start
	helper
	efs region=ap-northeast-2 repair=force probe_interval=5s probe_timeout=4s max_age=10s
	agent_start core cloud mount
	within 60 "the mount does not serve" service_is $SERVING
	writer
	id=$(top_id)
	file=$(state_file)
	echo "damaged = yes" >> "${file%/*}/stunnel-config.${file##*/}"
	start=$EPOCHSECONDS
	kill -9 "$(tunnel_pids)"
	within 340 "it is not mounted anew" mounted_anew "$id"
	expect "only $((EPOCHSECONDS - start)) s of patience" [ $((EPOCHSECONDS - start)) -ge 300 ]
	within 30 "the new mount does not serve" service_is $SERVING
	service
	expect "another outcome: $TEXT" [ "$TEXT" = \
		"repair 4, a new mount, dead proxy: open files have failed for good" ]
	# The old file is lost to its program, and says it; the new mount is a mount like any other.
	errors=$(head -n 1 /run/writer.errors)
	[[ $errors == *"Errno 5"* ]] || die "the writer has no EIO: $errors"
	echo new > $EFS/new
	expect "it does not reach the server" grep -qx new /srv/srv/new
	# The old connection does not end the new mount, as it would after umount -l alone.
	sleep 60
	expect "the new mount hangs" service_is $SERVING
	expect "more than one proxy" [ "$(tunnel_pids | wc -l)" = 1 ]
}
scenario given-up
