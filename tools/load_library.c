/* SPDX-License-Identifier: MIT */
#include "tools/load_library.h"

#include <dlfcn.h>

bool load_library(const char *soname, const struct library_symbol *symbols, size_t count,
		  struct host_error *error)
{
	void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL);

	if (!library)
		return host_fail(error, "it needs %s, which is not there", soname);
	for (size_t i = 0; i < count; i++) {
		*symbols[i].to = dlsym(library, symbols[i].name);
		if (!*symbols[i].to)
			return host_fail(error, "%s has no %s", soname, symbols[i].name);
	}
	return true;
}
