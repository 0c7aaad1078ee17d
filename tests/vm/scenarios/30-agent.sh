# The whole agent: core, cloud and keeper.
# shellcheck shell=bash disable=SC2154,SC2086

code_is() { get "$1" && [ "$CODE" = "$2" ]; }
says() { get "$1" && [[ $BODY == *"$2"* ]]; }
now() { get "$1"; echo "$CODE ${BODY%$'\n'}"; }

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

agent_plain() {
	# The region comes from the metadata here, by wna-cloud's fact.
	plain timeout=2s
	sed -i /^region/d $CONF
	agent_start
	within 10 "the hub" [ -S $RUN/hub ]
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
	until fact_says mount "ended, since its limit is 2.0 s"; do
		code_is /healthz 503 || die "a lost mount is answered by $(now /healthz)"
		[ $EPOCHSECONDS -lt $end ] || die "no reason: $WHY"
		nap
	done
	umount /etc/hosts
	want_health 10 200 200
	id=$(top_id)
	refuse "mounted again" [ -z "$id" ]

	# A planned restart and violent ones, of all and of each: adopted, nothing mounted anew.
	agent_stop
	agent_start
	want_health 15 200 200
	expect "adopted after a restart" [ "$(top_id)/$(count_mounts)" = "$id/1" ]
	services_kill
	agent_start
	want_health 15 200 200
	expect "adopted after kill -9" [ "$(top_id)/$(count_mounts)" = "$id/1" ]
	local role old
	for role in core mount; do
		service_pid $role
		old=$PID
		kill -9 "$old"
		within 10 "wna-$role does not come back" another $role "$old"
		want_health 15 200 200
		expect "adopted after kill -9 of wna-$role" [ "$(top_id)/$(count_mounts)" = "$id/1" ]
	done
}
another() { # ROLE PID: a process other than that one
	service_pid "$1"
	[ -n "$PID" ] && [ "$PID" != "$2" ]
}
scenario agent-plain

# What is wrong is looked at again with each report, which says when the next one is due.
looked_after() { status_fact mount && [ "${MORE[DUE]}" -gt "$1" ]; }

agent_wrong() {
	mkdir -p $EFS
	mount -t tmpfs tmpfs $EFS
	local id
	id=$(top_id)
	plain
	agent_start
	within 15 "no reason" fact_says mount "tmpfs is mounted there, expected nfs4"
	expect "a local failure" health 503 503
	local _
	for _ in 1 2; do
		status_fact mount
		within 15 "it does not look again" looked_after "${MORE[DUE]}"
	done
	expect "never covered" [ "$(top_id)/$(count_mounts)" = "$id/1" ]
	umount $EFS
	want_health 10 200 200
}
scenario agent-wrong

# still ID: the keeper says that the right thing is mounted, and it is that mount.
still() { fact_is mount $RIGHT && [ "$(top_id)/$(count_mounts)" = "$1/1" ]; }

agent_silent() {
	plain
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
	expect "a mounted but silent file system is not a lost one" still "$id"
	unsilence
	want_health 20 200 200
	expect "the same mount" [ "$(top_id)/$(count_mounts)" = "$id/1" ]
}
scenario agent-silent

agent_restarted_in_silence() {
	plain
	agent_start
	want_health 15 200 200
	local id
	id=$(top_id)
	silence
	within 6 "/readyz stays 200" code_is /readyz 503
	services_kill
	agent_start
	within 8 "the new agent does not answer" code_is /livez 200
	within 8 "not adopted" still "$id"
	within 8 "silence counts as a local failure" health 200 503
	agent_stop
	agent_start
	within 8 "not adopted the second time" still "$id"
	unsilence
	want_health 25 200 200
	expect "the same mount" [ "$(top_id)/$(count_mounts)" = "$id/1" ]
}
scenario agent-restarted-in-silence

agent_stale() {
	plain export=/data
	agent_start
	want_health 15 200 200
	rmdir /srv/srv/data
	mkdir /srv/srv/hole /srv/srv/data
	within 6 "not reported" fact_says mount "stale file handle"
	rmdir /srv/srv/hole
	within 6 "not a shared failure" health 200 503
}
scenario agent-stale

agent_tunnel() {
	helper
	efs
	agent_start
	want_health 20 200 200
	local id pid
	id=$(top_id) pid=$(tunnel_pids)
	expect "by the proxy" [ "$(top_source)" = 127.0.0.1:/ ]
	services_kill
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
	efs
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
