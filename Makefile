# SPDX-License-Identifier: MIT
# A short front for the build: `make demo` and `make check` do all their own set-up.

OUT := build/out
JOBS ?= 2
CPUS ?= 2

.PHONY: all bench demo check check-slow guest guest7 format clean setup-demo setup-check

all: $(OUT)/build.ninja
	ninja -C $(OUT) -j $(JOBS)

# Boots an unmodified Linux under Socle on the emulated SNP machine and attests it.
demo: setup-demo all guest
	scripts/demo.py --programs $(OUT) --cpus $(CPUS)

# All tests but the slow ones. The last line counts them.
check: setup-check all guest
	scripts/check.py --programs $(OUT)

check-slow: setup-check all guest guest7
	scripts/check.py --programs $(OUT) --slow

# What the vTPM costs, as ratios, in build/bench.json.
bench: setup-check all
	bench/run.py --programs $(OUT)

# The guest's kernel, module and initramfs.
guest: all
	scripts/fetch-kernel.sh
	scripts/build-guest.sh build/kernel $(OUT) build/guest

# The same with Debian's newest 7.x kernel, and the compiler of its suite.
guest7: all
	scripts/fetch-kernel.sh --series 7
	scripts/build-guest.sh build/kernel7 $(OUT) build/guest7

setup-demo:
	@scripts/setup-packages.sh build demo

setup-check:
	@scripts/setup-packages.sh build demo check

$(OUT)/build.ninja:
	meson setup $(OUT)

format:
	git ls-files '*.c' '*.h' | grep -v '^guest/module/' | xargs clang-format-14 -i

clean:
	rm -rf build
