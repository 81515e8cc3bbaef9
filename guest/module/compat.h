/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What differs between the kernels this module is built for (6.12 to 7.x), and what their header
 * packages leave out: the TPM core exports these functions but keeps their prototypes to itself.
 */
#ifndef SOCLE_GUEST_MODULE_COMPAT_H
#define SOCLE_GUEST_MODULE_COMPAT_H

#include <linux/tpm.h>
#include <linux/version.h>

struct tpm_chip *tpmm_chip_alloc(struct device *dev, const struct tpm_class_ops *ops);
int tpm_chip_register(struct tpm_chip *chip);
void tpm_chip_unregister(struct tpm_chip *chip);

/* 6.16 gave send() the size of the buffer, for drivers that answer at once. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#define COMPAT_TPM_SEND_ARGS struct tpm_chip *chip, u8 *buf, size_t capacity, size_t size
#else
#define COMPAT_TPM_SEND_ARGS struct tpm_chip *chip, u8 *buf, size_t size
#endif

#endif
