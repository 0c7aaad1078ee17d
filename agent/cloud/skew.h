/*
 * What AWS's clock says, told from ours. A request signed more than five minutes
 * off is refused (IAM User Guide, "Signing AWS API requests"), and a datum with a
 * wrong timestamp is believed; so the Date header of AWS's answers is the truth,
 * and our wall clock plus the skew learned from it signs requests and stamps data.
 *
 * A learned skew holds for one era: the time in which the wall clock runs along
 * with the monotonic one. When somebody sets the clock, a new era begins, and the
 * clock as set is believed until AWS says otherwise: clocks are set to correct
 * them (chrony, a resume from hibernation). Should it be wrong by more than five
 * minutes, the next push is refused, nothing wrong is stored, and what was
 * sampled meanwhile is moved to its true time before it is sent again.
 *
 * What waits from an era in which AWS has not told the time yet is in no better
 * hands: it goes along with the clock, by what it was set, into the new era. (A
 * resume from hibernation looks the same and would move it wrongly, but only what
 * was sampled before AWS had ever answered since the start.)
 */
#ifndef CLOUD_SKEW_H
#define CLOUD_SKEW_H

#include <stdbool.h>
#include <stdint.h>

enum { SKEW_STEP_MS = 2000 }; /* below this neither a step nor a skew counts */

struct skew {
	bool started;
	int64_t offset_ms; /* wall clock less monotonic clock, when last looked */
	int64_t step_ms;   /* by which the clock was set when the era began; 0 = the first */
	int64_t era;       /* differs between any two eras, also over restarts */
	int64_t ms;        /* AWS's clock is ahead of ours by this; 0 below SKEW_STEP_MS */
	bool known;        /* AWS has told in this era */
};

/* Looks at the clocks; true if the wall clock was set since the last look (or at
 * the first look), and `step_ms` then says by how much. `random` is any 32 random
 * bits. */
bool skew_turn(struct skew *skew, int64_t now_ms, int64_t wall_ms, uint32_t random);

/* Unix ms as AWS has it. */
int64_t skew_true_ms(const struct skew *skew, int64_t wall_ms);

/*
 * Learns from an answer: its Date header (`date_ms`, whole seconds; 0 = none) was
 * written about the middle of the `took_ms` after our clock said `sent_ms`.
 * Returns by how much the belief changed, 0 if it did not.
 */
int64_t skew_learn(struct skew *skew, int64_t date_ms, int64_t sent_ms, int64_t took_ms);

#endif
