# The whole agent: wnad, its core and its workers.
# shellcheck shell=bash disable=SC2154,SC2086

# The node's metadata, so that /readyz has nothing but the mount to complain of:
# the lab's stand-in, at the true address, which leads nowhere in this machine.
metadata_start() {
	ip addr add 169.254.169.254/32 dev lo
	export PYTHONPATH=$wna_here/.. PYTHONDONTWRITEBYTECODE=1
	python3 -m parts.imds_server /run/imds.sock 169.254.169.254 > $OUT/imds.log 2>&1 &
	python3 - << 'END'
from pathlib import Path
from parts import control, imds
control.ask(Path("/run/imds.sock"), {
    "op": "set", "values": imds.instance(1, "10.99.0.1", "ap-northeast-2a")})
END
}
metadata_start

agent_start() {
	setsid /usr/sbin/wnad < /dev/null >> $OUT/wnad.log 2>&1 &
	echo $! > /run/wnad.pid
}

agent_pids() { # of all our processes, by what they execute
	local proc exe
	for proc in /proc/[0-9]*; do
		for exe in /usr/sbin/wnad "$LIBEXEC"/*; do
			if [ "$proc/exe" -ef "$exe" ]; then echo "${proc#/proc/}"; fi
		done
	done
}

agent_kill() {
	local pids
	while pids=$(agent_pids) && [ -n "$pids" ]; do
		# shellcheck disable=SC2086 # several words
		kill -9 $pids 2> /dev/null
		nap
	done
}

agent_stop() {
	kill -TERM "$(< /run/wnad.pid)"
	within 12 "the agent does not stop" gone
}
gone() { [ -z "$(agent_pids)" ]; }

# get PATH: sets CODE and BODY. By the shell alone: /readyz has to be asked often.
get() {
	local line
	CODE=none BODY=
	{ exec {HTTP}<> /dev/tcp/127.0.0.1/8099; } 2> /dev/null || return 1
	printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$1" >&"$HTTP"
	if read -r -t 2 -u "$HTTP" _ CODE _; then
		while read -r -t 2 -u "$HTTP" line && [ "$line" != $'\r' ]; do :; done
		IFS= read -r -t 2 -d '' -u "$HTTP" BODY
	fi
	exec {HTTP}>&-
}
code_is() { get "$1" && [ "$CODE" = "$2" ]; }
says() { get "$1" && [[ $BODY == *"$2"* ]]; }
now() { get "$1"; echo "$CODE ${BODY%$'\n'}"; }

# status_fact NAME: sets VALUE and WHY from /status.
status_fact() {
	VALUE='' WHY=''
	get /status || return 1
	[[ $BODY =~ \"$1\":\{\"value\":(-?[0-9]+),\"text\":\"[^\"]*\",\"why\":\"([^\"]*)\" ]] || return 1
	VALUE=${BASH_REMATCH[1]} WHY=${BASH_REMATCH[2]}
}
fact_is() { status_fact "$1" && [ "$VALUE" = "$2" ]; }
fact_says() { status_fact "$1" && [[ $WHY =~ $2 ]]; }

health() { # HEALTHZ READYZ
	code_is /healthz "$1" && code_is /readyz "$2"
}
want_health() { # SECONDS HEALTHZ READYZ: within so many seconds
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	until health "$2" "$3"; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] ||
			die "health is not $2/$3 within $1 s but $(now /healthz), $(now /readyz)"
		nap
	done
}

agent_conf() { # FUNCTION KEY=VALUE...: with short times
	"$1" probe_interval=1s probe_timeout=1s max_age=2500ms retry_min=500ms retry_max=1s "${@:2}"
	printf '%s\n' '[health]' 'listen = 127.0.0.1:8099' '[metrics]' 'enabled = no' >> $CONF
}

agent_plain() {
	# The region comes from the metadata here, by wna-cloud's facts.env.
	agent_conf plain timeout=2s
	sed -i /^region/d $CONF
	agent_start
	within 10 "the control socket" [ -S /run/web-node-agent/control.sock ]
	expect "wnactl waits for the mount" wnactl wait --for mounted --timeout 20
	want_health 15 200 200
	expect "mounted" [ "$(count_mounts)" = 1 ]
	local id
	id=$(top_id)

	# Lost behind its back: a local failure until it is mounted again, which for a
	# while cannot be: mount.nfs4 waits for the name and has to be ended.
	sed "/$NAME/d" /etc/hosts > /run/hosts
	mount --bind /run/hosts /etc/hosts
	umount $EFS
	within 5 "the loss is not noticed" code_is /healthz 503
	local end=$((EPOCHSECONDS + 15))
	until fact_says mount "ended by wnad; its limit is 2.0 s"; do
		code_is /healthz 503 || die "a lost mount is answered by $(now /healthz)"
		[ $EPOCHSECONDS -lt $end ] || die "no reason: $WHY"
		nap
	done
	umount /etc/hosts
	want_health 10 200 200
	id=$(top_id)
	expect "mounted again" fact_is mount-id "$id"

	# A planned restart and a violent one: adopted, nothing mounted anew.
	agent_stop
	agent_start
	want_health 15 200 200
	expect "adopted after a restart" fact_is mount-id "$(top_id)"
	expect "nothing mounted anew" [ "$(top_id)/$(count_mounts)" = "$id/1" ]
	agent_kill
	agent_start
	want_health 15 200 200
	expect "adopted after kill -9" [ "$(top_id)/$(count_mounts)" = "$id/1" ]
}
scenario agent-plain

# Each look of wna-mount at the wrong thing is a line of debugging.
looks_logged() { grep -c "mount: $EFS: wrong" $OUT/wnad.log; }
looked_more() { [ "$(looks_logged)" -ge "$1" ]; }

agent_wrong() {
	mkdir -p $EFS
	mount -t tmpfs tmpfs $EFS
	local id
	id=$(top_id)
	agent_conf plain
	agent_start
	within 15 "no reason" fact_says mount "tmpfs is mounted there, expected nfs4"
	expect "a local failure" health 503 503
	local looks
	looks=$(looks_logged)
	within 15 "it does not look again" looked_more $((looks + 2))
	expect "never covered" [ "$(top_id)/$(count_mounts)" = "$id/1" ]
	umount $EFS
	want_health 10 200 200
}
scenario agent-wrong

agent_silent() {
	agent_conf plain
	agent_start
	want_health 15 200 200
	local id start
	id=$(top_id)
	silence
	start=${EPOCHREALTIME/./}
	# Probe interval and maximum age, and two seconds for this machine.
	within 6 "/readyz stays 200" code_is /readyz 503
	echo "silent: /readyz turned after $(((${EPOCHREALTIME/./} - start) / 1000)) ms"
	expect "/healthz stays 200" code_is /healthz 200
	expect "and says degraded" says /healthz degraded
	expect "a mounted but silent file system is not a lost one" fact_is mount-id "$id"
	unsilence
	want_health 20 200 200
	expect "the same mount" [ "$(top_id)/$(count_mounts)" = "$id/1" ]
}
scenario agent-silent

agent_restarted_in_silence() {
	agent_conf plain
	agent_start
	want_health 15 200 200
	local id
	id=$(top_id)
	silence
	within 6 "/readyz stays 200" code_is /readyz 503
	agent_kill
	agent_start
	within 8 "the new agent does not answer" code_is /livez 200
	within 8 "not adopted" fact_is mount-id "$id"
	within 8 "silence counts as a local failure" health 200 503
	agent_stop
	agent_start
	within 8 "not adopted the second time" fact_is mount-id "$id"
	unsilence
	want_health 25 200 200
	expect "the same mount" [ "$(top_id)/$(count_mounts)" = "$id/1" ]
}
scenario agent-restarted-in-silence

agent_stale() {
	agent_conf plain export=/data
	agent_start
	want_health 15 200 200
	rmdir /srv/srv/data
	mkdir /srv/srv/hole /srv/srv/data
	within 6 "not reported" fact_says probe "stale file handle"
	rmdir /srv/srv/hole
	within 6 "not a shared failure" health 200 503
}
scenario agent-stale

agent_tunnel() {
	helper
	agent_conf efs
	agent_start
	want_health 20 200 200
	local id pid
	id=$(top_id) pid=$(tunnel_pids)
	expect "by the proxy" [ "$(top_source)" = 127.0.0.1:/ ]
	agent_kill
	expect "the proxy outlives the agent" [ "$(tunnel_pids)" = "$pid" ]
	expect "and the mount lives" timeout -s KILL 3 touch $EFS/alive
	agent_start
	want_health 15 200 200
	agent_stop
	expect "a planned stop spares it as well" [ "$(tunnel_pids)" = "$pid" ]
	agent_start
	want_health 15 200 200
	expect "adopted" [ "$(top_id)/$(count_mounts)/$(tunnel_pids)" = "$id/1/$pid" ]
	expect "the helper was called once" [ "$(wc -l < /run/standin/calls)" = 1 ]
	# The proxy has died, and its watchdog is not there to start another.
	kill -9 "$pid"
	within 8 "a dead proxy is not a shared failure" health 200 503
	setsid stunnel "$(compgen -G '/run/efs/stunnel-config.*')" < /dev/null > /dev/null 2>&1 &
	want_health 25 200 200
}
scenario agent-tunnel

agent_helper_reason() {
	helper no-network
	agent_conf efs
	agent_start
	within 15 "no reason" fact_says mount "nothing is mounted: .*network was not yet available"
	expect "a local failure" health 503 503
	expect "wnactl shows the helper's own words" \
		grep -q "network was not yet available" <(wnactl status | tr -s ' \n' ' ')
	helper denied
	within 10 "the new reason" fact_says mount "mount.nfs4: access denied by server"
	helper
	want_health 20 200 200
}
scenario agent-helper-reason
