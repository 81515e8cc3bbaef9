/* SPDX-License-Identifier: MIT */
/* The one table of calls to parts above: base/die.h says what they are for. */
#include "monitor/arch/arch.h"
#include "monitor/base/die.h"
#include "monitor/log/log.h"
#include "monitor/mem/alloc.h"
#include "monitor/mem/secret.h"
#include "monitor/trap/user.h"
#include "monitor/vcpu/secrets.h"

const struct die_hooks die_hooks = {
	.steps = {
		[DIE_WIPE_KEYS] = secrets_wipe,
		[DIE_LEAVE_SERVICE] = user_leave,
		[DIE_WIPE_RANGES] = secret_wipe,
		[DIE_WIPE_PAGES] = page_wipe_secret,
	},
	.cpu_index = arch_cpu_index,
	.log = log_emergency,
	.terminate = arch_terminate,
};
