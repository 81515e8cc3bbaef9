/* SPDX-License-Identifier: MIT */
/* Report requests to the AMD-SP, as a guest seals them and opens their answers (abi/psp.h). */
#ifndef SOCLE_TESTS_MACHINE_MESSAGE_H
#define SOCLE_TESTS_MACHINE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/psp.h"

struct message_request {
	struct psp_msg_header header;
	struct psp_report_req request;
};

struct message_response {
	struct psp_msg_header header;
	struct psp_report_rsp response;
};

/* A request for a report of the level that the key, a VMPCK, is of; not yet sealed. */
struct message_request message_report(unsigned int key, uint64_t seqno);

/* Encrypts the request, and puts the tag into its header; key is of 32 bytes. */
void message_seal(struct message_request *m, const uint8_t *key);

/* Decrypts an answer; false when it is too long, or its tag is wrong. */
bool message_open(struct message_response *m, const uint8_t *key);

/* Copies bytes to a shared page, the rest of it zeros, and from one. */
void message_put(uint64_t gpa, const struct message_request *m);
void message_get(uint64_t gpa, struct message_response *m);

#endif
