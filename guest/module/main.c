// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * /dev/tpm0 and /dev/tpmrm0 on the vTPM of an SVSM (AMD 58019, vTPM protocol), for kernels that
 * were built without such a driver, and the module's start and end. Both parts of the module make
 * their calls by svsm.c, which would otherwise have to be exported to a second one. A command and
 * its response share one page of the guest's private memory, so the host sees neither.
 */
#include "svsm.h"

#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/string.h>

#include "attest.h"
#include "compat.h"

#define TPM_MESSAGE_MIN 10u /* tag, size, code */
#define COMMAND_MAX (ABI_PAGE_SIZE - sizeof(struct svsm_vtpm_cmd_req))
#define RESPONSE_MAX (ABI_PAGE_SIZE - SVSM_VTPM_RESPONSE_HEADER)
/*
 * A task that is killed waits for its command all the same: only with the response does the TPM
 * core know what the command made in the TPM and has to be flushed. So long the core waits for a
 * TPM that makes a key (TPM2_DURATION_LONG_LONG).
 */
#define PATIENCE_MS 300000

struct socle_tpm {
	struct mutex lock;    /* of page and response_size */
	u8 *page;	      /* the request, then the response */
	size_t response_size; /* 0: none waits to be read */
	bool in_turns;	      /* the SVSM takes long commands so */
};

/* What the page held may have been a secret of the guest: it does not stay. The lock is held. */
static void wipe_page(struct socle_tpm *tpm)
{
	memzero_explicit(tpm->page, ABI_PAGE_SIZE);
}

/* Puts the command into the page and has the SVSM run it. The lock is held. */
static int run_command(struct socle_tpm *tpm, const u8 *command, size_t size)
{
	struct svsm_regs regs = {
		.rax = svsm_call_id(SVSM_PROTOCOL_VTPM, SVSM_VTPM_CMD),
		.rcx = virt_to_phys(tpm->page),
	};
	const struct svsm_vtpm_cmd_req request = {
		.command = SVSM_VTPM_SEND_COMMAND | (tpm->in_turns ? SVSM_VTPM_IN_TURNS : 0),
		.locality = 0,
		.size = size,
	};
	u32 response_size;
	int rc;

	memcpy(tpm->page, &request, sizeof(request));
	memcpy(tpm->page + sizeof(request), command, size);
	/* Until it is done the page stays as it is: that is how the SVSM knows the command. */
	rc = tpm->in_turns ? svsm_call_resumable(&regs, PATIENCE_MS) : svsm_call(&regs);
	if (rc)
		return rc;
	if (regs.rax != SVSM_SUCCESS) {
		pr_err_ratelimited("socle_tpm: vTPM command refused: %#llx\n", regs.rax);
		return -EIO;
	}
	memcpy(&response_size, tpm->page, sizeof(response_size));
	if (response_size < TPM_MESSAGE_MIN || response_size > RESPONSE_MAX) {
		pr_err_ratelimited("socle_tpm: vTPM response of %u bytes\n", response_size);
		return -EIO;
	}
	tpm->response_size = response_size;
	return 0;
}

static int socle_tpm_send(COMPAT_TPM_SEND_ARGS)
{
	struct socle_tpm *tpm = dev_get_drvdata(&chip->dev);
	int rc;

	if (size < TPM_MESSAGE_MIN)
		return -EINVAL;
	if (size > COMMAND_MAX)
		return -E2BIG;
	mutex_lock(&tpm->lock);
	tpm->response_size = 0;
	rc = run_command(tpm, buf, size);
	if (rc)
		wipe_page(tpm);
	mutex_unlock(&tpm->lock);
	return rc;
}

static int socle_tpm_recv(struct tpm_chip *chip, u8 *buf, size_t capacity)
{
	struct socle_tpm *tpm = dev_get_drvdata(&chip->dev);
	int rc = -EIO;

	mutex_lock(&tpm->lock);
	if (tpm->response_size && tpm->response_size <= capacity) {
		memcpy(buf, tpm->page + SVSM_VTPM_RESPONSE_HEADER, tpm->response_size);
		rc = tpm->response_size;
	}
	wipe_page(tpm);
	tpm->response_size = 0;
	mutex_unlock(&tpm->lock);
	return rc;
}

/* A command is done when send() returns, and there is nothing to cancel. */
static u8 socle_tpm_status(struct tpm_chip *chip)
{
	return 0;
}

static void socle_tpm_cancel(struct tpm_chip *chip)
{
}

static bool socle_tpm_req_canceled(struct tpm_chip *chip, u8 status)
{
	return false;
}

static const struct tpm_class_ops socle_tpm_ops = {
	.flags = TPM_OPS_AUTO_STARTUP,
	.req_complete_mask = 0,
	.req_complete_val = 0,
	.send = socle_tpm_send,
	.recv = socle_tpm_recv,
	.status = socle_tpm_status,
	.cancel = socle_tpm_cancel,
	.req_canceled = socle_tpm_req_canceled,
};

/* The SVSM speaks the vTPM protocol, and its platform takes commands; in turns, too, or not. */
static int query_vtpm(struct device *dev, bool *in_turns)
{
	struct svsm_regs regs = {
		.rax = svsm_call_id(SVSM_PROTOCOL_VTPM, SVSM_VTPM_QUERY),
	};
	int rc = svsm_query_protocol(SVSM_PROTOCOL_VTPM, 1);

	if (rc) {
		dev_err(dev, "the SVSM offers no vTPM protocol version 1 (%d)\n", rc);
		return -ENODEV;
	}
	rc = svsm_call(&regs);
	if (rc || regs.rax != SVSM_SUCCESS || !(regs.rcx & SVSM_VTPM_QUERY_COMMANDS)) {
		dev_err(dev, "the SVSM's vTPM takes no commands (%d, %#llx)\n", rc, regs.rax);
		return -ENODEV;
	}
	*in_turns = regs.rdx & SVSM_VTPM_QUERY_IN_TURNS;
	return 0;
}

static void free_page_action(void *page)
{
	memzero_explicit(page, ABI_PAGE_SIZE);
	free_page((unsigned long)page);
}

static int socle_tpm_probe(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	struct socle_tpm *tpm;
	struct tpm_chip *chip;
	bool in_turns;
	int rc = query_vtpm(dev, &in_turns);

	if (rc)
		return rc;
	tpm = devm_kzalloc(dev, sizeof(*tpm), GFP_KERNEL);
	if (!tpm)
		return -ENOMEM;
	mutex_init(&tpm->lock);
	tpm->in_turns = in_turns;
	tpm->page = (u8 *)get_zeroed_page(GFP_KERNEL);
	if (!tpm->page)
		return -ENOMEM;
	rc = devm_add_action_or_reset(dev, free_page_action, tpm->page);
	if (rc)
		return rc;
	chip = tpmm_chip_alloc(dev, &socle_tpm_ops);
	if (IS_ERR(chip))
		return PTR_ERR(chip);
	dev_set_drvdata(&chip->dev, tpm);
	platform_set_drvdata(pdev, chip);
	chip->flags |= TPM_CHIP_FLAG_TPM2;
	rc = tpm_chip_register(chip);
	if (rc)
		return rc;
	dev_info(dev, "TPM 2.0 of the SVSM at VMPL0\n");
	return 0;
}

static void socle_tpm_remove(struct platform_device *pdev)
{
	tpm_chip_unregister(platform_get_drvdata(pdev));
}

/* The device that Linux makes of an SVSM's vTPM from 6.16 on, and that its own driver binds to. */
#define STOCK_DEVICE "tpm-svsm"

static const struct platform_device_id socle_tpm_ids[] = {
	{ .name = "socle-tpm" },
	{ .name = STOCK_DEVICE },
	{},
};

static struct platform_driver socle_tpm_driver = {
	.remove = socle_tpm_remove,
	.id_table = socle_tpm_ids,
	.driver = {
		.name = "socle-tpm",
	},
};

static struct platform_device *socle_tpm_device; /* where the kernel has none */
static bool tpm_present, attest_present;

/*
 * A vTPM has one driver: two would have their commands answered in each other's turn. So where the
 * kernel has a device of it, ours binds to that one or to none, and the kernel's cannot join it.
 */
static int start_tpm(void)
{
	struct device *stock = bus_find_device_by_name(&platform_bus_type, NULL, STOCK_DEVICE);
	int rc;

	if (!stock) {
		socle_tpm_device = platform_create_bundle(&socle_tpm_driver, socle_tpm_probe, NULL,
							  0, NULL, 0);
		return PTR_ERR_OR_ZERO(socle_tpm_device);
	}
	put_device(stock);
	rc = platform_driver_probe(&socle_tpm_driver, socle_tpm_probe);
	if (rc == -ENODEV)
		pr_info("socle_tpm: the kernel's own driver has the vTPM\n");
	return rc;
}

static void stop_tpm(void)
{
	if (socle_tpm_device)
		platform_device_unregister(socle_tpm_device);
	platform_driver_unregister(&socle_tpm_driver);
}

/* An SVSM may speak the one protocol and not the other: each part is there by itself. */
static int __init socle_tpm_init(void)
{
	int rc;

	if (!svsm_present())
		return -ENODEV;
	rc = attest_init();
	attest_present = rc == 0;
	if (rc && rc != -EOPNOTSUPP)
		pr_err("socle_tpm: no svsm/attest in configfs (%d)\n", rc);
	rc = start_tpm();
	tpm_present = rc == 0;
	return tpm_present || attest_present ? 0 : rc;
}

static void __exit socle_tpm_exit(void)
{
	if (tpm_present)
		stop_tpm();
	if (attest_present)
		attest_exit();
}

module_init(socle_tpm_init);
module_exit(socle_tpm_exit);

MODULE_DESCRIPTION("TPM 2.0 and attestation of an SVSM");
MODULE_LICENSE("Dual MIT/GPL");
