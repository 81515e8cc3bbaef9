// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Sends NMIs to the first CPU from the second, and counts those that hit a module between a WRMSR
 * and the VMGEXIT that follows it: where socle_tpm has put its request into the GHCB MSR, and the
 * end of the NMI, an exit of the kernel's own, puts another value there.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <asm/apic.h>
#include <asm/nmi.h>

#define INTERVAL_US 100
#define WINDOW_MAX 48 /* bytes of code */

static struct task_struct *sender;
static unsigned long received, hits;
module_param(received, ulong, 0444);
module_param(hits, ulong, 0444);

static bool holds(const u8 *code, const u8 *wanted, size_t size)
{
	size_t i;

	for (i = 0; i + size <= WINDOW_MAX; i++) {
		if (memcmp(code + i, wanted, size) == 0)
			return true;
	}
	return false;
}

/* Whether there is a WRMSR shortly before this place of a module and a VMGEXIT shortly after. */
static bool in_window(unsigned long ip)
{
	static const u8 wrmsr[] = { 0x0f, 0x30 }, vmgexit[] = { 0xf3, 0x0f, 0x01, 0xd9 };
	u8 code[2 * WINDOW_MAX];

	if (ip < MODULES_VADDR ||
	    copy_from_kernel_nofault(code, (void *)(ip - WINDOW_MAX), sizeof(code)))
		return false;
	return holds(code, wrmsr, sizeof(wrmsr)) &&
	       holds(code + WINDOW_MAX, vmgexit, sizeof(vmgexit));
}

static int handle_nmi(unsigned int type, struct pt_regs *regs)
{
	received++;
	if (in_window(regs->ip))
		hits++;
	return NMI_HANDLED;
}

static int send(void *unused)
{
	while (!kthread_should_stop()) {
		__apic_send_IPI_mask(cpumask_of(0), NMI_VECTOR);
		usleep_range(INTERVAL_US, INTERVAL_US + get_random_u32_below(INTERVAL_US) + 1);
	}
	return 0;
}

static int __init storm_init(void)
{
	int rc = register_nmi_handler(NMI_LOCAL, handle_nmi, 0, "storm");

	if (rc)
		return rc;
	sender = kthread_create(send, NULL, "storm");
	if (IS_ERR(sender)) {
		unregister_nmi_handler(NMI_LOCAL, "storm");
		return PTR_ERR(sender);
	}
	kthread_bind(sender, 1);
	wake_up_process(sender);
	return 0;
}

static void __exit storm_exit(void)
{
	kthread_stop(sender);
	unregister_nmi_handler(NMI_LOCAL, "storm");
}

module_init(storm_init);
module_exit(storm_exit);

MODULE_DESCRIPTION("NMIs into SVSM calls, for a test");
MODULE_LICENSE("Dual MIT/GPL");
