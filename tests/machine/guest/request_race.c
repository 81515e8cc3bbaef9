/* SPDX-License-Identifier: MIT */
/*
 * A page of an SNP guest request that changes sides while the request waits for its turn: the host
 * sends what is shared when it sends it, and refuses the request otherwise (GHCB specification,
 * SNP Guest Request: both pages are shared). CPU 1 asks with a message whose header is right and
 * whose tag is not, CPU 2 keeps the AMD-SP busy, CPU 0 changes CPU 1's page to and fro. Bytes of
 * the private side would be a wrong header: INVALID_PARAM 0x16 (SEV firmware ABI, status codes)
 * where BAD_MEASUREMENT 0x0b is right.
 */
#include "tests/machine/guest/guest.h"

#define ROUNDS 5000u
#define PATIENCE 60000000000ull /* of the TSC, 12 s or more: a slow machine tries less often */
#define GUEST_REQUEST 0x80000011ull
#define BAD_MEASUREMENT 0x0b

/* Of CPU 1 and CPU 2. */
static uint8_t ghcbs[2][4096] __attribute__((aligned(4096)));
static uint8_t requests[2][4096] __attribute__((aligned(4096)));
static uint8_t responses[2][4096] __attribute__((aligned(4096)));

static volatile uint64_t rounds, refused, right, wrong, busy_rounds;
static volatile bool enough;

static void share(uint8_t *page)
{
	(void)pvalidate((uint64_t)page, 0, 0);
	(void)page_make_shared((uint64_t)page);
	for (size_t i = 0; i < 4096; i++)
		((volatile uint8_t *)shared_view((uint64_t)page))[i] = 0;
}

static struct ghcb_answer request(unsigned int i)
{
	volatile struct ghcb *g = shared_view((uint64_t)ghcbs[i]);

	for (size_t n = 0; n < sizeof(g->valid_bitmap); n++)
		g->valid_bitmap[n] = 0;
	g->protocol_version = 2;
	g->sw_exit_code = GUEST_REQUEST;
	g->sw_exit_info_1 = (uint64_t)requests[i];
	g->sw_exit_info_2 = (uint64_t)responses[i];
	g->valid_bitmap[14] = 0x1c; /* exit code and infos */
	ghcb_exit_at((uint64_t)ghcbs[i]);
	return (struct ghcb_answer){ (uint32_t)g->sw_exit_info_1, g->sw_exit_info_2 };
}

static void asks(void)
{
	(void)ghcb_msr_call(0x012 | (uint64_t)ghcbs[0]);
	for (; !enough; rounds++) {
		struct ghcb_answer answer = request(0);

		if (answer.result != 0)
			refused++;
		else if (answer.info_2 == BAD_MEASUREMENT)
			right++;
		else
			wrong++;
	}
	for (;;)
		__asm__ volatile("pause");
}

static void keeps_busy(void)
{
	(void)ghcb_msr_call(0x012 | (uint64_t)ghcbs[1]);
	for (; !enough; busy_rounds++)
		(void)request(1);
	for (;;)
		__asm__ volatile("pause");
}

/* SEV-SNP firmware ABI, table "message header format". */
static void write_header(volatile uint8_t *page)
{
	page[0x20] = 1;	   /* sequence number */
	page[0x30] = 1;	   /* AES-256-GCM */
	page[0x31] = 1;	   /* header version */
	page[0x32] = 0x60; /* header size */
	page[0x34] = 5;	   /* report request */
	page[0x35] = 1;	   /* message version */
	page[0x36] = 0x60; /* message size */
}

static void idle_for(unsigned int pauses)
{
	for (unsigned int i = 0; i < pauses; i++)
		__asm__ volatile("pause");
}

void test_main(void)
{
	uint64_t start = tsc_read();

	for (unsigned int i = 0; i < 2; i++) {
		share(ghcbs[i]);
		share(requests[i]);
		share(responses[i]);
	}
	write_header(shared_view((uint64_t)requests[0]));
	cpu_start(1, asks);
	cpu_start(2, keeps_busy);
	while (rounds < ROUNDS && (tsc_read() - start < PATIENCE || !right || !refused)) {
		(void)page_make_private((uint64_t)requests[0]);
		idle_for(500); /* to have waited until it is private */
		(void)page_make_shared((uint64_t)requests[0]);
		idle_for(1000); /* to find it shared, and to begin to wait */
	}
	enough = true;
	check("requests with a page that was shared when they were sent: all of them right", wrong,
	      0);
	check("  and some there were", right > 0, 1);
	check("requests with a page that was private then: refused", refused > 0, 1);
	check("others were on their way meanwhile", busy_rounds > 0, 1);
}
