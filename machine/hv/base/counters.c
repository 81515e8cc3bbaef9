/* SPDX-License-Identifier: MIT */
#include "machine/hv/base/counters.h"

#include <stdbool.h>
#include <string.h>

#include "abi/snp.h"
#include "machine/hv/base/log.h"

#define PUBLISH_INTERVAL 0x4000u /* exits of one CPU */

struct cpu_counters {
	struct mailbox_exit_counter exits[MAILBOX_EXIT_KINDS];
	unsigned int kinds;
	uint8_t at[0x100]; /* by the lowest byte of a code: where it was found last */
	uint64_t switches[SNP_VMPL_COUNT];
	uint32_t since_publish;
};
_Static_assert(MAILBOX_EXIT_KINDS <= UINT8_MAX + 1, "a byte says where a counter is");

static struct cpu_counters cpus[MACHINE_CPUS_MAX];
static bool publishing;

/* The counter of code, NULL when the table is full; kinds are few, and the common ones early. */
static struct mailbox_exit_counter *find_counter(struct mailbox_exit_counter *table,
						 unsigned int *kinds, uint64_t code)
{
	for (unsigned int i = 0; i < *kinds; i++) {
		if (table[i].code == code)
			return &table[i];
	}
	if (*kinds == MAILBOX_EXIT_KINDS)
		return NULL;
	table[*kinds].code = code;
	/* Another CPU may sum up meanwhile: the code comes before the entry counts. */
	__atomic_store_n(kinds, *kinds + 1, __ATOMIC_RELEASE);
	return &table[*kinds - 1];
}

static struct mailbox_exit_counter *counter_of_cpu(struct cpu_counters *c, uint64_t code)
{
	uint8_t *at = &c->at[code & 0xff];
	struct mailbox_exit_counter *e = &c->exits[*at];

	if (c->kinds != 0 && e->code == code)
		return e;
	e = find_counter(c->exits, &c->kinds, code);
	if (e != NULL)
		*at = (uint8_t)(e - c->exits);
	return e;
}

void counters_exit(unsigned int vcpu, unsigned int vmpl, uint64_t code)
{
	struct cpu_counters *c = &cpus[vcpu];
	struct mailbox_exit_counter *e = counter_of_cpu(c, code);

	if (e != NULL)
		e->count[vmpl]++;
	if (++c->since_publish < PUBLISH_INTERVAL)
		return;
	c->since_publish = 0;
	counters_publish();
}

void counters_switch(unsigned int vcpu, unsigned int vmpl)
{
	cpus[vcpu].switches[vmpl]++;
}

static void sum_up(struct mailbox_exit_counter *sum, uint64_t *switches)
{
	unsigned int sum_kinds = 0;

	for (unsigned int cpu = 0; cpu < MACHINE_CPUS_MAX; cpu++) {
		const struct cpu_counters *c = &cpus[cpu];
		unsigned int kinds = __atomic_load_n(&c->kinds, __ATOMIC_ACQUIRE);

		for (unsigned int i = 0; i < kinds; i++) {
			struct mailbox_exit_counter *e = find_counter(sum, &sum_kinds,
								      c->exits[i].code);

			for (unsigned int l = 0; e != NULL && l < SNP_VMPL_COUNT; l++)
				e->count[l] += c->exits[i].count[l];
		}
		for (unsigned int l = 0; l < SNP_VMPL_COUNT; l++)
			switches[l] += c->switches[l];
	}
}

void counters_publish(void)
{
	static struct mailbox_exit_counter sum[MAILBOX_EXIT_KINDS];
	uint64_t switches[SNP_VMPL_COUNT] = { 0 };
	struct mailbox *m = hv_mailbox();

	if (__atomic_exchange_n(&publishing, true, __ATOMIC_ACQUIRE))
		return;
	memset(sum, 0, sizeof(sum));
	sum_up(sum, switches);
	memcpy(m->exits, sum, sizeof(sum));
	memcpy(m->switches, switches, sizeof(switches));
	__atomic_store_n(&publishing, false, __ATOMIC_RELEASE);
}
