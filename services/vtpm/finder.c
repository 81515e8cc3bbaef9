/* SPDX-License-Identifier: MIT */
#include "services/vtpm/finder.h"

#include <string.h>

#include "abi/tpm.h"
#include "core/base/bytes.h"
#include "services/vtpm/ahead.h"
#include "services/vtpm/tpm_command.h"

/* restricted decrypt, as a parent has to be; noDA, so that using it stores nothing. */
static const uint8_t trial_template[] = { 0x00, 0x01, 0x00, 0x0b, 0x00, 0x03, 0x04, 0x72, 0x00,
					  0x00, 0x00, 0x06, 0x00, 0x80, 0x00, 0x43, 0x00, 0x10,
					  0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 };
static const struct ahead_wish trial = { TPM_RH_OWNER, trial_template, sizeof(trial_template) };

static bool find_all(struct ahead *ahead)
{
	const struct prime_order *order;
	struct prime_found found;

	while ((order = ahead_next(ahead)) != NULL) {
		if (!prime_find(order, &found))
			return false;
		ahead_take(ahead, &found);
	}
	return true;
}

static uint32_t make(struct tpm_primary *primary)
{
	return tpm_create_primary_of(trial.hierarchy, trial.template, trial.size, primary);
}

static bool same_key(const struct tpm_primary *a, const struct tpm_primary *b)
{
	return a->public_size == b->public_size &&
	       memcmp(a->public_area, b->public_area, a->public_size) == 0;
}

/* The first key is made before a single prime is known. */
static bool try_key(struct ahead *ahead)
{
	struct tpm_primary searched, taken;
	struct tpm_child child;
	uint32_t handle;

	ahead_init(ahead);
	ahead_learn(ahead, &trial, 1);
	return ahead_next(ahead) && !make(&searched) && !ahead->taken && find_all(ahead) &&
	       !make(&taken) && ahead->taken == AHEAD_PRIMES && same_key(&searched, &taken) &&
	       !tpm_create_child(searched.handle, &child) &&
	       !tpm_load(taken.handle, &child, &handle);
}

bool finder_agrees(void)
{
	static struct ahead ahead;
	bool agrees;

	tpm_init(false);
	if (!prime_wrapped() || !tpm_power_on())
		return false;
	agrees = !tpm_startup_clear() && try_key(&ahead);
	prime_ask(NULL);
	tpm_power_off();
	return agrees;
}

static enum service_status find(const struct finder *finder, const uint8_t *payload, size_t size,
				struct serve_output *out)
{
	struct bytes_reader r = bytes_reader_init(payload, size);
	struct prime_order order;
	struct prime_found found;
	enum service_status status;

	bytes_copy(&r, &order, sizeof(order));
	if (!bytes_complete(&r) || !prime_order_ok(&order))
		return SERVICE_ERR_FORMAT;
	if (!finder->agrees)
		return SERVICE_ERR_UNSUPPORTED;
	status = prime_find(&order, &found) ? serve_append(out, &found, sizeof(found))
					    : SERVICE_ERR_FAILED;
	explicit_bzero(&order, sizeof(order));
	explicit_bzero(&found, sizeof(found));
	return status;
}

enum service_status finder_handle(void *context, uint32_t op, const uint8_t *payload, size_t size,
				  struct serve_output *out)
{
	struct finder *finder = context;

	if (op != AHEAD_OP_FIND)
		return SERVICE_ERR_UNSUPPORTED;
	if (!finder->tried) {
		finder->tried = true;
		finder->agrees = finder_agrees();
		serve_log(finder->agrees
				  ? "ahead: libtpms makes the same keys of primes found ahead"
				  : "ahead: this libtpms takes no primes found ahead");
	}
	return find(finder, payload, size, out);
}
