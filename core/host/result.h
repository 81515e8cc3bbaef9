/* SPDX-License-Identifier: MIT */
/* The former names of core/host/error.h, for the CA's files until they are changed too. */
#ifndef SOCLE_CORE_HOST_RESULT_H
#define SOCLE_CORE_HOST_RESULT_H

#include "core/host/error.h"

#define build_error host_error
#define build_fail host_fail

#endif
