/* SPDX-License-Identifier: MIT */
/*
 * The vtpm service: a TPM 2.0 behind request messages (abi/service.h, vtpm_op); its
 * twin, which makes keys for attestation (twin_op); and what finds primes ahead (ahead_op).
 */
#include <unistd.h>

#include "services/common/serve.h"
#include "services/main.h"
#include "services/vtpm/finder.h"
#include "services/vtpm/manufacture.h"
#include "services/vtpm/twin.h"
#include "services/vtpm/vtpm.h"

static bool read_profile(struct profile *profile, struct profile_error *error)
{
	char text[PROFILE_SIZE_MAX];
	size_t size = 0;
	ssize_t got;

	while ((got = read(VTPM_FD_PROFILE, text + size, sizeof(text) - size)) > 0)
		size += (size_t)got;
	error->line = 0;
	error->reason = "it cannot be read";
	if (got < 0)
		return false;
	error->reason = "it is too large";
	if (size == sizeof(text))
		return false;
	return profile_parse(profile, text, size, error);
}

enum serve_end vtpm_main(void)
{
	static struct profile profile;
	static struct vtpm vtpm = { .profile = &profile, .attested = true };
	struct profile_error error;

	if (!read_profile(&profile, &error)) {
		serve_logf("vtpm: profile, line %u: %s", error.line, error.reason);
		return SERVE_FAILED;
	}
	if (!manufacture(&vtpm))
		return SERVE_FAILED;
	serve_logf("vtpm: ready, profile %s", profile.name);
	return serve(vtpm_handle, &vtpm, VTPM_REQUEST_MAX, VTPM_REPLY_MAX);
}

enum serve_end ahead_main(void)
{
	static struct finder finder;

	return serve(finder_handle, &finder, sizeof(struct prime_order),
		     sizeof(struct prime_found));
}

enum serve_end twin_main(void)
{
	static struct twin twin;

	tpm_init(false);
	return serve(twin_handle, &twin, TWIN_REQUEST_MAX, TWIN_REPLY_MAX);
}
