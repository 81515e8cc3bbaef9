/* SPDX-License-Identifier: MIT */
/* The main functions of the services. */
#ifndef SOCLE_SERVICES_MAIN_H
#define SOCLE_SERVICES_MAIN_H

#include "services/common/serve.h"

enum serve_end ahead_main(void);
enum serve_end attest_main(void);
enum serve_end twin_main(void);
enum serve_end vtpm_main(void);

#endif
