// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Stands for what Linux has of its own from 6.16 on: the device of an SVSM's vTPM and, with
 * bound=1, a driver that has it. It does nothing with it.
 */
#include <linux/err.h>
#include <linux/module.h>
#include <linux/platform_device.h>

static bool bound;
module_param(bound, bool, 0444);

static int stock_probe(struct platform_device *pdev)
{
	return 0;
}

static struct platform_driver stock_driver = {
	.probe = stock_probe,
	.driver = {
		.name = "tpm-svsm",
	},
};

static struct platform_device *device;

static int __init stock_init(void)
{
	int rc;

	device = platform_device_register_simple("tpm-svsm", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(device))
		return PTR_ERR(device);
	rc = bound ? platform_driver_register(&stock_driver) : 0;
	if (rc)
		platform_device_unregister(device);
	return rc;
}

static void __exit stock_exit(void)
{
	if (bound)
		platform_driver_unregister(&stock_driver);
	platform_device_unregister(device);
}

module_init(stock_init);
module_exit(stock_exit);

MODULE_DESCRIPTION("The kernel's own device and driver of a vTPM, for tests");
MODULE_LICENSE("Dual MIT/GPL");
