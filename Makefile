# The front door. Everything behind it is meson and ninja; `make help` says what there is.

comma := ,
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

.PHONY: release debug asan clang demo test test-xdp test-expert bench bench-live figures tidy lint coverage memcheck mutants model fuzz \
        install clean help

release: build/build.ninja      ## optimised build in build/ (the default)
	@ninja --quiet -C build

debug: build-debug/build.ninja  ## unoptimised build in build-debug/
	@ninja --quiet -C build-debug

asan: build-asan/build.ninja    ## clang, address and undefined-behaviour sanitizers, in build-asan/
	@ninja --quiet -C build-asan

clang: build-clang/build.ninja  ## optimised build by clang, in build-clang/
	@ninja --quiet -C build-clang

demo:                           ## a rack in namespaces, clients under load, migrations (root)
	@tools/bootstrap build
	@$(MAKE) --no-print-directory release
	@$(SUDO) build/apps/capy demo

test:                           ## every test; ends with "N passed, N failed"
	@tools/bootstrap test
	@test ! -e build/build.ninja -o -e build/switch/xdp/plane.o || meson setup --reconfigure --clearcache build >/dev/null # was without clang or bpftool
	@tools/run-tests

test-xdp: release               ## the live tests with the switch's plane in the kernel; RACK="NAME..." for some of them (root)
	@failed=; for t in $(if $(RACK),$(RACK:%=tests/rack/%_test.py),tests/rack/*_test.py); do \
	    echo "== $$t"; $(SUDO) CAPY_PLANE=xdp $$t; rc=$$?; \
	    [ $$rc -eq 0 -o $$rc -eq 77 ] || failed="$$failed $$t"; \
	done; [ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

test-expert:                    ## the live tests, with tshark's experts judging every frame of ours (root; long)
	@tools/bootstrap test
	@$(MAKE) --no-print-directory release
	@$(SUDO) tools/test-expert

bench:                          ## every bench; writes out/bench/*.json
	@tools/bootstrap bench
	@$(MAKE) --no-print-directory build/build.ninja
	@meson configure --clearcache build && meson setup --reconfigure build >/dev/null
	@$(MAKE) --no-print-directory release
	@mkdir -p out/bench
	@bench/run-migrate build | tee out/bench/migrate.json
	@bench/run-stack build | tee out/bench/stack.json
	@build/bench/bench-drain | tee out/bench/drain.json
	@build/bench/bench-record | tee out/bench/record.json
	@$(SUDO) bench/run-switch build | tee out/bench/switch.json
	@build/bench/trigger/bench-trigger | tee out/bench/trigger.json

bench-live:                     ## our stack against the kernel's, and the switches, live (root; ten minutes)
	@tools/bootstrap build
	@$(MAKE) --no-print-directory release
	@$(SUDO) bench/run-live --json out/bench/live.json
	@$(SUDO) bench/run-switch --live --json out/bench/switch-live.json

figures:                        ## every figure of the paper, and more; out/figures/report.html (root; a quarter of an hour)
	@tools/bootstrap figures
	@$(MAKE) --no-print-directory release
	@$(SUDO) bench/figures/run

tidy: release                   ## the rules of the house, as a check
	@tools/tidy build

lint:                           ## cppcheck and clang-tidy over all that is shipped; minutes
	@tools/bootstrap lint
	@$(MAKE) --no-print-directory release
	@tools/lint build

coverage:                       ## lines and branches that the tests visit; writes out/coverage/
	@tools/bootstrap lint
	@$(MAKE) --no-print-directory build-cov/build.ninja
	@ninja --quiet -C build-cov
	@tools/coverage build-cov

memcheck:                       ## unit tests and simulations under valgrind; minutes
	@tools/bootstrap test
	@$(MAKE) --no-print-directory release
	@tools/memcheck build --all

mutants:                        ## plants known bugs, and says which test finds each; half an hour
	@tools/bootstrap test
	@tools/mutants

model:                          ## the model of TCPMig, at bounds that take minutes and gigabytes
	@tests/model/check --long

fuzz:                           ## each fuzzer for FUZZ_SECONDS (60); FUZZ="NAME..." for some of them
	@tools/bootstrap test
	@tests/fuzz/run-fuzzers $(FUZZ)

.PHONY: sim
sim: release                    ## capy sim, 100,000 seeds: a quarter of an hour of two idle cores
	@build/apps/capy sim --seeds 1..100000

install: release                ## installs capy under /usr/local (DESTDIR works)
	@meson install -C build --quiet
	@[ -n "$(DESTDIR)" ] || $(SUDO) /sbin/ldconfig # or programs on libcapy are built, and do not start

clean:                          ## removes every build
	rm -rf build build-debug build-asan build-clang build-cov build-fuzz out

help:                           ## this
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 18

# meson's output matters only when it fails. What one that was interrupted left would have it believe that all is done.
setup = @rm -rf $(@D)/meson-private; log=$$(CC=$(1) meson setup $(@D) $(2) 2>&1) || { echo "$$log"; exit 1; }

build/build.ninja:
	$(call setup,gcc)

build-debug/build.ninja:
	$(call setup,gcc,--buildtype=debug)

build-asan/build.ninja:
	$(call setup,clang,--buildtype=debugoptimized -Db_sanitize=address$(comma)undefined -Db_lundef=false)

build-cov/build.ninja:
	$(call setup,gcc,--buildtype=debug -Db_coverage=true -Dc_args=-DCAPY_COVERAGE)

build-clang/build.ninja:
	$(call setup,clang)

# Only the fuzz targets of this one are ever built: ninja -C build-fuzz fuzzers.
build-fuzz/build.ninja:
	$(call setup,clang,-Dfuzz=true --buildtype=debugoptimized -Db_sanitize=address$(comma)undefined -Db_lundef=false -Dc_args=-fsanitize=fuzzer-no-link)
