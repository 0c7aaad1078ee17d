/*
 * The job behind identity.h, shared by identity.c, which asks, and
 * identity_report.c, which tells, alone.
 */
#ifndef CLOUD_IDENTITY_JOB_H
#define CLOUD_IDENTITY_JOB_H

#include "facts_file.h"
#include "identity.h"
#include "imds.h"
#include "tagwalk.h"
#include "worker.h"

enum { MAC_TEXT = 18 };

enum item_id {
	ITEM_INSTANCE_ID,
	ITEM_REGION,
	ITEM_TARGET_STATE,
	ITEM_ASG,
	ITEM_AZ,
	ITEM_DOMAIN,
	ITEM_PARTITION,
	ITEM_INSTANCE_TYPE,
	ITEM_AMI_ID,
	ITEM_PRIVATE_IPV4,
	ITEM_PUBLIC_IPV4,
	ITEM_AZ_ID,
	ITEM_LIFE_CYCLE,
	ITEM_MAC, /* no fact: the way to the next two */
	ITEM_VPC_ID,
	ITEM_SUBNET_ID,
	ITEM_MAX
};

struct item {
	const char *path; /* below /latest/meta-data/; '*' stands for the MAC address */
	int64_t due_ms;
	bool answered;     /* 200 or 404 since start */
	unsigned failures; /* in a row */
	unsigned absences; /* in a row */
	char why[96];      /* of the last failure; "" = none */
};

struct identity_job {
	const struct worker *worker;
	const struct conf_imds *conf;
	struct imds *imds;
	const char *run_dir;
	struct item item[ITEM_MAX];
	char mac[MAC_TEXT];
	struct imds_ask ask;
	enum item_id asked; /* what `ask` is about */
	struct facts facts;
	struct tagwalk walk;
	struct facts_files files;
	bool unsaved;
	bool save_failed; /* told of it */
	int64_t report_ms;
	int64_t told_state; /* FACT_IMDS as sent last */
	struct identity identity;
};

/* Sends one text fact, the tags, FACT_IMDS; what is unknown is not sent. */
void identity_send_text(const struct identity_job *job, enum fact_id id);
void identity_send_tags(const struct identity_job *job);
void identity_send_state(struct identity_job *job);

/* True if FACT_IMDS is another than was sent last. */
bool identity_state_changed(const struct identity_job *job);

/* Starts from, and writes to, the files of run_dir; problems are logged once. */
void identity_remember(struct identity_job *job);
void identity_save(struct identity_job *job);

#endif
