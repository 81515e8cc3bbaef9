/* SPDX-License-Identifier: MIT */
/*
 * The disk of VMPL0 (--svsm-disk), by virtio 1.2: 4.2.2 (MMIO transport), 2.7 (split virtqueue),
 * 5.2 (block device); and the host's end of COM4 (--test-channel). devices_test.py has the disk,
 * whose sector n is filled with the byte 7n + 1, and looks at it afterwards: sectors 5, 6 and 63
 * are written.
 */
#include "tests/machine/guest/guest.h"

#define WINDOW 0xfef00000ull
#define STATUS_REG 0x070u
#define NOTIFY 0x050u
#define SECTORS 64u
#define HYPERVISOR 0x2000000000ull /* the machine's own memory: no guest's */
#define RAM_END (64ull << 20)
#define COM4 0x2e8u
#define PATIENCE 2000000u

enum { OK, IOERR, UNSUPP, NO_ANSWER = 0xee };
enum { IN, OUT, FLUSH = 4 };

struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};

/* What the device may reach: pages that were not loaded are shared, and zero. */
struct shared {
	uint8_t descriptors[4096];
	uint16_t driver[2048];
	uint16_t device[2048];
	uint8_t header[4096]; /* and the status, at its end */
	uint8_t data[2 * 4096];
	uint8_t second_ghcb[4096];
};

static struct shared *const shared = (struct shared *)TEST_PAGE;

/* What it may not. */
static uint8_t secret[4096] __attribute__((aligned(4096)));

static volatile struct shared *view(void)
{
	return (volatile struct shared *)shared_view(TEST_PAGE);
}

static uint64_t gpa_of(const volatile void *at)
{
	return (uint64_t)at;
}

/* An MMIO access by the GHCB page at gpa (GHCB specification, 4.1.8 and 4.1.9). */
static uint64_t mmio_by(uint64_t gpa, uint32_t offset, unsigned int size, bool write,
			uint64_t value)
{
	volatile struct ghcb *g = shared_view(gpa);
	volatile uint64_t *buffer = (volatile uint64_t *)g->shared_buffer;

	for (size_t i = 0; i < sizeof(g->valid_bitmap); i++)
		g->valid_bitmap[i] = 0;
	g->protocol_version = 2;
	g->usage = 0;
	*buffer = value;
	g->sw_exit_code = write ? 0x80000002 : 0x80000001;
	g->sw_exit_info_1 = WINDOW + offset;
	g->sw_exit_info_2 = size;
	g->sw_scratch = gpa + 0x800;
	g->valid_bitmap[14] = 0x3c; /* exit code, infos and scratch */
	ghcb_exit_at(gpa);
	value = *buffer;
	if (gpa == ghcb_gpa())
		ghcb_clear();
	return size == 8 ? value : value & ((1ull << 8 * size) - 1);
}

static uint32_t get(uint32_t reg)
{
	return (uint32_t)mmio_by(ghcb_gpa(), reg, 4, false, 0);
}

static void set(uint32_t reg, uint32_t value)
{
	(void)mmio_by(ghcb_gpa(), reg, 4, true, value);
}

static void set_place(uint32_t reg, uint64_t gpa)
{
	set(reg, (uint32_t)gpa);
	set(reg + 4, (uint32_t)(gpa >> 32));
}

/* To DRIVER_OK with a queue of 8 at these places: 3.1.1. */
static void start_at(uint64_t descriptors, uint64_t driver, uint64_t device)
{
	for (unsigned int i = 0; i < 2048; i++)
		view()->driver[i] = view()->device[i] = 0;
	set(STATUS_REG, 0);
	set(STATUS_REG, 3);
	set(0x024, 1);
	set(0x020, 3); /* VERSION_1 and ACCESS_PLATFORM */
	set(STATUS_REG, 0xb);
	set(0x030, 0);
	set(0x038, 8);
	set_place(0x080, descriptors);
	set_place(0x090, driver);
	set_place(0x0a0, device);
	set(0x044, 1);
	set(STATUS_REG, 0xf);
}

static void start(void)
{
	start_at(gpa_of(shared->descriptors), gpa_of(shared->driver), gpa_of(shared->device));
}

static void put_descriptor(unsigned int n, uint64_t address, uint32_t length, uint16_t flags,
			   uint16_t next)
{
	volatile struct descriptor *d = (volatile struct descriptor *)view()->descriptors + n;

	d->address = address;
	d->length = length;
	d->flags = flags;
	d->next = next;
}

static void put_request(uint32_t type, uint64_t sector, uint64_t data, uint32_t size)
{
	*(volatile uint32_t *)view()->header = type;
	*(volatile uint64_t *)(view()->header + 8) = sector;
	view()->header[4095] = NO_ANSWER;
	put_descriptor(0, gpa_of(shared->header), 16, 1, 1);
	put_descriptor(1, data, size, type == IN ? 3 : 1, 2);
	put_descriptor(2, gpa_of(shared->header) + 4095, 1, 2, 0);
}

static uint8_t announce(void)
{
	view()->driver[2 + view()->driver[1] % 8] = 0;
	view()->driver[1]++;
	set(NOTIFY, 0);
	return view()->header[4095];
}

static uint8_t request(uint32_t type, uint64_t sector, uint64_t data, uint32_t size)
{
	put_request(type, sector, data, size);
	return announce();
}

static bool data_is(unsigned int from, unsigned int to, uint8_t byte)
{
	for (unsigned int i = from; i < to; i++)
		if (view()->data[i] != byte)
			return false;
	return true;
}

static void fill_data(uint8_t byte)
{
	for (unsigned int i = 0; i < sizeof(shared->data); i++)
		view()->data[i] = byte;
}

/*
 * The file that says where the device is: QEMU's fw_cfg (docs/specs/fw_cfg), file directory 0x19.
 */
static void hardware_info(void)
{
	static const char name[] = "etc/hardware-info";
	uint8_t entry[64], selector[2] = { 0 };
	uint32_t files = 0;
	uint64_t words[3];

	ghcb->rax = 0x19;
	ghcb_set_valid(0x1f8);
	(void)ghcb_exit(0x7b, 0x510ull << 16 | 2u << 4, 0);
	for (unsigned int i = 0; i < 4; i++)
		files = files << 8 | ghcb_in8(0x511);
	for (uint32_t n = 0; n < files && n < 100; n++) {
		bool same = true;

		for (unsigned int i = 0; i < sizeof(entry); i++)
			entry[i] = ghcb_in8(0x511);
		for (unsigned int i = 0; i < sizeof(name); i++)
			same = same && entry[8 + i] == (uint8_t)name[i];
		if (same) {
			selector[0] = entry[5];
			selector[1] = entry[4];
		}
	}
	ghcb->rax = (uint64_t)selector[1] << 8 | selector[0];
	ghcb_set_valid(0x1f8);
	(void)ghcb_exit(0x7b, 0x510ull << 16 | 2u << 4, 0);
	for (unsigned int i = 0; i < sizeof(words); i++)
		((uint8_t *)words)[i] = ghcb_in8(0x511);
	check("etc/hardware-info has a virtio device of the SVSM", words[0], 0x1000);
	check("  8 bytes that say where", words[1], 8);
	check("  namely there", words[2], WINDOW);
}

static void identity(void)
{
	check("the magic value", get(0x000), 0x74726976);
	check("  version 2, without legacy", get(0x004), 2);
	check("  a block device", get(0x008), 2);
	check("  its capacity", mmio_by(ghcb_gpa(), 0x100, 8, false, 0), SECTORS);
	check("a register is 32 bits wide", mmio_by(ghcb_gpa(), 0x000, 8, false, 0), ~0ull);
	check("  and no fewer", mmio_by(ghcb_gpa(), 0x000, 1, false, 0), 0xff);
}

static void ordinary(void)
{
	start();
	check("a driver that keeps to the rules starts it", get(STATUS_REG), 0xf);
	check("it reads a sector", request(IN, 3, gpa_of(shared->data), 512), OK);
	check("  namely that one", data_is(0, 512, 22), 1);
	check("  and no more", data_is(512, 8192, 0), 1);
	check("  the answer has its length", *(volatile uint32_t *)&view()->device[4], 513);
	check("  and is announced", view()->device[1], 1);
	fill_data(0xa5);
	check("it writes two", request(OUT, 5, gpa_of(shared->data) + 512, 1024), OK);
	check("  and makes that last", request(FLUSH, 0, gpa_of(shared->data), 0), OK);
	check("it reads beyond the end of a page", request(IN, 4, gpa_of(shared->data), 8192), OK);
	check("  what was there before", data_is(0, 512, 29), 1);
	check("  what was written", data_is(512, 1536, 0xa5), 1);
	check("  what is behind it", data_is(1536, 2048, 50), 1);
	fill_data(0x5a);
	check("it writes the last sector", request(OUT, 63, gpa_of(shared->data), 512), OK);
	check("an unknown request", request(11, 0, gpa_of(shared->data), 512), UNSUPP);
}

/* Data that the device must not touch: an error, and it goes on. */
static void bad_data(void)
{
	const uint64_t data = gpa_of(shared->data), private = gpa_of(secret);

	fill_data(0x11);
	check("a sector beyond the end", request(IN, 64, data, 512), IOERR);
	check("  the last, and one more", request(OUT, 63, data, 1024), IOERR);
	check("  a sector of 64 bits", request(OUT, ~0ull, data, 1024), IOERR);
	check("half a sector", request(OUT, 0, data, 256), IOERR);
	check("4 GiB", request(IN, 0, data, 0xfffffe00), IOERR);
	check("into a private page", request(IN, 3, private, 512), IOERR);
	check("  or half into one", request(IN, 3, private - 256, 512), IOERR);
	check("out of a private page", request(OUT, 0, private, 512), IOERR);
	check("into the machine's own memory", request(IN, 3, HYPERVISOR, 512), IOERR);
	check("out of it", request(OUT, 0, HYPERVISOR, 512), IOERR);
	check("beyond the end of RAM", request(IN, 3, RAM_END, 512), IOERR);
	check("  over that end", request(IN, 3, RAM_END - 256, 512), IOERR);
	check("into device memory", request(IN, 3, 0xfee00000, 512), IOERR);
	check("and a good one", request(IN, 3, data, 512), OK);
	for (unsigned int i = 0; i < sizeof(secret); i++)
		if (secret[i] != 0x33)
			check("the private page is as it was", secret[i], 0x33);
}

static void needs_reset(const char *rule)
{
	check(rule, get(STATUS_REG) & 0x40, 0x40);
}

/* Rings and chains that make no sense: nothing happens any more until the driver resets it. */
static void bad_rings(void)
{
	const uint64_t places[] = { gpa_of(secret), RAM_END, HYPERVISOR, 0xa0000, WINDOW };
	const uint64_t d = gpa_of(shared->descriptors), a = gpa_of(shared->driver);
	uint64_t broken = 0;

	for (unsigned int i = 0; i < 5; i++) {
		start_at(places[i], a, gpa_of(shared->device));
		put_request(IN, 3, gpa_of(shared->data), 512);
		(void)announce();
		broken += get(STATUS_REG) == 0x4f && view()->header[4095] == NO_ANSWER;
		start_at(d, places[i], gpa_of(shared->device));
		set(NOTIFY, 0);
		broken += get(STATUS_REG) == 0x4f && view()->header[4095] == NO_ANSWER;
		start_at(d, a, places[i]);
		put_request(IN, 3, gpa_of(shared->data), 512);
		(void)announce();
		broken += get(STATUS_REG) == 0x4f;
	}
	check("rings in private, absent and foreign memory", broken, 15);
	start();
	put_request(IN, 3, gpa_of(shared->data), 512);
	view()->driver[1] = 8;
	(void)announce();
	needs_reset("more requests than the queue has room for");
	start();
	put_request(IN, 3, gpa_of(shared->data), 512);
	put_descriptor(2, gpa_of(shared->header) + 4095, 1, 3, 1);
	(void)announce();
	needs_reset("a chain that goes around");
	start();
	put_request(IN, 3, gpa_of(shared->data), 512);
	put_descriptor(1, gpa_of(shared->data), 512, 1, 9);
	(void)announce();
	needs_reset("a chain that leaves the table");
	set(0x038, 0x80000000);
	start_at(d + 1, a, gpa_of(shared->device));
	check("a table that is not aligned: no queue", get(0x044), 0);
	set(STATUS_REG, 0);
	set_place(0x080, d);
	set(0x038, 0x80000000);
	set(0x044, 1);
	check("2 Gi entries: no queue", get(0x044), 0);
	start();
	check("after a reset it works", request(IN, 3, gpa_of(shared->data), 512), OK);
}

static volatile uint64_t seen_at_level2[2];

static void at_level2(void)
{
	(void)ghcb_msr_call(0x012 | ghcb_gpa());
	seen_at_level2[0] = get(0x000);
	set(STATUS_REG, 0);
	seen_at_level2[1] = mmio_by(ghcb_gpa(), 0x100, 8, false, 0);
	for (;;)
		level2_return();
}

static void levels(void)
{
	level2_create(at_level2);
	level2_start();
	(void)level2_run();
	check("VMPL2 sees no device", seen_at_level2[0], 0xffffffff);
	check("  nor its configuration", seen_at_level2[1], ~0ull);
	check("  and does not reset it", get(STATUS_REG), 0xf);
}

/* The second CPU looks at the device all the time, while the first one has requests served. */
static volatile uint64_t looks, wrong_looks;

static void second_cpu(void)
{
	(void)ghcb_msr_call(0x012 | gpa_of(shared->second_ghcb));
	for (;;) {
		wrong_looks += mmio_by(gpa_of(shared->second_ghcb), STATUS_REG, 4, false, 0) != 0xf;
		looks++;
	}
}

static void two_cpus(void)
{
	uint64_t good = 0, before, i;

	second_cpu_start(second_cpu);
	while (looks < 10)
		__asm__ volatile("pause");
	before = looks;
	/* A busy computer may not get to that CPU in a hundred requests. */
	for (i = 0; i < 100 || looks == before; i++)
		good += request(IN, i % SECTORS, gpa_of(shared->data), 512) == OK &&
			(i % SECTORS == 5 || i % SECTORS == 6 || i % SECTORS == 63 ||
			 data_is(0, 512, (uint8_t)(i % SECTORS * 7 + 1)));
	check("a hundred requests while another CPU looks", good, i);
	check("  which it did", looks > before, 1);
	check("  and never saw anything odd", wrong_looks, 0);
}

/* A line to whoever is at the other end of COM4, and the line that comes back. */
static uint64_t ask_host(void)
{
	static const char question[] = "how much?\n";
	uint64_t number = 0;

	for (unsigned int i = 0; question[i]; i++)
		ghcb_out8(COM4, (uint8_t)question[i]);
	for (unsigned int i = 0; i < PATIENCE; i++) {
		uint8_t byte;

		if (!(ghcb_in8(COM4 + 5) & 1)) /* data ready */
			continue;
		byte = ghcb_in8(COM4);
		if (byte == '\n')
			return number;
		number = number * 10 + (byte - '0');
	}
	return 0;
}

void test_main(void)
{
	for (unsigned int i = 0; i < sizeof(secret); i++)
		secret[i] = 0x33;
	hardware_info();
	identity();
	ordinary();
	bad_data();
	bad_rings();
	levels();
	two_cpus();
	check("the host answers at COM4", ask_host(), 4711);
}
