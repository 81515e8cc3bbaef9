/* SPDX-License-Identifier: MIT */
/*
 * fw_cfg, by which firmware and guests read what QEMU says of the machine (QEMU,
 * docs/specs/fw_cfg): its selector, its data port and its DMA interface. What QEMU says of its own
 * machine, which has the hypervisor's memory and first processor as well, is put right on the way
 * (fw_cfg_tables.h). Nothing can be written.
 */
#ifndef SOCLE_MACHINE_HV_DEVICE_FW_CFG_H
#define SOCLE_MACHINE_HV_DEVICE_FW_CFG_H

#include "machine/hv/device/ports.h"

#define FW_CFG_PORT_SELECTOR 0x510u
#define FW_CFG_PORT_DATA 0x511u
#define FW_CFG_PORT_DMA 0x514u /* an address of 64 bits, big-endian; its second half starts it */

/* Of the selector and the data port (ports.h). */
uint32_t fw_cfg_read(const struct port_access *a);
bool fw_cfg_write(struct port_access *a);

/* Of the DMA interface. */
uint32_t fw_cfg_dma_read(const struct port_access *a);
bool fw_cfg_dma_write(struct port_access *a);

#endif
