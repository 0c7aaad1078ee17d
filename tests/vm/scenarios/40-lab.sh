# The reduced lab: the part of tests/lab that needs real NFS (R6). Instances of the web
# tier on one NFSv4.1 server, each with a network, a process tree, mounts and a host name of
# its own, with the installed agent and a real httpd; HAProxy in the load balancer's place,
# which checks the agent's port.
# shellcheck shell=bash disable=SC2154,SC2086

WEB1=10.99.0.11 WEB2=10.99.0.12 WEB3=10.99.0.13
ALB=127.0.0.1:8080 STATISTICS=127.0.0.1:8404

lab_files() {
	mkdir -p /run/lab
	cat > /run/lab/httpd.conf << 'END'
ServerRoot /etc/apache2
ServerName localhost
Listen 0.0.0.0:80
PidFile /run/httpd.pid
DefaultRuntimeDir /run
ErrorLog /dev/stderr
User www-data
Group www-data
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
DocumentRoot /var/www/html
# The manual's advice for files on NFS.
EnableMMAP Off
EnableSendfile Off
StartServers 1
ThreadsPerChild 16
MaxRequestWorkers 16
END
	# As the target group: the agent's port, two failures in a row, one success.
	cat > /run/lab/haproxy.cfg << END
defaults
	mode http
	timeout connect 1s
	timeout client 10s
	timeout server 10s
	retries 3
	option redispatch
frontend alb
	bind $ALB
	default_backend web
frontend statistics
	bind $STATISTICS
	stats enable
	stats uri /
backend web
	balance roundrobin
	option httpchk GET /healthz
	http-check expect status 200
	default-server check port 8099 inter 500ms fall 2 rise 1
	server web1 $WEB1:80
	server web2 $WEB2:80
	server web3 $WEB3:80
END
}

alb_start() {
	haproxy -db -f /run/lab/haproxy.cfg < /dev/null >> $OUT/haproxy.log 2>&1 &
	ALB_PID=$!
	disown
}

declare -A INSTANCES
instance_start() { # NAME ADDRESS [KEY=VALUE...]: [mount] keys beside the common ones
	local name=$1 address=$2
	ip netns add $name
	ip link add v-$name type veth peer name eth0 netns $name
	ip link set v-$name master br0 up
	ip -n $name addr add $address/24 dev eth0
	ip -n $name link set eth0 up
	ip -n $name link set lo up
	# All are told that they are the same instance: what they are is no matter here, but
	# who does not know it is degraded.
	ip -n $name route add 169.254.169.254 dev eth0
	plain timeout=2s "${@:3}"
	printf '%s\n' '[check web]' 'url = http://127.0.0.1/health.html' 'interval = 1s' >> $CONF
	mkdir -p /run/lab/$name/agent.conf.d
	cp $CONF /run/lab/$name/agent.conf
	ip netns exec $name unshare -m -u -p --fork --kill-child=SIGKILL --mount-proc \
		"$wna_here/instance" $name $OUT < /dev/null >> $OUT/$name.log 2>&1 &
	INSTANCES[$name]=$!
	disown
}

lab_stop() {
	local name
	unsilence
	for name in "${!INSTANCES[@]}"; do
		kill -9 ${INSTANCES[$name]} 2> /dev/null
		ip netns del $name
	done
	if [ -n "${ALB_PID:-}" ]; then kill -9 $ALB_PID; fi
	rm -rf /run/lab
}

# fetch HOST PORT PATH: sets CODE, BODY and FROM, the instance that answered.
fetch() {
	local line
	CODE=none BODY='' FROM=''
	{ exec {HTTP}<> "/dev/tcp/$1/$2"; } 2> /dev/null || return 1
	printf 'GET %s HTTP/1.0\r\nHost: lab\r\n\r\n' "$3" >&"$HTTP"
	if read -r -t 5 -u "$HTTP" _ CODE _; then
		while read -r -t 5 -u "$HTTP" line && [ "$line" != $'\r' ]; do
			case ${line,,} in instance:*) line=${line%$'\r'} FROM=${line##* } ;; esac
		done
		IFS= read -r -t 5 -N 262144 -u "$HTTP" BODY
		BODY=${BODY%$'\n'}
	fi
	exec {HTTP}>&-
}
healthz_of() { fetch $1 8099 /healthz && [ "$CODE" = $2 ]; } # ADDRESS STATUS
degraded_at() { healthz_of $1 200 && [[ $BODY == *degraded* ]]; }
in_service() { # NAME UP|DOWN, as HAProxy sees it
	fetch ${STATISTICS/:/ } "/;csv" && [[ $BODY =~ $'\n'"web,$1,"[^$'\n']*",$2"[,\ ] ]]
}
inside() { # NAME COMMAND...
	local outer=${INSTANCES[$1]} first
	read -r first _ < /proc/$outer/task/$outer/children
	nsenter -t "$first" -m -u -n -p -- "${@:2}"
}

# page PATH TEXT: the balancer's answer is this, whoever gives it.
page() {
	fetch ${ALB/:/ } "$1" || die "the balancer does not answer"
	[ "$CODE $BODY" = "200 $2" ] || die "$1 from ${FROM:-nobody} is $CODE $BODY, not $2"
}

# alternates PATH TEXT NAME...: by each of these and nobody else in turn, at once.
alternates() {
	local path=$1 text=$2 seen='' i
	shift 2
	for ((i = 0; i < 2 * $#; i++)); do
		page $path "$text"
		[[ " $* " == *" $FROM "* ]] || die "$path is served by $FROM, not one of $*"
		[ "$FROM" != "${seen##* }" ] || die "$path is served by $FROM twice running"
		seen+=" $FROM"
	done
	echo "served in turn:$seen"
}

lab_r6() {
	trap lab_stop EXIT
	lab_files
	alb_start

	# Nobody answers healthy while nothing is mounted, though the web servers are there:
	# an empty folder is never served in place of the shared one.
	silence
	instance_start web1 $WEB1 hang=degraded
	instance_start web2 $WEB2 hang=degraded
	local address
	for address in $WEB1 $WEB2; do
		within 20 "no agent on $address" healthz_of $address 503
		within 10 "no httpd on $address" fetch $address 80 /health.html
		expect "httpd serves" [ "$CODE" = 200 ]
		expect "still nothing mounted, still unhealthy" healthz_of $address 503
		fetch $address 80 /efs/page.html
		expect "nothing is served for it" [ "$CODE" = 404 ]
	done
	within 5 "the balancer finds somebody" in_service web1 DOWN
	within 5 "the balancer finds somebody" in_service web2 DOWN
	fetch ${ALB/:/ } /health.html
	expect "nobody serves" [ "$CODE" = 503 ]
	unsilence
	for address in $WEB1 $WEB2; do
		within 20 "$address does not mount" healthz_of $address 200
	done
	within 5 "the balancer does not take web1" in_service web1 UP
	within 5 "the balancer does not take web2" in_service web2 UP

	# What one writes all serve, at once and in turn.
	inside web1 sh -c "echo from-web1 > $EFS/page.html"
	alternates /efs/page.html from-web1 web1 web2
	inside web2 sh -c "echo from-web2 > $EFS/.new; mv $EFS/.new $EFS/second.html"
	alternates /efs/second.html from-web2 web1 web2
	expect "on the server" [ "$(< /srv/srv/page.html)/$(< /srv/srv/second.html)" = \
		from-web1/from-web2 ]

	# A new instance has it at its first healthy answer, and nobody sees an error meanwhile.
	local start=${EPOCHREALTIME/./} end asked=0
	end=$((start + 20000000))
	instance_start web3 $WEB3 hang=fail
	until healthz_of $WEB3 200; do
		[ "${EPOCHREALTIME/./}" -lt $end ] || die "web3 does not become healthy: $CODE"
		page /efs/page.html from-web1
		asked=$((asked + 1))
		nap
	done
	fetch $WEB3 80 /efs/page.html
	expect "web3 has the file with its first healthy answer, not $CODE $BODY" \
		[ "$CODE $BODY $FROM" = "200 from-web1 web3" ]
	echo "web3: healthy after $(((${EPOCHREALTIME/./} - start) / 1000)) ms, $asked pages meanwhile"
	within 5 "the balancer does not take web3" in_service web3 UP
	alternates /efs/second.html from-web2 web1 web2 web3

	# Silence for two of them: the one says degraded and stays, the other was told to fail.
	silence $WEB1 $WEB3
	within 6 "web1 does not notice" degraded_at $WEB1
	within 6 "web3 does not go" healthz_of $WEB3 503
	within 5 "the balancer keeps web3" in_service web3 DOWN
	expect "web1 stays in service" in_service web1 UP
	expect "web2 is whole" healthz_of $WEB2 200
	refuse "and not degraded" degraded_at $WEB2
	alternates /health.html alive web1 web2
	unsilence
	within 20 "web3 does not come back" healthz_of $WEB3 200
	within 5 "the balancer does not take web3 back" in_service web3 UP
	within 20 "web1 stays degraded" whole $WEB1
	alternates /efs/page.html from-web1 web1 web2 web3
}
whole() { healthz_of $1 200 && [[ $BODY != *degraded* ]]; }
scenario lab-r6
