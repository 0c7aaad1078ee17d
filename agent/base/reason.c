/*
 * Every process; the table behind enum reason of verdict.h. The screen, /status, the pages and
 * packaging/doc/operations.md show its texts: `wnactl status --reasons` prints it as Markdown.
 */
#include "verdict.h"

#define R(id, name, meaning, todo) [REASON_##id] = { name, meaning, todo }

static const struct reason_info table[REASON_MAX] = {
	R(NONE, "", "", ""),
	R(CONFIGURATION, "configuration",
	  "The configuration had a mistake at the first start after boot, and no earlier one is in "
	  "force.",
	  "Run sudo wnactl check, correct the files, then sudo systemctl reload web-node-agent."),
	R(DRAIN, "drain",
	  "`wnactl drain` has taken the node out of service; the web server serves on. See [drain "
	  "a node](#drain-a-node).",
	  "Run sudo wnactl undrain when the node may serve again."),
	R(SPOT, "spot-notice", "EC2 takes this spot instance back within two minutes.",
	  "Do nothing: the group replaces the instance."),

	R(STARTING, "starting", "The process of the job is connected and has not reported yet.",
	  "Wait some seconds. If it stays, read journalctl -u 'web-node-agent*'."),
	R(PROCESS_DOWN, "process-down",
	  "The process of a job is not connected to `wna-core`: it starts, restarts repeatedly, or "
	  "is of another version.",
	  "Run systemctl status 'web-node-agent*', and read the log of the unit that fails."),
	R(PROCESS_SILENT, "process-silent",
	  "A process has not reported for longer than the job's `max_age`: it hangs, or has ended. "
	  "Its last report has expired.",
	  "Run systemctl status 'web-node-agent*': systemd restarts a process that hangs. Its log "
	  "has the reason."),
	R(PROCESS_OLD, "process-old", "The process has not applied the last reload yet.",
	  "Wait some seconds: it restarts by itself."),
	R(SOCKETS, "sockets",
	  "`wna-sockets` cannot end connections: the kernel lacks CONFIG_INET_DIAG_DESTROY or "
	  "CONFIG_INET_TCP_DIAG, or the service CAP_NET_ADMIN. All else works. See "
	  "web-node-agent(7), \"Stale connections\".",
	  "Boot a kernel that has it, or set stale_connections = off in [database]."),

	R(IMDS_DISABLED, "imds-disabled",
	  "The metadata service is disabled for this instance, or by `AWS_EC2_METADATA_DISABLED`.",
	  "Set HttpEndpoint to enabled in the instance's metadata options."),
	R(IMDS_SILENT, "imds-silent",
	  "The metadata service does not answer. `web-node-agent-guard` allows root and "
	  "`wna-cloud`.",
	  "On EC2: check hop limit, route and local firewall. Elsewhere there is no metadata "
	  "service."),
	R(IMDS_BUSY, "imds-busy", "The metadata service limits the rate of requests (429, 503).",
	  "Find the program on this node that asks 169.254.169.254 all the time."),
	R(IMDS_BAD, "imds-bad",
	  "An answer is not one of a metadata service, or is without an instance ID; or the "
	  "group's name is outside ASCII.",
	  "Read the reason. Check imds.endpoint, and for a proxy in between."),

	R(MOUNT_STARTING, "mount-starting", "The first attempt to mount is under way.",
	  "Wait: it ends within mount.timeout, and is repeated."),
	R(MOUNT_NEW, "mount-new",
	  "The right file system is mounted, again if it was lost; no probe has ended yet. If this "
	  "repeats, a program unmounts it.",
	  "Wait: a probe succeeds, or the reason changes, within mount.max_age."),
	R(MOUNT_FAILED, "mount-failed",
	  "Nothing is mounted: see [what a failed mount says](#what-a-failed-mount-says).",
	  "Check the rules for TCP 2049, the file system's policy and the role; read journalctl -u "
	  "web-node-agent-mount."),
	R(MOUNT_STUCK, "mount-stuck",
	  "An attempt to mount was killed, but its process still waits in the kernel; no other is "
	  "begun before it ends, when the mount target answers.",
	  "Check the rules for TCP 2049 and the mount target. If only this node has it, let the "
	  "group replace it."),
	R(MOUNT_WRONG, "mount-wrong",
	  "Another file system is mounted at the path. The agent neither unmounts it nor mounts "
	  "over it.",
	  "Run findmnt, and unmount it: then the agent mounts the right one."),
	R(MOUNT_UNVERIFIED, "mount-unverified",
	  "Something is mounted; that it is the right file system is not proved yet.",
	  "Wait: the check is repeated. If it stays, check DNS and the entry of the mount in "
	  "/proc/self/mountinfo."),
	R(MOUNT_SILENT, "mount-silent",
	  "The right file system does not answer, and programs that use it wait. `fail` with "
	  "`mount.hang = fail`. See [the shared file system hangs](#the-shared-file-system-hangs).",
	  "Run sudo wnactl mount. Check EFS's metrics and the rules for TCP 2049; the agent "
	  "repairs its proxy."),
	R(MOUNT_PROXY, "mount-proxy",
	  "The proxy of the mount is dead, and no repair is left or allowed. See [the shared file "
	  "system hangs](#the-shared-file-system-hangs).",
	  "Run sudo wnactl mount repair. If it does not help, let the group replace the node."),

	R(CHECK_STARTING, "check-starting", "The check has had no result since the start.",
	  "Wait: it ends after the check's max_age at most."),
	R(CHECK_UNKNOWN, "check-unknown",
	  "The check has had no result for longer than its `max_age`: `wna-check` hangs, or "
	  "restarts repeatedly.",
	  "Run systemctl status web-node-agent-check; read journalctl -u web-node-agent-check."),
	R(CHECK_RISING, "check-rising",
	  "The check was bad, and its good results have not reached `rise` yet.",
	  "Wait for some more results."),
	R(HTTP_REFUSED, "http-refused", "Nobody listens on the port of the URL.",
	  "Start the web server: systemctl status httpd, or nginx. Its log says why it ended."),
	R(HTTP_SILENT, "http-silent",
	  "The web server accepts the connection, but does not answer in time.",
	  "Look for what the page waits for: all workers busy, the file system or the database "
	  "silent."),
	R(HTTP_ANSWER, "http-answer",
	  "The web server answers, but not as the check wants; redirects are not followed.",
	  "Open the URL with curl -i on this node, and read the web server's error log."),
	R(TCP, "tcp", "No TCP connection to the address of the check.",
	  "Refused: start the program that listens there. No answer: check the rules of its "
	  "security group."),
	R(FILE, "file", "The file of the check is missing, not readable or too old.",
	  "Find out what should write the file, and why it has not."),
	R(PROCESS, "process", "Fewer processes of this name run than the check wants.",
	  "Run systemctl --failed, and start the program again."),
	R(DISK, "disk", "The disk of the check has too little room, or too few inodes.",
	  "Run df -h and df -i, then remove old logs and files, or enlarge the volume."),

	R(DB_NAME, "db-name", "The endpoint's name does not resolve.",
	  "Check database.endpoint, /etc/resolv.conf, and the VPC's enableDnsSupport."),
	R(DB_READ_ONLY, "db-read-only",
	  "The server is read-only: a failover is under way, or the endpoint is a replica's.",
	  "Wait a minute, then read RDS's events. Is the endpoint the writer's?"),
	R(DB_DOWN, "db-down", "The database was away; it is not connected to yet.",
	  "Wait some seconds."),
	R(DB_NETWORK, "db-network", "No TCP connection to the database.",
	  "Wait a minute for a failover. Then check the rules for its port, and whether the "
	  "database runs."),
	R(DB_STALLED, "db-stalled",
	  "The server accepts the connection, but does not answer as MySQL.",
	  "Wait a minute for a failover. Then check the database's load, and what listens on this "
	  "port."),
	R(DB_LOST, "db-lost", "The session broke: the server ended it, or shuts down.",
	  "Wait a minute for a failover, then read RDS's events."),
	R(DB_LOGIN, "login-refused",
	  "The server refuses the user, the password or the token. With the stack: `journalctl -u "
	  "web-node-agent-database`.",
	  "Write the right password into database.password_file; it is tried at once. With auth = "
	  "iam: see wnactl iam-policy."),
	R(DB_SECRET, "login-secret",
	  "There is no password or token: the file is missing or not readable by `wna-rds`; or, "
	  "with `auth = iam`, `wna-cloud` has no credentials.",
	  "Run sudo wnactl check. The password file is root's, group wna-rds, mode 0640."),
	R(DB_FULL, "db-full", "The server has no connection, thread or memory left.",
	  "Look at the database's connections and memory: SHOW PROCESSLIST, RDS's metrics."),
	R(DB_CLOSED, "db-closed", "The server is in offline or read-only mode.",
	  "Wait a minute for a failover, then read RDS's events."),
	R(DB_BLOCKED, "db-blocked", "The server blocks this host after too many broken handshakes.",
	  "Run TRUNCATE TABLE performance_schema.host_cache on the database, and find the program "
	  "that breaks off logins."),
	R(DB_HOST, "db-host", "The server lets nobody log in from this host.",
	  "Let the user log in from this address: CREATE USER 'name'@'%', or the subnet's "
	  "pattern."),
	R(DB_TLS, "db-tls",
	  "No encrypted connection, or the certificate is not the endpoint's, or its CA is not in "
	  "`database.tls_ca`.",
	  "Check the clock, database.endpoint and the CA file: curl "
	  "truststore.pki.rds.amazonaws.com."),
	R(DB_CONFIG, "db-config", "Schema, method of login or TLS does not fit the server.",
	  "Compare [database] in agent.conf with the server: schema, auth, tls."),
	R(DB_OTHER, "db-other", "An error that the agent does not know.",
	  "Look its number up in MySQL's error reference; read journalctl -u web-node-agent-rds."),

	R(PUSH_STARTING, "push-starting",
	  "Nothing has been pushed since the start: the first push needs one window. `/readyz` "
	  "does not wait for it.",
	  "Wait for the first window."),
	R(PUSH_HELD, "push-held",
	  "A node that is new, or not `InService`, pushes nothing: its load must not influence "
	  "scaling.",
	  "Do nothing: the agent pushes when the node is in service."),
	R(PUSH_GROUP, "push-group",
	  "For longer than `metrics.max_age` no series of the group is pushed: group, instance or "
	  "target state is not known. The group scales without this node's share.",
	  "Set InstanceMetadataTags to enabled in the launch template, or imds.auto_scaling_group. "
	  "See identity first."),
	R(PUSH_CREDENTIALS, "push-credentials",
	  "There are no credentials for the signature; samples wait on disk.",
	  "Give the instance a role with the rights of wnactl iam-policy, or mend "
	  "metrics.credentials_file."),
	R(PUSH_RETRYING, "push-retrying",
	  "CloudWatch cannot be reached, or has failed; samples wait on disk, up to "
	  "`metrics.queue_age` and `metrics.queue_max`.",
	  "Check the way to CloudWatch: the endpoint's security group, DNS, a route."),
	R(PUSH_DENIED, "push-denied", "CloudWatch refuses the push; samples wait on disk.",
	  "Give the role what wnactl iam-policy prints; check the endpoint's policy too."),
	R(PUSH_DISK, "push-disk",
	  "The queue cannot be written, and samples wait in memory: a restart loses them.",
	  "Run df -h /var/lib/web-node-agent, and make room."),
};

const struct reason_info *reason_info(int64_t reason)
{
	return &table[reason >= 0 && reason < REASON_MAX ? reason : REASON_NONE];
}
