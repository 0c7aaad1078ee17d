# Through a mount helper that is a stand-in, and a TLS proxy that is real.
# shellcheck shell=bash disable=SC2154,SC2086

helper() { # [MODE [PATIENCE]]: installs the stand-in
	mkdir -p /run/standin
	rm -f /run/standin/{calls,delay}
	echo "${1:-normal}" > /run/standin/mode
	echo "${2:-15}" > /run/standin/patience
	echo "$wna_vm/certificates/ca.pem" > /run/standin/ca
	cp "$wna_here/mount.efs" /sbin/mount.efs
}

efs() { # KEY=VALUE...
	conf type=efs tls=yes file_system=$FS "$@"
}

# The far end: TLS in front of nfsd, as a mount target has it.
server_tls() {
	cat > /run/server.conf << END
foreground = yes
debug = notice
pid = /run/server.pid
[nfs]
accept = $SERVER:2050
connect = 127.0.0.1:2049
cert = $wna_vm/certificates/server.pem
key = $wna_vm/certificates/server.key
sslVersionMin = TLSv1.2
libwrap = no
END
	ip netns exec srv setsid stunnel /run/server.conf > $OUT/stunnel-server.log 2>&1 &
}
server_tls

tunnel_pids() { pgrep -x -f "(/usr/bin/)?stunnel /var/run/efs/.*"; }
tunnels_stop() {
	local pid
	for pid in $(tunnel_pids); do kill -9 "$pid"; done
}
state_file() { compgen -G "/run/efs/$FS.var.www.html.efs.*[0-9]"; }

tunnel_mount() {
	helper
	efs region=ap-northeast-2
	keeper
	mount_is $RIGHT
	expect "the helper's words" grep -qx "$FS:/ $EFS .*tls.*" /run/standin/calls
	look
	expect "NFS to the proxy only" [ "$(top_source)" = 127.0.0.1:/ ]
	[[ $TOP_OPTIONS == *",addr=127.0.0.1"* ]] || die "not by the proxy: $TOP_OPTIONS"
	echo secret > $EFS/through-tls
	expect "it reaches the server" grep -q secret /srv/srv/through-tls
	expect "by TLS" [ -n "$(ss -Htn state established "dst = $SERVER and dport = :2050")" ]
	expect "by nothing else" [ -z "$(ss -Htn state established "dst = $SERVER and dport = :2049")" ]
	local id pid
	id=$(top_id) pid=$(tunnel_pids)
	keeper
	mount_is $RIGHT
	expect "adopted" [ "$(top_id)/$(count_mounts)/$(tunnel_pids)" = "$id/1/$pid" ]
	sign_comes yes
	silence
	within 10 "a proxy that accepts connections proves something" silent
	unsilence
	within 20 "the server does not answer again" answering
}
scenario tunnel-mount

tunnel_proof() {
	helper
	efs
	keeper
	mount_is $RIGHT
	local file
	file=$(state_file)
	services_kill
	rm -rf $RUN/mount/proxy # the copies
	mv "$file" /run/saved
	keeper
	mount_is $WRONG "no state file for $FS on this path with port"
	mv /run/saved "$(dirname "$file")/~$(basename "$file")"
	keeper
	mount_is $UNVERIFIED "has not finished"
	# Its helper cannot be at work any more: what it left undone is done.
	touch -d '2 minutes ago' /run/efs/~*
	keeper
	mount_is $RIGHT
	expect "the state file is finished" [ -e "$file" ]
	chmod o+w "$file"
	keeper
	mount_is $WRONG "others may write it"
	chmod o-w "$file"
	sed -i.bak 's/stunnel"/efs-proxy"/' "$file"
	keeper
	mount_is $WRONG "without TLS"
	mv "$file.bak" "$file"
	efs access_point=fsap-0123456789abcdef0
	keeper
	mount_is $WRONG "access point none, configured is fsap-0123456789abcdef0"
	conf type=efs tls=yes file_system=fs-0fedcba9876543210
	keeper
	mount_is $WRONG "no state file for fs-0fedcba9876543210"
	efs
	keeper
	mount_is $RIGHT
	expect "mounted once" [ "$(count_mounts)" = 1 ]
}
scenario tunnel-proof

tunnel_wrong_ca() {
	helper normal 2
	echo "$wna_vm/certificates/other-ca.pem" > /run/standin/ca
	efs timeout=5s retry_min=1m retry_max=1m # one attempt
	keeper
	mount_is $ABSENT "timeout after 2 sec"
	expect "the certificate was refused" grep -qi 'certificate verify failed\|CERT: Pre-verification error' \
		/run/standin/stunnel.log
	expect "nothing mounted" [ "$(count_mounts)" = 0 ]
	tunnels_stop
	helper
	keeper
	mount_is $RIGHT
}
scenario tunnel-wrong-ca

helper_options() {
	helper denied
	efs iam=yes access_point=fsap-0123456789abcdef0 options=az=ap-northeast-2a \
		region=ap-northeast-2
	keeper
	mount_is $ABSENT "^mount.nfs4: access denied by server while mounting 127.0.0.1:/$"
	for option in nosuid nodev tls iam accesspoint=fsap-0123456789abcdef0 region=ap-northeast-2 \
		az=ap-northeast-2a; do
		expect "option $option in $(cat /run/standin/calls)" \
			grep -qE "[ ,]$option(,|$)" /run/standin/calls
	done
	# From the metadata as well; but this version would hand it on to mount.nfs4.
	helper
	efs
	agent_start core cloud
	within 20 "no region" fact_is region 1
	services_start $OUT/agent.log mount
	mount_is $RIGHT
	expect "the region" grep -q ",region=ap-northeast-2" /run/standin/calls
	services_kill
	umount $EFS
	helper
	sed -i 's/^VERSION = .*/VERSION = "2.0.4"/' /sbin/mount.efs
	agent_start core cloud
	within 20 "no region" fact_is region 1
	services_start $OUT/agent.log mount
	mount_is $RIGHT
	refuse "the region" grep -q region /run/standin/calls
}
scenario helper-options

helper_reasons() {
	helper no-network
	efs
	keeper
	mount_is $ABSENT "success reported, but nothing is mounted: .*network was not yet"
	helper rude
	keeper
	mount_is $ABSENT '^bad \?\[31mred\?\[0m text$'
	helper no-name
	keeper
	within 20 "neither cause nor consequence" cause_and_consequence
	helper hang
	efs timeout=4s retry_min=1m retry_max=1m
	keeper
	# By INT, and by TERM what ignores that, as a shell's children in the background do.
	mount_is $ABSENT "ended, since its limit is 4.0 s: Mount attempt 1/3 failed"
	refuse "the helper's processes are left" pgrep -f '/sbin/mount.efs|sleep 60'
}
cause_and_consequence() {
	get /status && [[ $BODY == *'"Failed to resolve '*' ... '*': DescribeMountTargets."'* ]]
}
scenario helper-reasons

auto_type() {
	conf type=auto tls=yes file_system=$FS region=ap-northeast-2
	keeper
	mount_is $ABSENT "tls is configured, which needs amazon-efs-utils"
	expect "no plain mount instead" [ "$(count_mounts)" = 0 ]
	conf type=auto tls=no file_system=$FS region=ap-northeast-2
	keeper
	mount_is $RIGHT
	expect "plain NFS" [ "$(top_source)" = "$NAME:/" ]
	# With the helper there and TLS demanded, what is mounted is not it.
	helper
	conf type=auto tls=yes file_system=$FS region=ap-northeast-2
	keeper
	mount_is $WRONG "not through efs-utils"
	umount $EFS
	keeper
	mount_is $RIGHT
	expect "by the helper" [ "$(top_source)" = 127.0.0.1:/ ]
}
scenario auto-type
