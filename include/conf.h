/*
 * The configuration: a pointer-free struct that `wnactl load` fills from the INI files
 * and writes as a snapshot (snapshot.h), which every process maps. One table of keys
 * gives the parser, `wnactl check`, `wnactl config` and the manual page.
 *
 * A process restarts on reload only if a part that it depends on changed: the parts
 * are the members of struct conf.
 */
#ifndef WNA_CONF_H
#define WNA_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "limits.h"
#include "net.h"

#define CONF_FILE_DEFAULT "/etc/web-node-agent/agent.conf"
#define CONF_RUN_DIR      "/run/web-node-agent"     /* root's; one folder below per writer */
#define CONF_STATE_DIR    "/var/lib/web-node-agent" /* same */

/* wna-cloud writes it there for wna-rds (cloud_login.c). */
#define LOGIN_DIR  CONF_RUN_DIR "/login"
#define LOGIN_FILE "token"

enum conf_scope { SCOPE_LOCAL, SCOPE_SHARED };
enum conf_initial { INITIAL_GOOD, INITIAL_BAD };
enum check_type { CHECK_HTTP, CHECK_TCP, CHECK_FILE, CHECK_PROCESS, CHECK_DISK, CHECK_TYPE_MAX };
enum conf_hang { HANG_DEGRADED, HANG_FAIL };
enum conf_repair { REPAIR_OFF, REPAIR_SAFE, REPAIR_FORCE };
enum conf_imds_mode { IMDS_IPV4, IMDS_IPV6 };
enum conf_db_tls { DB_TLS_VERIFY, DB_TLS_REQUIRED, DB_TLS_OFF };
enum conf_db_auth { DB_AUTH_PASSWORD, DB_AUTH_IAM };
enum conf_stale { STALE_OFF, STALE_FAILOVER, STALE_AT_ONCE };

/* [agent] */
struct conf_agent {
	int32_t log_level; /* enum log_level */
};

/* [health] */
struct conf_health {
	struct net_endpoint listen;
	struct net_list status_allow; /* may read the page, /status, /metrics; beside loopback */
	int32_t max_connections;      /* 16..LIMIT_CONNECTIONS */
	int64_t request_timeout_ms;   /* first byte to last byte of a request */
	int64_t idle_timeout_ms;      /* keep-alive */
};

/* [imds] */
struct conf_imds {
	char endpoint[LIMIT_VALUE]; /* empty: by mode */
	int32_t endpoint_mode;      /* enum conf_imds_mode */
	int64_t timeout_ms;         /* one request */
	int64_t refresh_ms;         /* all facts */
	int64_t state_ms;           /* target-lifecycle-state */
	int64_t token_ttl_s;        /* 1..21600 */
	char asg[LIMIT_HOST];       /* empty: from the tag */
	int64_t max_age_ms;
};

/* [mount] */
struct conf_mount {
	bool enabled;
	char path[LIMIT_PATH];
	char type[LIMIT_NAME];         /* "auto": efs if its helper is installed, else nfs4 */
	char source[LIMIT_VALUE];      /* empty: from file_system */
	char file_system[LIMIT_NAME];  /* fs-0123456789abcdef0 */
	char export_path[LIMIT_PATH];  /* "/" */
	char expect_type[LIMIT_NAME];  /* the file-system type when it is mounted; empty: by type */
	bool tls, iam;                 /* for type efs */
	char access_point[LIMIT_NAME]; /* fsap-... */
	char region[LIMIT_NAME];       /* empty: from the metadata */
	char domain[LIMIT_HOST];       /* empty: from the metadata */
	char options[LIMIT_VALUE];     /* appended */
	bool guard;                    /* make the bare directory immutable */
	int64_t timeout_ms;            /* one mount operation */
	int64_t retry_min_ms, retry_max_ms;
	int64_t probe_interval_ms, probe_timeout_ms, max_age_ms;
	char probe_file[LIMIT_PATH]; /* below path; empty: statfs only */
	int32_t hang;                /* enum conf_hang */
	int32_t repair;              /* enum conf_repair */
};

/* [check NAME] */
struct conf_check {
	char name[LIMIT_NAME];
	int32_t type;    /* enum check_type */
	int32_t scope;   /* enum conf_scope */
	int32_t initial; /* enum conf_initial */
	int64_t interval_ms, timeout_ms, max_age_ms;
	int32_t rise, fall; /* consecutive results, 1..32 */
	/* http */
	char url[LIMIT_VALUE]; /* http://host[:port]/path */
	char host[LIMIT_HOST]; /* Host header; empty: from the URL */
	int32_t status_min, status_max;
	/* tcp */
	struct net_endpoint address;
	/* file, disk */
	char path[LIMIT_PATH];
	int64_t file_max_age_ms; /* 0: any */
	int64_t min_free_bytes;
	int32_t min_free_percent;
	int32_t min_free_inodes_percent;
	/* process */
	char process[LIMIT_NAME]; /* comm or base name of argv[0], exact */
	int32_t min_count;
};

struct conf_checks {
	int32_t count;
	struct conf_check item[LIMIT_CHECKS];
};

/* [database] */
struct conf_rds {
	bool enabled; /* an endpoint is given */
	char endpoint[LIMIT_HOST];
	int32_t port;
	char user[LIMIT_NAME];
	int32_t auth;                   /* enum conf_db_auth */
	char password_file[LIMIT_PATH]; /* root's, 0640; of DB_AUTH_PASSWORD */
	char schema[LIMIT_NAME];        /* may be empty */
	int32_t tls;                    /* enum conf_db_tls */
	char tls_ca[LIMIT_PATH];
	int64_t interval_ms; /* between two questions to the session */
	int64_t timeout_ms;  /* connect, read, write */
	int64_t dns_timeout_ms;
	int64_t dns_max_ms;  /* longest time an answer is kept */
	int64_t dns_fast_ms; /* while the database does not answer */
	char resolv_conf[LIMIT_PATH];
	int64_t max_age_ms;
	int32_t stale_connections; /* enum conf_stale */
};

/* [hooks] */
struct conf_hooks {
	bool enabled;
	char directory[LIMIT_PATH]; /* directory/EVENT/ holds the scripts, root's */
	char user[LIMIT_NAME];
	int64_t timeout_ms; /* for all scripts of one event */
};

/* [metrics] */
struct conf_metrics {
	bool enabled;
	char space[LIMIT_HOST]; /* namespace */
	char name[LIMIT_HOST];  /* metric name */
	int64_t push_ms;        /* 10 s or 60 s */
	int32_t resolution;     /* 1 or 60: StorageResolution */
	bool per_instance;
	char endpoint[LIMIT_VALUE]; /* empty: from the region */
	char region[LIMIT_NAME];    /* empty: from the metadata */
	bool fips, dual_stack;
	bool allow_http;                   /* plain http:// beyond loopback */
	char ca_file[LIMIT_PATH];          /* empty: the system's */
	char credentials_file[LIMIT_PATH]; /* AWS's shared file; root's, 0600; may be empty */
	char profile[LIMIT_NAME];
	int64_t queue_max;    /* data kept on disk */
	int64_t queue_age_ms; /* older data is dropped (CloudWatch takes two weeks) */
	int64_t timeout_ms;   /* one push */
	int64_t retry_max_ms;
	int64_t max_age_ms;
};

/* [lifecycle] */
struct conf_life {
	int32_t web_port;
	int64_t drain_delay_ms; /* the longest drain */
	int64_t drain_quiet_ms; /* without a connection, after which the node is drained */
	/* Names of lifecycle hooks of the group; empty: off. */
	char launch_hook[LIMIT_HOST], terminate_hook[LIMIT_HOST];
	int64_t launch_deadline_ms;
	char endpoint[LIMIT_VALUE]; /* of EC2 Auto Scaling; empty: from the region */
};

struct conf {
	struct conf_agent agent;
	struct conf_health health;
	struct conf_imds imds;
	struct conf_mount mount;
	struct conf_checks checks;
	struct conf_rds rds;
	struct conf_hooks hooks;
	struct conf_metrics metrics;
	struct conf_life life;
};

#endif
