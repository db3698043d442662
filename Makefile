# The usual verbs; Meson and ninja do the work. `make help` lists them.
BUILD = build
# A warning breaks the build of whoever works on adit (`make lint` sets it for $(BUILD)), and no other:
# tomorrow's compiler will have warnings that nobody has seen yet.
STRICT = -Dwerror=true
SANITIZED = $(STRICT) -Db_lundef=false
# An ordinary user's PATH lacks ip and dnsmasq, which tests start.
export PATH := $(PATH):/usr/sbin:/sbin
# Quoted by the shell, they may hold blanks.
export PREFIX = /usr/local
export DESTDIR

# What a newcomer types first -----------------------------------------------------------------

all: build-known $(BUILD)/build.ninja ## build build/adit (release, with symbols) and the tests
	@ninja -C $(BUILD)

deps: ## install the packages that building lacks, the man pages' too
	@scripts/install-deps install

run: build-deps $(BUILD)/build.ninja ## install what building lacks, build adit, run it on 127.0.0.1:10800
	@ninja -C $(BUILD) adit adit-top
	@exec $(BUILD)/adit

test: test-deps all ## install what tests lack, run every test but the zoo of real clients
	@test/run $(BUILD)

test-clients: build-deps all ## drive real clients through adit (installs browser, Java, Go, ...)
	@ADIT=$(CURDIR)/$(BUILD)/adit test/clients/run

# For whoever works on adit -------------------------------------------------------------------

asan: build-known build-asan/build.ninja ## build build-asan/adit with ASan and UBSan
	@ninja -C build-asan

tsan: build-known build-tsan/build.ninja ## build build-tsan/adit with TSan
	@ninja -C build-tsan

test-asan: test-deps asan ## run every test on the ASan build
	@test/run build-asan

test-tsan: test-deps tsan ## run every test on the TSan build
	@test/run build-tsan

fuzz: ## fuzz each parser for 60 s
	@scripts/install-deps fuzz
	@fuzz/run

bench: all ## measure adit beside the peers that are installed (up to 20 minutes)
	@bench/run

lint: ## layers, purity, lengths, names, unused ones, stale comments, hardening, layout, static analysis
	@scripts/install-deps lint
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	@meson configure $(BUILD) $(STRICT)
	@$(MAKE) --no-print-directory all
	@scripts/check-layers --self-test && scripts/check-layers
	@scripts/check-length --self-test && scripts/check-length
	@scripts/check-names --self-test && scripts/check-names
	@scripts/check-pure --self-test && scripts/check-pure $(BUILD)
	@scripts/check-unused --self-test && scripts/check-unused $(BUILD)
	@scripts/check-comments --self-test && scripts/check-comments
	@scripts/check-hardening --self-test && scripts/check-hardening $(BUILD)
	@scripts/check-format --self-test && scripts/check-format
	@scripts/check-tidy --self-test && scripts/check-tidy $(BUILD)

format: ## lay all C files out as .clang-format says
	@scripts/check-format --fix

install: ## install adit, its man pages and completions (PREFIX=/usr/local, DESTDIR)
	@scripts/install-deps --tell install
	@$(MAKE) --no-print-directory all
	@meson configure $(BUILD) -Dprefix="$$PREFIX"
	@ninja -C $(BUILD) -t query doc/adit.8 >/dev/null 2>&1 || \
		meson setup --reconfigure $(BUILD) >/dev/null
	@ninja -C $(BUILD) >/dev/null
	@meson install -C $(BUILD) --no-rebuild
	@scripts/install-log keep $(BUILD) "$$DESTDIR$$PREFIX"

uninstall: ## remove what the last install put there (or the one into PREFIX, DESTDIR)
	@scripts/install-log remove $(BUILD) $(if $(filter command,$(origin PREFIX) $(origin DESTDIR)),"$$DESTDIR$$PREFIX")

clean: ## remove the build folders
	rm -rf build build-asan build-tsan build-clang build-fuzz

help: ## list these
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

# ---------------------------------------------------------------------------------------------

build-known:
	@scripts/install-deps --tell build

build-deps:
	@scripts/install-deps build

# A build folder that was made before cmocka came has no unit tests: look again.
test-deps: build-deps
	@scripts/install-deps test
	@for folder in build build-asan build-tsan; do \
		if [ -e $$folder/build.ninja ] && \
			! grep -q '"cmocka"' $$folder/meson-info/intro-dependencies.json; then \
			meson setup --reconfigure $$folder >/dev/null; fi; done

build/build.ninja:
	@meson setup build --prefix="$$PREFIX" >/dev/null || { cat build/meson-logs/meson-log.txt; exit 1; }

build-asan/build.ninja:
	@meson setup build-asan $(SANITIZED) -Db_sanitize=address,undefined >/dev/null

build-tsan/build.ninja:
	@meson setup build-tsan $(SANITIZED) -Db_sanitize=thread >/dev/null

# Packages are there before the build begins; ninja does what can be done at once.
.NOTPARALLEL:
.PHONY: all deps run test test-clients asan tsan test-asan test-tsan fuzz bench lint format install uninstall \
	clean help build-known build-deps test-deps
