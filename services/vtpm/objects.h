/* SPDX-License-Identifier: MIT */
/*
 * Where libtpms has loaded objects, with their secrets: a few slots of static memory. When an
 * object ends, by a flush, a Clear, a reset, or at the end of a command that used a persistent one,
 * libtpms notes that its slot is empty and leaves the rest for the next object to overwrite. Here
 * it is zeroed at once. Within a shared library the slots cannot be reached; then nothing is done.
 */
#ifndef SOCLE_SERVICES_VTPM_OBJECTS_H
#define SOCLE_SERVICES_VTPM_OBJECTS_H

/* Between two commands: zeroes what is left in slots that have no object. */
void objects_wipe(void);

/* When the TPM is off: zeroes all slots. */
void objects_end(void);

#endif
