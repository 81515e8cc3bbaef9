/* SPDX-License-Identifier: MIT */
/* The rules of a guest that asks for restricted injection. */
#include "tests/machine/rules/families.h"

const struct rule_family *const rule_families[] = { &doorbell, &doorbell_private,
						    &alternate_announced, &alternate, NULL };

const struct rule *const rule_ending;
