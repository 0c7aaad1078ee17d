/* Run by wna-mount as root; never blocks. Owns the child that tries connections, and a proxy that
 * was started here. */
#include "mount.h"

#include <string.h>

#include "log.h"
#include "str.h"

enum { NFS_PORT = 2049 };

void mend_say(struct mend *mend, const struct worker *worker)
{
	struct msg msg;

	keeper_report_service(mend->keeper, &msg);
	worker_say(worker, &msg);
	if (strcmp(mend->told, msg.text) != 0)
		log_warning("mount: %s: %s", mend->conf->path, msg.text);
	str_copy(mend->told, sizeof mend->told, msg.text);
	if ((enum service_state)msg.value != mend->said)
		log_info("mount: %s: %s%s%s", mend->conf->path, service_state_name(msg.value),
		         msg.why[0] ? ", " : "", msg.why);
	mend->said = (enum service_state)msg.value;
}

void mend_read(struct mend *mend, int64_t now_ms)
{
	const struct keeper_look *look = &mend->keeper->look;
	struct watch watch = { mend->conf->path, look->server, look->port };
	struct heal_reading reading;

	watch_read(&watch, mend->keeper->heal.full, &reading);
	keeper_read(mend->keeper, &reading, now_ms);
}

static struct proxy *proxy_of(struct mend *mend)
{
	mend->proxy.file_system = mend->target->file_system;
	mend->proxy.path = mend->conf->path;
	mend->proxy.port = mend->keeper->look.port;
	return &mend->proxy;
}

/* Each question has a process of its own: name servers may be silent as well. */
void mend_reach(struct mend *mend, int64_t now_ms)
{
	struct probe_question question = { .limit_ms = PROBE_REACH_MS + KEEPER_NAMES_MS,
		                           .reach_port = NFS_PORT };
	const struct keeper_look *look = &mend->keeper->look;
	char why[LIMIT_FACT_WHY];

	mend->reached = false;
	mend->reach_ms = now_ms + question.limit_ms;
	str_copy(question.contract, sizeof question.contract, hub_contract);
	net_addr_text(&look->server, question.host, sizeof question.host);
	if (look->port != 0 && proxy_target(proxy_of(mend), question.host, sizeof question.host,
	                                    &question.reach_port, why, sizeof why) < 0)
		log_debug("mount: the proxy's mount target is not known: %s", why);
	else if (probe_start(&mend->reach) == 0 && probe_ask(&mend->reach, &question) < 0)
		probe_kill(&mend->reach);
}

void mend_check(struct mend *mend, int64_t now_ms)
{
	struct probe_answer answer;
	int status, rc;

	proxy_reap(&mend->proxy);
	if (!mend->keeper->heal.asking)
		return;
	if (mend->reach.pid != 0) {
		rc = probe_answered(&mend->reach, &answer);
		mend->reached |= rc > 0 && answer.names && answer.count > 0;
		if (rc != 0 || now_ms >= mend->reach_ms)
			probe_kill(&mend->reach);
		if (!probe_gone(&mend->reach, &status))
			return;
	}
	keeper_reached(mend->keeper, mend->reached, now_ms);
}

void mend_proxy(struct mend *mend, bool starts, int64_t now_ms)
{
	struct proxy *proxy = proxy_of(mend);
	char why[LIMIT_FACT_WHY];
	int rc = starts ? proxy_start(proxy, why, sizeof why) : proxy_kill(proxy, why, sizeof why);

	if (rc < 0) {
		log_warning("mount: the proxy on port %u could not be %s: %s", proxy->port,
		            starts ? "started" : "ended", why);
		keeper_failed(mend->keeper, why, now_ms);
	} else {
		log_warning("mount: the proxy on port %u was %s, %s", proxy->port,
		            starts ? "started" : "ended",
		            service_cause_name(mend->keeper->heal.cause));
	}
}
