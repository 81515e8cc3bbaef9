/* SPDX-License-Identifier: MIT */
#include "services/vtpm/objects.h"

#include <stdint.h>

#define FIRST_TRANSIENT 0x80000000u
#define SLOTS_MAX 16u /* libtpms has 3 */

/*
 * Of libtpms 0.9 and 0.10 (src/tpm2/Object.c). The first zeroes a whole empty slot, marks it as
 * taken and tells its handle, NULL where none is empty; the second marks it as empty and changes
 * nothing else. So the slots' size and layout stay libtpms's own affair.
 */
__attribute__((weak)) void *ObjectAllocateSlot(uint32_t *handle);
__attribute__((weak)) void FlushObject(uint32_t handle);
__attribute__((weak)) int IsObjectPresent(uint32_t handle);

void objects_wipe(void)
{
	uint32_t taken[SLOTS_MAX];
	unsigned int count = 0;

	if (!ObjectAllocateSlot || !FlushObject)
		return;
	while (count < SLOTS_MAX && ObjectAllocateSlot(&taken[count]))
		count++;
	while (count)
		FlushObject(taken[--count]);
}

void objects_end(void)
{
	if (!IsObjectPresent || !FlushObject)
		return;
	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		if (IsObjectPresent(FIRST_TRANSIENT + i))
			FlushObject(FIRST_TRANSIENT + i);
	}
	objects_wipe();
}
