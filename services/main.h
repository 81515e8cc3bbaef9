/* SPDX-License-Identifier: MIT */
/* The main functions of the services; each returns the process's exit status. */
#ifndef SOCLE_SERVICES_MAIN_H
#define SOCLE_SERVICES_MAIN_H

int attest_main(void);
int twin_main(void);
int vtpm_main(void);

#endif
