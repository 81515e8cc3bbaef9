/* SPDX-License-Identifier: MIT */
#include "machine/hv/device/virtio_blk.h"

#include "machine/hv/device/disk.h"

/* What a driver that keeps to the configuration asks for at most. */
#define SEGMENT_MAX DISK_BUFFER_SIZE
#define SEGMENTS_MAX 16u
#define REQUEST_MAX ((uint64_t)SEGMENT_MAX * SEGMENTS_MAX)

struct virtio_block_config virtio_blk_config(void)
{
	return (struct virtio_block_config){ .capacity = disk_sectors(),
					     .size_max = SEGMENT_MAX,
					     .seg_max = SEGMENTS_MAX };
}

static bool is_on_disk(uint64_t sector, uint64_t bytes)
{
	uint64_t capacity = disk_sectors();

	return bytes <= REQUEST_MAX && bytes % VIRTIO_BLK_SECTOR == 0 && sector <= capacity &&
	       bytes / VIRTIO_BLK_SECTOR <= capacity - sector;
}

static uint32_t next_part(uint64_t left)
{
	return left < DISK_BUFFER_SIZE ? (uint32_t)left : DISK_BUFFER_SIZE;
}

/* The data lies before the status, which is the last byte that the device writes. */
static enum virtio_blk_status read_sectors(const struct virtqueue_chain *chain, uint64_t sector,
					   uint32_t *written)
{
	uint64_t bytes = virtqueue_bytes(chain, true) - 1;

	if (!is_on_disk(sector, bytes) || !virtqueue_is_reachable(chain))
		return VIRTIO_BLK_IOERR;
	while (*written < bytes) {
		uint32_t part = next_part(bytes - *written);
		const uint8_t *buffer = disk_buffer();

		if (!disk_read(sector + *written / VIRTIO_BLK_SECTOR, part) ||
		    !virtqueue_write(chain, *written, buffer, part))
			return VIRTIO_BLK_IOERR;
		*written += part;
	}
	return VIRTIO_BLK_OK;
}

static enum virtio_blk_status write_sectors(const struct virtqueue_chain *chain, uint64_t sector)
{
	uint64_t bytes = virtqueue_bytes(chain, false) - sizeof(struct virtio_blk_header);

	/* Before the first sector changes: a request with a bad piece changes none. */
	if (!is_on_disk(sector, bytes) || !virtqueue_is_reachable(chain))
		return VIRTIO_BLK_IOERR;
	for (uint64_t done = 0; done < bytes;) {
		uint32_t part = next_part(bytes - done);
		uint8_t *buffer = disk_buffer();

		if (!virtqueue_read(chain, sizeof(struct virtio_blk_header) + done, buffer, part) ||
		    !disk_write(sector + done / VIRTIO_BLK_SECTOR, part))
			return VIRTIO_BLK_IOERR;
		done += part;
	}
	return VIRTIO_BLK_OK;
}

static enum virtio_blk_status give_id(const struct virtqueue_chain *chain, uint32_t *written)
{
	static const char id[VIRTIO_BLK_ID_SIZE] = "svsm-disk";

	if (virtqueue_bytes(chain, true) != sizeof(id) + 1 ||
	    !virtqueue_write(chain, 0, id, sizeof(id)))
		return VIRTIO_BLK_IOERR;
	*written = sizeof(id);
	return VIRTIO_BLK_OK;
}

static enum virtio_blk_status carry_out(const struct virtqueue_chain *chain, uint32_t *written)
{
	struct virtio_blk_header header;

	if (!virtqueue_read(chain, 0, &header, sizeof(header)))
		return VIRTIO_BLK_IOERR;
	switch (header.type) {
	case VIRTIO_BLK_IN:
		return read_sectors(chain, header.sector, written);
	case VIRTIO_BLK_OUT:
		return write_sectors(chain, header.sector);
	case VIRTIO_BLK_FLUSH:
		return disk_flush() ? VIRTIO_BLK_OK : VIRTIO_BLK_IOERR;
	case VIRTIO_BLK_GET_ID:
		return give_id(chain, written);
	default:
		return VIRTIO_BLK_UNSUPP;
	}
}

bool virtio_blk_serve(const struct virtqueue_chain *chain, uint32_t *written)
{
	uint64_t room = virtqueue_bytes(chain, true);
	uint8_t status;

	*written = 0;
	if (room == 0)
		return false;
	status = (uint8_t)carry_out(chain, written);
	if (!virtqueue_write(chain, room - 1, &status, sizeof(status)))
		return false;
	++*written;
	return true;
}
