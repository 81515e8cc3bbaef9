/* SPDX-License-Identifier: MIT */
/* The commands of socle-guest that are run once. They take their own name as argv[0]. */
#ifndef SOCLE_GUEST_AGENT_COMMANDS_H
#define SOCLE_GUEST_AGENT_COMMANDS_H

/* Both return the exit status, after one line on stderr where it is not 0. */
int command_attest(int argc, char **argv);
int command_quote(int argc, char **argv);

#endif
