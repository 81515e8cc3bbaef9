/* SPDX-License-Identifier: MIT */
#include "machine/hv/device/virtqueue.h"

#include "machine/hv/memory/guest.h"

/* An address with the C-bit is none that a device may name, and nothing wraps around. */
static bool is_address(uint64_t gpa, uint64_t size)
{
	return gpa < HV_C_BIT && size <= HV_C_BIT - gpa;
}

bool virtqueue_is_sound(const struct virtqueue *q)
{
	return q->size != 0 && q->size <= VIRTQUEUE_SIZE_MAX && (q->size & (q->size - 1)) == 0 &&
	       q->descriptors % VIRTIO_DESCRIPTOR_ALIGN == 0 &&
	       q->driver % VIRTIO_DRIVER_AREA_ALIGN == 0 &&
	       q->device % VIRTIO_DEVICE_AREA_ALIGN == 0 && is_address(q->descriptors, 0x10000) &&
	       is_address(q->driver, 0x10000) && is_address(q->device, 0x10000);
}

/* Aligned, so that it is one access, of a page that others may write. */
static bool read_16(uint64_t gpa, uint16_t *value)
{
	const uint16_t *at = guest_ptr(gpa, sizeof(*at), GUEST_SHARED);

	if (at != NULL)
		*value = __atomic_load_n(at, __ATOMIC_ACQUIRE);
	return at != NULL;
}

static bool write_16(uint64_t gpa, uint16_t value)
{
	uint16_t *at = guest_ptr(gpa, sizeof(*at), GUEST_SHARED);

	if (at != NULL)
		__atomic_store_n(at, value, __ATOMIC_RELEASE);
	return at != NULL;
}

bool virtqueue_available(const struct virtqueue *q, unsigned int *count)
{
	uint16_t index;

	if (!read_16(q->driver + VIRTIO_AREA_INDEX, &index))
		return false;
	*count = (uint16_t)(index - q->next);
	return *count <= q->size;
}

/* One descriptor: a piece. False: it is not what a chain has there. */
static bool take_piece(const struct virtqueue *q, uint16_t index, struct virtqueue_chain *chain,
		       struct virtio_descriptor *d)
{
	bool writes;

	if (index >= q->size || chain->count == q->size ||
	    !guest_read_shared(q->descriptors + index * sizeof(*d), d, sizeof(*d)))
		return false;
	writes = d->flags & VIRTIO_DESCRIPTOR_WRITE;
	if ((d->flags & VIRTIO_DESCRIPTOR_INDIRECT) || !is_address(d->address, d->length) ||
	    (!writes && chain->count > chain->reads))
		return false;
	chain->pieces[chain->count++] = (struct virtqueue_piece){ .gpa = d->address,
								  .size = d->length };
	if (!writes)
		chain->reads = chain->count;
	return true;
}

bool virtqueue_take(struct virtqueue *q, struct virtqueue_chain *chain)
{
	struct virtio_descriptor d = { .flags = VIRTIO_DESCRIPTOR_NEXT };

	if (!read_16(q->driver + VIRTIO_AREA_RING + q->next % q->size * sizeof(chain->head),
		     &chain->head))
		return false;
	chain->reads = 0;
	chain->count = 0;
	d.next = chain->head;
	while (d.flags & VIRTIO_DESCRIPTOR_NEXT)
		if (!take_piece(q, d.next, chain, &d))
			return false;
	q->next++;
	return true;
}

bool virtqueue_give(struct virtqueue *q, uint16_t head, uint32_t length)
{
	struct virtio_used used = { .head = head, .length = length };
	uint64_t at = q->device + VIRTIO_AREA_RING + q->used % q->size * sizeof(used);

	if (!guest_write_shared(at, &used, sizeof(used)))
		return false;
	q->used++;
	return write_16(q->device + VIRTIO_AREA_INDEX, q->used);
}

uint64_t virtqueue_bytes(const struct virtqueue_chain *chain, bool writes)
{
	unsigned int end = writes ? chain->count : chain->reads;
	uint64_t bytes = 0;

	for (unsigned int i = writes ? chain->reads : 0; i < end; i++)
		bytes += chain->pieces[i].size;
	return bytes;
}

static bool is_shared(const struct virtqueue_piece *piece)
{
	uint64_t end = piece->gpa + piece->size;

	for (uint64_t at = piece->gpa; at < end; at += ABI_PAGE_SIZE - at % ABI_PAGE_SIZE)
		if (guest_ptr(at, 1, GUEST_SHARED) == NULL)
			return false;
	return true;
}

bool virtqueue_is_reachable(const struct virtqueue_chain *chain)
{
	for (unsigned int i = 0; i < chain->count; i++)
		if (!is_shared(&chain->pieces[i]))
			return false;
	return true;
}

/*
 * How many of the size bytes at offset, counted from the piece first, lie together, and at which
 * gpa; 0 past the piece before end.
 */
static size_t part_at(const struct virtqueue_chain *chain, unsigned int first, unsigned int end,
		      uint64_t offset, size_t size, uint64_t *gpa)
{
	for (unsigned int i = first; i < end; i++) {
		const struct virtqueue_piece *piece = &chain->pieces[i];

		if (offset < piece->size) {
			*gpa = piece->gpa + offset;
			return piece->size - offset < size ? piece->size - offset : size;
		}
		offset -= piece->size;
	}
	return 0;
}

bool virtqueue_read(const struct virtqueue_chain *chain, uint64_t offset, void *to, size_t size)
{
	uint8_t *bytes = to;
	uint64_t gpa;

	for (size_t part; size != 0; size -= part, offset += part, bytes += part) {
		part = part_at(chain, 0, chain->reads, offset, size, &gpa);
		if (part == 0 || !guest_read_shared(gpa, bytes, part))
			return false;
	}
	return true;
}

bool virtqueue_write(const struct virtqueue_chain *chain, uint64_t offset, const void *from,
		     size_t size)
{
	const uint8_t *bytes = from;
	uint64_t gpa;

	for (size_t part; size != 0; size -= part, offset += part, bytes += part) {
		part = part_at(chain, chain->reads, chain->count, offset, size, &gpa);
		if (part == 0 || !guest_write_shared(gpa, bytes, part))
			return false;
	}
	return true;
}
