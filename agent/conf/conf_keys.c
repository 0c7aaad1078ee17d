/* For wnactl; never blocks. The table of keys, and the search in it. */
#include <string.h>

#include "conf_load.h"
#include "log.h"
#include "str.h"

static const char *const log_levels[] = { "error", "warning", "info", "debug", NULL };
static const char *const scopes[] = { "local", "shared", NULL };
static const char *const initials[] = { "good", "bad", NULL };
static const char *const types[] = { "http", "tcp", "file", "process", "disk", NULL };
static const char *const hangs[] = { "degraded", "fail", NULL };
static const char *const repairs[] = { "off", "safe", "force", NULL };
static const char *const modes[] = { "ipv4", "ipv6", NULL };
static const char *const tls_modes[] = { "verify", "required", "off", NULL };
static const char *const auth_modes[] = { "password", "iam", NULL };
static const char *const stale_modes[] = { "off", "failover", "at_once", NULL };

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
#define DAY ((int64_t)24 * HOUR)

#define AT(member)         offsetof(struct conf, member)
#define CHECK_AT(member)   offsetof(struct conf_check, member)
#define SIZE(member)       ((int64_t)sizeof(((struct conf *)0)->member))
#define CHECK_SIZE(member) ((int64_t)sizeof(((struct conf_check *)0)->member))

/* Versions of clang-format disagree about this macro. */
/* clang-format off */
#define KEY(sec, key, type, at, text, lo, hi, list, help, uses)                                    \
	{                                                                                          \
		sec, key, type, uses, at, text, lo, hi, list, help                                 \
	}
/* clang-format on */
#define BOOL(sec, key, member, text, help)                                                         \
	KEY(sec, key, CONF_TYPE_BOOL, AT(member), text, 0, 1, NULL, help, 0)
#define NUMBER(sec, key, member, text, lo, hi, help)                                               \
	KEY(sec, key, CONF_TYPE_INT, AT(member), text, lo, hi, NULL, help, 0)
#define COUNT(sec, key, member, text, lo, hi, help)                                                \
	KEY(sec, key, CONF_TYPE_COUNT, AT(member), text, lo, hi, NULL, help, 0)
#define SPAN(sec, key, member, text, lo, hi, help)                                                 \
	KEY(sec, key, CONF_TYPE_DURATION, AT(member), text, lo, hi, NULL, help, 0)
#define WORDS(sec, key, type, member, text, help)                                                  \
	KEY(sec, key, type, AT(member), text, 0, SIZE(member), NULL, help, 0)
#define CHOICE(sec, key, member, text, list, help)                                                 \
	KEY(sec, key, CONF_TYPE_ENUM, AT(member), text, 0, 0, list, help, 0)
#define CHECK_KEY(key, uses, type, member, text, lo, hi, list, help)                               \
	KEY("check", key, type, CHECK_AT(member), text, lo, hi, list, help, uses)

enum { HTTP = 1 << CHECK_HTTP, TCP = 1 << CHECK_TCP, FILES = 1 << CHECK_FILE };
enum { PROCESS = 1 << CHECK_PROCESS, DISK = 1 << CHECK_DISK };

const struct conf_key conf_keys[] = {
	CHOICE("agent", "log_level", agent.log_level, "info", log_levels,
	       "Highest level that is logged."),

	WORDS("health", "listen", CONF_TYPE_ENDPOINT, health.listen, "0.0.0.0:8099",
	      "Address and port of the health checks, as web-node-agent-health.socket has them."),
	WORDS("health", "status_allow", CONF_TYPE_NETS, health.status_allow, "",
	      "Networks that may read /, /status and /metrics beside loopback, separated by "
	      "blanks."),
	NUMBER("health", "max_connections", health.max_connections, "512", 16, LIMIT_CONNECTIONS,
	       "Connections held at a time; one more evicts the longest idle."),
	SPAN("health", "request_timeout", health.request_timeout_ms, "5s", 100, 60 * SECOND,
	     "Longest time from the first byte of a request to its last."),
	SPAN("health", "idle_timeout", health.idle_timeout_ms, "75s", SECOND, HOUR,
	     "How long a kept-alive connection may be silent; above the ALB's 60 s."),

	WORDS("imds", "endpoint", CONF_TYPE_NAME, imds.endpoint, "",
	      "URL of the instance metadata service; empty: the standard address."),
	CHOICE("imds", "endpoint_mode", imds.endpoint_mode, "ipv4", modes,
	       "Which standard address: 169.254.169.254 or [fd00:ec2::254]."),
	SPAN("imds", "timeout", imds.timeout_ms, "1s", 50, 30 * SECOND, "One request."),
	SPAN("imds", "refresh", imds.refresh_ms, "60s", SECOND, HOUR,
	     "How often all metadata are asked for again."),
	SPAN("imds", "state_refresh", imds.state_ms, "5s", 500, 10 * MINUTE,
	     "How often autoscaling/target-lifecycle-state is asked, and on spot instances the "
	     "notices."),
	COUNT("imds", "token_ttl", imds.token_ttl_s, "21600", 1, 21600,
	      "Lifetime asked for the session token, in seconds."),
	WORDS("imds", "auto_scaling_group", CONF_TYPE_TEXT, imds.asg, "",
	      "Name of the Auto Scaling group; empty: from the instance's tags."),
	/* wna-cloud reports it every 10 s, however long the refresh is (cloud_identity.c). */
	SPAN("imds", "max_age", imds.max_age_ms, "5m", 15 * SECOND, DAY,
	     "Age at which the answers of the metadata service count as unknown."),

	BOOL("mount", "enabled", mount.enabled, "no", "Whether the shared file system is mounted."),
	WORDS("mount", "path", CONF_TYPE_PATH, mount.path, "/var/www/html/efs",
	      "The directory to mount on; the directories above it are not symbolic links, and "
	      "only root can write them."),
	WORDS("mount", "type", CONF_TYPE_NAME, mount.type, "auto",
	      "auto (efs if amazon-efs-utils is there, else nfs4), efs, nfs4, or any type that "
	      "libmount knows."),
	WORDS("mount", "file_system", CONF_TYPE_NAME, mount.file_system, "",
	      "EFS file system id, fs-..."),
	WORDS("mount", "source", CONF_TYPE_TEXT, mount.source, "",
	      "What to mount, for types other than EFS; overrides file_system."),
	WORDS("mount", "export", CONF_TYPE_PATH, mount.export_path, "/",
	      "Folder of the file system that is mounted."),
	WORDS("mount", "expect_type", CONF_TYPE_NAME, mount.expect_type, "",
	      "File-system type then found in mountinfo; empty: nfs4 for efs, else the type."),
	BOOL("mount", "tls", mount.tls, "yes", "With type efs: encrypt."),
	BOOL("mount", "iam", mount.iam, "no", "With type efs: authorise by the instance's role."),
	WORDS("mount", "access_point", CONF_TYPE_NAME, mount.access_point, "",
	      "With type efs: access point, fsap-..."),
	WORDS("mount", "region", CONF_TYPE_NAME, mount.region, "",
	      "Empty: from the metadata. mount.efs is given it from amazon-efs-utils 2.1 on; "
	      "older versions use only their own efs-utils.conf and the metadata."),
	WORDS("mount", "domain", CONF_TYPE_NAME, mount.domain, "",
	      "DNS suffix of AWS; empty: from the metadata."),
	WORDS("mount", "options", CONF_TYPE_TEXT, mount.options, "",
	      "Mount options added to the recommended ones (nosuid and nodev among them)."),
	BOOL("mount", "guard", mount.guard, "yes",
	     "Make the bare directory immutable: no file is made in it while nothing is "
	     "mounted."),
	SPAN("mount", "timeout", mount.timeout_ms, "60s", SECOND, 10 * MINUTE,
	     "Longest time of a mount operation; then its processes are ended."),
	SPAN("mount", "retry_min", mount.retry_min_ms, "2s", 100, HOUR,
	     "First wait after a failure."),
	SPAN("mount", "retry_max", mount.retry_max_ms, "60s", 100, HOUR, "Longest wait."),
	SPAN("mount", "probe_interval", mount.probe_interval_ms, "5s", 200, 10 * MINUTE,
	     "How often the file system is asked for a sign of life."),
	SPAN("mount", "probe_timeout", mount.probe_timeout_ms, "4s", 100, 10 * MINUTE,
	     "How long one probe may wait before it is killed; on NFS at least 90 s."),
	SPAN("mount", "max_age", mount.max_age_ms, "10s", 500, HOUR,
	     "Age at which the last sign of life counts as unknown."),
	WORDS("mount", "probe_file", CONF_TYPE_TEXT, mount.probe_file, "",
	      "A file, relative to the path, that each probe also reads; empty: none."),
	CHOICE("mount", "hang", mount.hang, "degraded", hangs,
	       "What /healthz says while the right file system is mounted but silent."),
	CHOICE("mount", "repair", mount.repair, "safe", repairs,
	       "safe: end and start the proxy of a hung EFS mount; no data is lost. off: only "
	       "report. force: if that has not helped for 5 minutes, also give the mount up and "
	       "mount anew, which loses what was not synced and fails all open files."),

	CHECK_KEY("type", 0, CONF_TYPE_ENUM, type, "http", 0, 0, types, "Kind of check."),
	CHECK_KEY("scope", 0, CONF_TYPE_ENUM, scope, "local", 0, 0, scopes,
	          "local: a failure concerns this node alone, and turns /healthz. shared: all "
	          "nodes have it at once, and it never does."),
	CHECK_KEY("interval", 0, CONF_TYPE_DURATION, interval_ms, "5s", 100, HOUR, NULL,
	          "Between two checks; until the first success 500 ms."),
	CHECK_KEY("timeout", 0, CONF_TYPE_DURATION, timeout_ms, "2s", 50, MINUTE, NULL,
	          "Longest time of one check."),
	CHECK_KEY("rise", 0, CONF_TYPE_INT, rise, "2", 1, 32, NULL,
	          "Good results in a row after which the check is good."),
	CHECK_KEY("fall", 0, CONF_TYPE_INT, fall, "3", 1, 32, NULL,
	          "Bad results in a row after which the check is bad."),
	CHECK_KEY("initial", 0, CONF_TYPE_ENUM, initial, "bad", 0, 0, initials,
	          "State before the first result."),
	CHECK_KEY("max_age", 0, CONF_TYPE_DURATION, max_age_ms, "20s", SECOND, DAY, NULL,
	          "Age at which the last result counts as unknown."),
	CHECK_KEY("url", HTTP, CONF_TYPE_TEXT, url, "http://127.0.0.1/health.html", 0,
	          CHECK_SIZE(url), NULL,
	          "http: what to get; a static file that is not on the shared file system."),
	CHECK_KEY("host", HTTP, CONF_TYPE_NAME, host, "", 0, CHECK_SIZE(host), NULL,
	          "http: the Host header; empty: from the URL."),
	CHECK_KEY("status", HTTP, CONF_TYPE_STATUS, status_min, "200-299", 100, 599, NULL,
	          "http: status codes that are good; redirects are not followed."),
	CHECK_KEY("address", TCP, CONF_TYPE_ENDPOINT, address, "", 0, CHECK_SIZE(address), NULL,
	          "tcp: address and port to connect to."),
	CHECK_KEY("path", FILES | DISK, CONF_TYPE_PATH, path, "", 0, CHECK_SIZE(path), NULL,
	          "file, disk: what to look at; never below a network file system."),
	CHECK_KEY("file_max_age", FILES, CONF_TYPE_DURATION, file_max_age_ms, "0", 0, 365 * DAY,
	          NULL, "file: how old its last change may be; 0: any age."),
	CHECK_KEY("min_free", DISK, CONF_TYPE_BYTES, min_free_bytes, "0", 0, INT64_MAX, NULL,
	          "disk: bytes that must be free, as 500M."),
	CHECK_KEY("min_free_percent", DISK, CONF_TYPE_INT, min_free_percent, "5", 0, 100, NULL,
	          "disk: percent that must be free."),
	CHECK_KEY("min_free_inodes_percent", DISK, CONF_TYPE_INT, min_free_inodes_percent, "2", 0,
	          100, NULL, "disk: percent of inodes that must be free."),
	CHECK_KEY("process", PROCESS, CONF_TYPE_NAME, process, "", 0, CHECK_SIZE(process), NULL,
	          "process: name of the executable."),
	CHECK_KEY("min_count", PROCESS, CONF_TYPE_INT, min_count, "1", 1, 100000, NULL,
	          "process: how many there must be."),

	BOOL("database", "enabled", rds.enabled, "no", "Whether the database is watched."),
	WORDS("database", "endpoint", CONF_TYPE_NAME, rds.endpoint, "", "The endpoint's DNS name."),
	NUMBER("database", "port", rds.port, "3306", 1, 65535, "Its port."),
	WORDS("database", "user", CONF_TYPE_NAME, rds.user, "wna", "User to log in as."),
	CHOICE("database", "auth", rds.auth, "password", auth_modes,
	       "password: log in with password_file; iam: with a token that the instance's role "
	       "signs. iam needs tls = verify; endpoint is a name of RDS, or an alias of one."),
	WORDS("database", "password_file", CONF_TYPE_PATH, rds.password_file, "",
	      "File with the password in its first line; root:wna-rds, mode 0640."),
	WORDS("database", "schema", CONF_TYPE_NAME, rds.schema, "",
	      "Schema to select; may be empty."),
	CHOICE("database", "tls", rds.tls, "verify", tls_modes,
	       "verify: TLS with a certificate that is valid for the endpoint's name; required: "
	       "TLS "
	       "with any certificate; off: TLS is not required."),
	WORDS("database", "tls_ca", CONF_TYPE_PATH, rds.tls_ca, "",
	      "File of CA certificates that user wna-rds can read; needed for verify."),
	SPAN("database", "interval", rds.interval_ms, "2s", 200, HOUR,
	     "Between two questions to the kept session."),
	SPAN("database", "timeout", rds.timeout_ms, "3s", SECOND, MINUTE,
	     "Longest time of one step: connect, read or write."),
	SPAN("database", "dns_timeout", rds.dns_timeout_ms, "2s", 100, 30 * SECOND,
	     "Longest time of one resolution."),
	SPAN("database", "dns_max", rds.dns_max_ms, "30s", SECOND, HOUR,
	     "Longest time that a DNS answer is kept, whatever its TTL."),
	SPAN("database", "dns_fast", rds.dns_fast_ms, "1s", 100, MINUTE,
	     "Between resolutions while the database does not answer."),
	WORDS("database", "resolv_conf", CONF_TYPE_PATH, rds.resolv_conf, "/etc/resolv.conf",
	      "Where the name servers are listed."),
	SPAN("database", "max_age", rds.max_age_ms, "20s", SECOND, DAY,
	     "Age at which the last report on the database counts as unknown."),
	CHOICE("database", "stale_connections", rds.stale_connections, "failover", stale_modes,
	       "When this node's connections to a server are ended. failover: when another server "
	       "is the writer; at_once: also when the server is silent; off: never."),

	BOOL("hooks", "enabled", hooks.enabled, "no", "Whether hook scripts are run."),
	WORDS("hooks", "directory", CONF_TYPE_PATH, hooks.directory, "/etc/web-node-agent/hooks.d",
	      "Holds a folder per event (database-moved) with the scripts."),
	WORDS("hooks", "user", CONF_TYPE_NAME, hooks.user, "wna-hooks",
	      "The scripts' user, as web-node-agent-hooks.service has it."),
	SPAN("hooks", "timeout", hooks.timeout_ms, "30s", 100, HOUR,
	     "Longest time of all scripts of one event together."),

	BOOL("metrics", "enabled", metrics.enabled, "yes", "Whether CPU metrics are pushed."),
	WORDS("metrics", "namespace", CONF_TYPE_TEXT, metrics.space, "WebNodeAgent",
	      "CloudWatch namespace; not beginning with AWS/ or a colon."),
	WORDS("metrics", "name", CONF_TYPE_TEXT, metrics.name, "CPUUtilization", "Metric name."),
	SPAN("metrics", "push_interval", metrics.push_ms, "10s", 10 * SECOND, 60 * SECOND,
	     "Window of one datum: 10s or 60s."),
	NUMBER("metrics", "resolution", metrics.resolution, "1", 1, 60,
	       "StorageResolution: 1 or 60."),
	BOOL("metrics", "per_instance", metrics.per_instance, "no",
	     "Push a series with the dimension InstanceId too (each is billed)."),
	WORDS("metrics", "endpoint", CONF_TYPE_TEXT, metrics.endpoint, "",
	      "URL of CloudWatch; empty: by region."),
	WORDS("metrics", "region", CONF_TYPE_NAME, metrics.region, "", "Empty: from the metadata."),
	BOOL("metrics", "fips", metrics.fips, "no", "Use the FIPS endpoint."),
	BOOL("metrics", "dual_stack", metrics.dual_stack, "no", "Use the dual-stack endpoint."),
	BOOL("metrics", "allow_http", metrics.allow_http, "no",
	     "Allow a plain http:// endpoint that is not loopback."),
	WORDS("metrics", "ca_file", CONF_TYPE_PATH, metrics.ca_file, "",
	      "File of CA certificates for AWS that user wna-cloud can read; empty: the system's."),
	WORDS("metrics", "credentials_file", CONF_TYPE_PATH, metrics.credentials_file, "",
	      "AWS shared credentials file; root:wna-cloud, mode 0640; empty: the role's."),
	WORDS("metrics", "profile", CONF_TYPE_NAME, metrics.profile, "",
	      "Profile that must be in that file; empty: AWS_PROFILE, or default if there."),
	COUNT("metrics", "queue_max", metrics.queue_max, "20000", 10, 1000000,
	      "Data kept on disk while CloudWatch does not accept them."),
	SPAN("metrics", "queue_age", metrics.queue_age_ms, "13d", MINUTE, 13 * DAY,
	     "Older data is dropped; CloudWatch accepts two weeks."),
	SPAN("metrics", "timeout", metrics.timeout_ms, "10s", SECOND, MINUTE, "One push."),
	SPAN("metrics", "retry_max", metrics.retry_max_ms, "60s", SECOND, HOUR,
	     "Longest wait between tries."),
	SPAN("metrics", "max_age", metrics.max_age_ms, "2m", 10 * SECOND, HOUR,
	     "Age at which the last report on the pushes counts as unknown; also the longest wait "
	     "for the first push."),

	NUMBER("lifecycle", "web_port", life.web_port, "80", 1, 65535,
	       "Port of the web server whose connections a drain waits for."),
	SPAN("lifecycle", "drain_delay", life.drain_delay_ms, "5m", 0, HOUR,
	     "Longest drain; as the target group's deregistration delay."),
	SPAN("lifecycle", "drain_quiet", life.drain_quiet_ms, "30s", 0, HOUR,
	     "Time without a client's connection after which the node is drained; at least the "
	     "health check's interval times its unhealthy threshold."),
	WORDS("lifecycle", "launch_hook", CONF_TYPE_NAME, life.launch_hook, "",
	      "Lifecycle hook of the group for launches, completed when checks, mount and "
	      "database "
	      "are well; empty: off."),
	SPAN("lifecycle", "launch_deadline", life.launch_deadline_ms, "10m", 30 * SECOND, 24 * HOUR,
	     "The launch is abandoned if the node is not well by then."),
	WORDS("lifecycle", "terminate_hook", CONF_TYPE_NAME, life.terminate_hook, "",
	      "Lifecycle hook of the group for terminations, completed when the metrics have been "
	      "sent; empty: off."),
	WORDS("lifecycle", "endpoint", CONF_TYPE_TEXT, life.endpoint, "",
	      "URL of EC2 Auto Scaling; empty: by region; all else for AWS is as in [metrics]."),
};

const size_t conf_keys_count = sizeof conf_keys / sizeof conf_keys[0];

const char *const conf_sections[] = { "agent",    "health", "imds",    "mount",     "check",
	                              "database", "hooks",  "metrics", "lifecycle", NULL };

const struct conf_key *conf_key_find(const char *section, const char *name)
{
	for (size_t i = 0; i < conf_keys_count; i++) {
		if (strcmp(conf_keys[i].section, section) == 0 &&
		    strcmp(conf_keys[i].name, name) == 0)
			return &conf_keys[i];
	}
	return NULL;
}

int conf_section_find(const char *section)
{
	for (int i = 0; conf_sections[i]; i++) {
		if (strcmp(conf_sections[i], section) == 0)
			return i;
	}
	return -1;
}

void conf_reset(bool check, void *base)
{
	char expected[160];

	for (size_t i = 0; i < conf_keys_count; i++) {
		if ((strcmp(conf_keys[i].section, "check") == 0) == check)
			conf_key_set(&conf_keys[i], base, conf_keys[i].initial, expected,
			             sizeof expected);
	}
}

/* The number of letters that are missing, superfluous, wrong or swapped with the next; both
 * texts are shorter than LIMIT_NAME. */
static int distance(const char *a, const char *b)
{
	int d[LIMIT_NAME][LIMIT_NAME];
	int i, j, least;

	for (i = 0; i == 0 || a[i - 1]; i++) {
		for (j = 0; j == 0 || b[j - 1]; j++) {
			least = i && j ? d[i - 1][j - 1] + (a[i - 1] != b[j - 1]) : i + j;
			if (i && d[i - 1][j] + 1 < least)
				least = d[i - 1][j] + 1;
			if (j && d[i][j - 1] + 1 < least)
				least = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < least)
				least = d[i - 2][j - 2] + 1;
			d[i][j] = least;
		}
	}
	return d[i - 1][j - 1];
}

const char *conf_nearest(const char *section, const char *word)
{
	const char *best = NULL, *name;
	int least = INT_MAX, n;

	for (size_t i = 0; i < conf_keys_count && strlen(word) < LIMIT_NAME; i++) {
		if (section && strcmp(conf_keys[i].section, section) != 0)
			continue;
		name = section ? conf_keys[i].name : conf_keys[i].section;
		n = distance(word, name);
		/* One mistake in a short word, one more for each six letters. */
		if (n < least && n <= 1 + (int)strlen(name) / 6) {
			least = n;
			best = name;
		}
	}
	return best;
}
