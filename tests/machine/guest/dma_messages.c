/* SPDX-License-Identifier: MIT */
/*
 * A device's messages (MSI-X; PCI Local Bus specification 3.0, 6.8.2) go to the vCPU whose APIC id
 * their address names, with the vector in their data (APM volume 2, 16.11), and the guest reads its
 * table as it wrote it.
 */
#include "tests/machine/guest/devices.h"
#include "tests/machine/guest/guest.h"
#include "tests/machine/guest/receivers.h"
#include "tests/machine/guest/virtio.h"

#define RINGS TEST_PAGE
#define DATA (TEST_PAGE + 0x2000)
#define LOGICAL 4u
#define TABLE 0xc0010000u

/* Who gets the message of an answer. */
static uint64_t targets(uint64_t address, uint64_t expected)
{
	(void)virtio_start();
	virtio_set_message(address, RECEIVERS_VECTOR);
	receivers_forget();
	virtio_ask(VIRTIO_READ, 1, DATA, 512);
	return receivers_wait(expected);
}

void test_main(void)
{
	receivers_start();
	(void)page_make_shared(DATA);
	virtio_place(RINGS);
	check("to id 0", targets(0xfee00000, 1), 1);
	check("to id 1", targets(0xfee01000, 2), 2);
	check("the table reads as it was written", memory_read(TABLE, 8), 0xfee01000);
	check("  also its data", memory_read(TABLE + 8, 4), RECEIVERS_VECTOR);
	check("to id 2, which nobody has", targets(0xfee02000, 0), 0);
	check("to all", targets(0xfeeff000, 3), 3);
	check("to the logical id of the second", targets(0xfee02000 | LOGICAL, 2), 2);
	check("to the logical ids of both", targets(0xfee03000 | LOGICAL, 3), 3);
	trap_handler = NULL;
}
