/*
 * wna-core, and the simulator. Never blocks. Owns the facts, and what each of them moves:
 * the verdict, its history, the pages.
 */
#include "core.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "log.h"
#include "str.h"

/* The verdict has no rule for a state that this build does not know. */
static bool value_known(enum fact_id id, int64_t value)
{
	int64_t max;

	switch (id) {
	case FACT_IMDS: max = IMDS_STATE_MAX; break;
	case FACT_LIFECYCLE: max = LIFE_STATE_MAX; break;
	case FACT_CREDENTIALS: max = CRED_STATE_MAX; break;
	case FACT_PUSH: max = PUSH_STATE_MAX; break;
	case FACT_RDS: max = RDS_STATE_MAX; break;
	case FACT_MOUNT: max = MOUNT_STATE_MAX; break;
	case FACT_CHECK: max = CHECK_STATE_MAX; break;
	default: return true;
	}
	return value >= 0 && value < max;
}

/* A check is known by its name and not by its place: the finder may run with the list of
 * another configuration. */
static int check_slot(const struct conf_checks *checks, const char *name, unsigned *ret_slot)
{
	for (int i = 0; i < checks->count; i++) {
		if (strcmp(checks->item[i].name, name) == 0) {
			*ret_slot = (unsigned)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int find(const struct conf *conf, enum role role, const struct msg *msg, unsigned *ret_slot)
{
	const struct fact_info *info = fact_info(msg->id);

	if (msg->type != HUB_FACT || !info || !value_known((enum fact_id)msg->id, msg->value))
		return -EINVAL;
	if (role != info->owner)
		return -EPERM;
	if (msg->id == FACT_CHECK)
		return check_slot(&conf->checks, msg->text, ret_slot);
	*ret_slot = 0;
	return 0;
}

const struct fact *facts_get(const struct facts *facts, enum fact_id id, unsigned slot)
{
	assert(id < FACT_MAX && slot < (id == FACT_CHECK ? (unsigned)LIMIT_CHECKS : 1u));
	return id == FACT_CHECK ? &facts->check[slot] : &facts->single[id];
}

/* The instant that the finder gave; `now_ms` if it gave no instant, or a later one. */
static int64_t at_most(int64_t at_ms, int64_t now_ms)
{
	return at_ms > 0 && at_ms < now_ms ? at_ms : now_ms;
}

int facts_take(struct facts *facts, const struct conf *conf, enum role role, const struct msg *msg,
               int64_t now_ms, int64_t wall_ms, unsigned *ret_slot)
{
	struct fact *fact;
	unsigned slot = 0;
	int rc = find(conf, role, msg, &slot);

	if (rc < 0) {
		facts->refused++;
		return rc;
	}
	facts->taken++;
	fact = (struct fact *)facts_get(facts, (enum fact_id)msg->id, slot);
	*ret_slot = slot;
	/* A wna-check that has just started knows less than its predecessor did. */
	if (msg->id == FACT_CHECK && msg->value == CHECK_UNDECIDED && fact->seen &&
	    now_ms < facts_expiry_ms(facts, conf, FACT_CHECK, slot))
		return 0;
	fact->at_ms = at_most(msg->found_ms, now_ms);
	fact->since_ms = at_most(msg->since_ms, fact->at_ms);
	fact->since_wall_ms = wall_ms - (now_ms - fact->since_ms);
	fact->value = msg->value;
	memcpy(fact->more, msg->more, sizeof fact->more);
	fact->seen = true;
	str_clean(fact->text, sizeof fact->text, msg->text, strlen(msg->text));
	str_clean(fact->why, sizeof fact->why, msg->why, strlen(msg->why));
	return 0;
}

/* The age from which on the fact is unknown. The facts beside these are events, or shown
 * only: the verdict does not depend on their age. */
static int64_t max_age_ms(const struct conf *conf, enum fact_id id, unsigned slot)
{
	switch (id) {
	case FACT_IMDS:
	case FACT_INSTANCE_ID: return conf->imds.max_age_ms;
	case FACT_PUSH: return conf->metrics.max_age_ms;
	case FACT_RDS: return conf->rds.max_age_ms;
	case FACT_MOUNT: return conf->mount.max_age_ms;
	case FACT_CHECK: return conf->checks.item[slot].max_age_ms;
	default: return INT64_MAX;
	}
}

int64_t facts_expiry_ms(const struct facts *facts, const struct conf *conf, enum fact_id id,
                        unsigned slot)
{
	const struct fact *fact = facts_get(facts, id, slot);
	int64_t age_ms = max_age_ms(conf, id, slot);

	if (!fact->seen || age_ms >= INT64_MAX - fact->at_ms)
		return INT64_MAX;
	return fact->at_ms + age_ms + 1;
}

static unsigned bit(enum role role)
{
	return 1u << role;
}

/* The roles whose job is on, and whose facts can change an answer. */
static unsigned jobs_on(const struct conf *conf)
{
	static const enum role roles[] = { ROLE_CLOUD, ROLE_MOUNT, ROLE_CHECK, ROLE_RDS };
	unsigned on = 0;

	for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
		on |= snapshot_wants(conf, roles[i]) ? bit(roles[i]) : 0;
	return on;
}

void core_init(struct core *core, const struct snapshot *snapshot, void (*changed)(void),
               int64_t now_ms, int64_t wall_ms)
{
	const struct conf *conf = &snapshot->conf;
	const struct core_since since = { .at_ms = now_ms, .wall_ms = wall_ms };

	memset(core, 0, sizeof *core);
	core->changed = changed;
	core->state.conf = conf;
	core->state.conf_why = snapshot->why;
	core->state.loaded_ms = snapshot->loaded_ms;
	core->state.start_ms = now_ms;
	core->started_wall_ms = wall_ms;
	core->silent = snapshot->why[0] ? 0 : jobs_on(conf);
	judge_verdict(&core->state, now_ms, &core->verdict);
	core->health = core->ready = since;
	core->health.level = core->verdict.health;
	core->ready.level = core->verdict.ready;
	for (int i = 0; i < JOB_MAX; i++) {
		core->job[i] = since;
		core->job[i].level = core->verdict.job[i].level;
	}
	for (int i = 0; i < conf->checks.count; i++) {
		core->check[i] = since;
		core->check[i].level = core->verdict.check[i].level;
	}
	page_render(&core->pages, core->verdict.health, core->verdict.ready, wall_ms);
	timeline_add(&core->timeline, wall_ms, "core: started");
}

/* From when on requests are answered, even if a finder has not spoken by then. */
static int64_t accept_ms(const struct core *core)
{
	if (core->silent == 0)
		return core->state.start_ms;
	return core->state.start_ms + (core->silent & (bit(ROLE_MOUNT) | bit(ROLE_CHECK))
	                                       ? CORE_ACCEPT_LOCAL_MS
	                                       : CORE_ACCEPT_MS);
}

void core_step(struct core *core, int64_t now_ms, int64_t wall_ms)
{
	unsigned well = core->verdict.well;
	bool changed;

	judge_verdict(&core->state, now_ms, &core->verdict);
	changed = history_verdict(core, now_ms, wall_ms);
	if (changed)
		page_render(&core->pages, core->verdict.health, core->verdict.ready, wall_ms);
	changed |= well != core->verdict.well;
	if (!core->was_healthy && judge_code(core->verdict.health) == 200)
		core->was_healthy = changed = true;
	if (!core->accepting && now_ms >= accept_ms(core))
		core->accepting = changed = true;
	if (changed && core->changed)
		core->changed();
}

int core_take(struct core *core, enum role role, const struct msg *msg, int64_t now_ms,
              int64_t wall_ms, unsigned *ret_slot)
{
	struct state *state = &core->state;
	struct fact before = { .seen = false };
	const struct fact_info *info = fact_info(msg->id);
	int rc;

	if (info && info->slots == 1)
		before = *facts_get(&state->facts, (enum fact_id)msg->id, 0);
	rc = facts_take(&state->facts, state->conf, role, msg, now_ms, wall_ms, ret_slot);
	if (rc < 0) {
		log_debug("%s: fact %u refused", role_of(role)->exe, msg->id);
		return rc;
	}
	history_fact(&core->timeline, (enum fact_id)msg->id, &before,
	             facts_get(&state->facts, (enum fact_id)msg->id, *ret_slot), wall_ms);
	core_step(core, now_ms, wall_ms);
	return 0;
}

void core_spoken(struct core *core, enum role role, int64_t now_ms, int64_t wall_ms)
{
	core->silent &= ~bit(role);
	core_step(core, now_ms, wall_ms);
}

void core_link(struct core *core, enum role role, bool up, bool other_conf, int pid,
               int64_t wall_ms)
{
	core->state.link[role] = (struct link){
		.up = up, .other_conf = other_conf, .pid = pid, .since_wall_ms = wall_ms
	};
}

int64_t core_next_ms(const struct core *core)
{
	int64_t at_ms = accept_ms(core);

	if (!core->accepting && at_ms < core->verdict.until_ms)
		return at_ms;
	return core->verdict.until_ms;
}

const struct verdict *core_view(struct core *core, int64_t now_ms, int64_t wall_ms)
{
	static struct verdict verdict; /* large; the core has one thread */

	/* libevent's clock is a coarse one: a deadline may have passed before its timer fires. */
	if (now_ms >= core_next_ms(core))
		core_step(core, now_ms, wall_ms);
	judge_verdict(&core->state, now_ms, &verdict);
	return &verdict;
}

void core_verdict(const struct core *core, struct msg *ret)
{
	*ret = (struct msg){ .type = HUB_VERDICT, .value = core->verdict.health };
	ret->more[0] = core->verdict.ready;
	ret->more[1] = core->was_healthy;
	ret->more[2] = core->verdict.well;
}

bool core_fact(const struct core *core, enum fact_id id, unsigned slot, struct msg *ret)
{
	const struct fact *fact = facts_get(&core->state.facts, id, slot);

	if (!fact->seen)
		return false;
	*ret = (struct msg){ .type = HUB_FACT, .id = (uint16_t)id, .value = fact->value };
	ret->found_ms = fact->at_ms;
	ret->since_ms = fact->since_ms;
	memcpy(ret->more, fact->more, sizeof ret->more);
	str_copy(ret->text, sizeof ret->text, fact->text);
	str_copy(ret->why, sizeof ret->why, fact->why);
	return true;
}
