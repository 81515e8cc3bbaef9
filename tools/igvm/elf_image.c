/* SPDX-License-Identifier: MIT */
#include "tools/igvm/elf_image.h"

#include <elf.h>
#include <string.h>

#include "core/base/bytes.h"

static void add(struct elf_image *image, struct elf_image_segment segment)
{
	if (segment.memory_size != 0)
		image->segments[image->count++] = segment;
}

static bool read_elf64(const struct file_bytes *file, struct elf_image *image,
		       struct host_error *error)
{
	struct elf_file elf;
	enum elf_result result = elf_open(&elf, file->data, file->size);

	if (result != ELF_OK)
		return host_fail(error, "not a usable ELF file: %s", elf_result_text(result));
	image->entry = elf.entry;
	for (unsigned int i = 0; i < elf.segment_count; i++) {
		struct elf_segment s = elf_segment(&elf, i);

		if (s.type == ELF_SEGMENT_LOAD)
			add(image, (struct elf_image_segment){
					   s.address, s.physical, s.memory_size, s.file_size,
					   elf_segment_data(&elf, &s), s.flags });
	}
	return true;
}

static bool check_segment32(const struct file_bytes *file, const Elf32_Phdr *p,
			    const struct elf_image *image)
{
	const struct elf_image_segment *last = image->count ? &image->segments[image->count - 1]
							    : NULL;

	return p->p_filesz <= p->p_memsz && bytes_range_ok(p->p_offset, p->p_filesz, file->size) &&
	       bytes_range_ok(p->p_paddr, p->p_memsz, 1ull << 32) &&
	       bytes_range_ok(p->p_vaddr, p->p_memsz, 1ull << 32) &&
	       (!last || last->address + last->memory_size <= p->p_vaddr);
}

static bool read_elf32(const struct file_bytes *file, struct elf_image *image,
		       struct host_error *error)
{
	Elf32_Ehdr header;
	Elf32_Phdr p;

	if (file->size < sizeof(header))
		return host_fail(error, "not a usable ELF file: the header is not all there");
	memcpy(&header, file->data, sizeof(header));
	if (header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != EM_386 ||
	    header.e_phentsize != sizeof(p) || header.e_phnum > ELF_SEGMENTS_MAX ||
	    !bytes_range_ok(header.e_phoff, (uint64_t)header.e_phnum * sizeof(p), file->size))
		return host_fail(error, "not a usable ELF file: bad 32-bit headers");
	image->entry = header.e_entry;
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		memcpy(&p, file->data + header.e_phoff + i * sizeof(p), sizeof(p));
		if (p.p_type != PT_LOAD)
			continue;
		if (!check_segment32(file, &p, image))
			return host_fail(error, "not a usable ELF file: segment %u is broken", i);
		add(image, (struct elf_image_segment){ p.p_vaddr, p.p_paddr, p.p_memsz, p.p_filesz,
						       file->data + p.p_offset, p.p_flags });
	}
	return true;
}

bool elf_image_read(const struct file_bytes *file, struct elf_image *image,
		    struct host_error *error)
{
	bool ok;

	*image = (struct elf_image){ 0 };
	if (file->size > EI_CLASS && memcmp(file->data, ELFMAG, SELFMAG) == 0 &&
	    file->data[EI_CLASS] == ELFCLASS32)
		ok = read_elf32(file, image, error);
	else
		ok = read_elf64(file, image, error);
	if (ok && image->count == 0)
		return host_fail(error, "not a usable ELF file: it loads nothing");
	return ok;
}
