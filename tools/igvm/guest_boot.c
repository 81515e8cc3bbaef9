/* SPDX-License-Identifier: MIT */
#include "tools/igvm/guest_boot.h"

#include <string.h>

#include "tools/igvm/page_tables.h"

#define CC_BLOB_MAGIC 0x45444d41u
#define BOOT_CS 0x10u
#define BOOT_DS 0x18u
#define IDENTITY_SIZE (4ull << 30)

bool guest_boot_tables(struct guest_boot *boot, struct igvm_writer *writer, uint64_t gpa,
		       uint64_t c_bit, struct host_error *error)
{
	struct page_tables tables;
	bool ok;

	page_tables_init(&tables, gpa, c_bit);
	for (uint64_t at = 0; at < IDENTITY_SIZE; at += ABI_PAGE_SIZE_2M)
		page_tables_map(&tables, at, at, PTE_LARGE | PTE_WRITE);
	ok = !tables.out_of_memory && tables.pages == GUEST_BOOT_TABLES;
	if (ok)
		igvm_writer_bytes(writer, gpa, tables.entries, tables.pages * ABI_PAGE_SIZE);
	page_tables_free(&tables);
	boot->entry.cr3 = gpa;
	boot->entry.page_tables = (struct socle_range){ gpa, GUEST_BOOT_TABLES * ABI_PAGE_SIZE };
	return ok || host_fail(error, "out of memory");
}

/* Accessed bits are set, so that loading a selector writes nothing. */
void guest_boot_descriptors(struct guest_boot *boot, struct igvm_writer *writer, uint64_t gpa)
{
	static const uint64_t gdt[] = {
		0, 0, 0x00af9b000000ffffull, 0x00cf93000000ffffull, /* BOOT_CS, BOOT_DS */
	};
	uint8_t page[ABI_PAGE_SIZE] = { 0 };

	memcpy(page, gdt, sizeof(gdt));
	igvm_writer_page(writer, gpa, IGVM_PAGE_TYPE_NORMAL, page);
	boot->entry.gdt_base = gpa;
	boot->entry.gdt_limit = sizeof(gdt) - 1;
	boot->entry.cs_selector = BOOT_CS;
	boot->entry.ds_selector = BOOT_DS;
	boot->entry.rsp = gpa + ABI_PAGE_SIZE;
}

struct guest_boot_cc_blob guest_boot_cc_blob(uint64_t secrets_page, uint64_t cpuid_page)
{
	return (struct guest_boot_cc_blob){ .magic = CC_BLOB_MAGIC,
					    .secrets = secrets_page,
					    .secrets_size = ABI_PAGE_SIZE,
					    .cpuid = cpuid_page,
					    .cpuid_size = ABI_PAGE_SIZE };
}
