/* SPDX-License-Identifier: MIT */
#include "tools/vtpm/tpms.h"

bool tpms_load(struct host_error *error)
{
	(void)error;
	return true;
}
