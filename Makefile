# Dragoman: all tasks for developers and administrators. `make help` lists them.
# Each target installs what it needs (Debian packages, the Python environment), and only if it is missing.

PREFIX      ?= /usr/local
DESTDIR     ?=
bindir       = $(PREFIX)/bin
libexecdir   = $(PREFIX)/libexec/dragoman
unitdir     ?= $(PREFIX)/lib/systemd/system
docdir       = $(PREFIX)/share/doc/dragoman
sysconfdir  ?= /etc
ARGS        ?=

# The toolchain: $SWIFT, the PATH, or where swift.org's installers put it.
SWIFT ?= $(firstword $(shell command -v swift 2>/dev/null) \
  $(wildcard $(HOME)/.local/share/swiftly/bin/swift /opt/swift/usr/bin/swift /usr/local/swift/usr/bin/swift) swift)

release      = .build/release
build_needs  = pkg-config libsystemd-dev libcurl4-openssl-dev libyaml-dev
test_needs   = systemd python3-venv iproute2 util-linux procps poppler-utils libgomp1
bench_needs  = nginx-light
check_needs  = systemd

export SWIFT

.DEFAULT_GOAL := build
.PHONY: help build run test check format endurance fuzz bench simulate install uninstall clean packages swift venv

help: ## show this list
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

packages:
	@Tests/tools/packages $(build_needs)

swift:
	@Tests/tools/toolchain

build: swift packages ## build the release executables in .build/release
	@Tests/tools/build

run: build ## build, then serve in the foreground (ARGS="--listen …" adds options)
	@exec $(release)/dragoman serve $(ARGS)

test: build venv ## run everything: check, unit, golden, scenario, system and client tests
	@Tests/tools/test-all

check: build ## check formatting, warnings, forbidden words, the units and their sandbox
	@Tests/tools/packages $(check_needs)
	@Tests/tools/check

format: swift ## reformat the sources in place
	@$(SWIFT) format --in-place --parallel --recursive Package.swift Sources Tests

endurance: build venv ## run an hour and a half of fuzzing, kills and heavy load (ARGS=SECONDS sets the fuzzing time)
	@Tests/tools/endurance $(ARGS)

fuzz: packages swift ## run every fuzzer in turn, ten minutes in total (ARGS=SECONDS sets another time)
	@Tests/tools/packages python3
	@Tests/Fuzz/run $(ARGS)

bench: build ## run load tests against nginx and the bare backend; prints a table of ratios
	@Tests/tools/packages $(bench_needs)
	@$(release)/dragoman-bench $(ARGS)

simulate: packages swift ## replay synthetic coding sessions against the scheduler; prints hit rates and makespans
	@mkdir -p .build; $(SWIFT) build -c release --static-swift-stdlib --product dragoman-simulate >.build/simulate.log 2>&1 \
	  || { cat .build/simulate.log >&2; exit 1; }
	@$(release)/dragoman-simulate $(ARGS)

venv:
	@Tests/tools/packages $(test_needs)
	@Tests/tools/venv

install: ## install into $(DESTDIR)$(PREFIX), including the units (build first)
	@test -x $(release)/dragoman || { echo "nothing has been built yet: run 'make build' first" >&2; exit 1; }
	install -D -m 755 $(release)/dragoman $(DESTDIR)$(bindir)/dragoman
	install -D -m 755 $(release)/dragoman-worker $(DESTDIR)$(libexecdir)/dragoman-worker
	install -d $(DESTDIR)$(unitdir)
	for unit in dragoman.service dragoman.socket; do \
	  sed 's|/usr/local/|$(PREFIX)/|g' deploy/$$unit > $(DESTDIR)$(unitdir)/$$unit && \
	  chmod 644 $(DESTDIR)$(unitdir)/$$unit || exit 1; done
	install -D -m 644 deploy/dragoman.yaml $(DESTDIR)$(docdir)/dragoman.example.yaml
	install -m 644 README.md $(DESTDIR)$(docdir)/README.md
	@if [ -e $(DESTDIR)$(sysconfdir)/dragoman/dragoman.yaml ]; then \
	  echo "kept $(DESTDIR)$(sysconfdir)/dragoman/dragoman.yaml"; \
	else install -v -D -m 644 deploy/dragoman.yaml $(DESTDIR)$(sysconfdir)/dragoman/dragoman.yaml; fi
	@[ -n "$(DESTDIR)" ] || { \
	  case " /usr/local/lib/systemd/system /usr/lib/systemd/system /etc/systemd/system " in \
	  *" $(unitdir) "*) ;; \
	  *) echo "systemd does not look for units in $(unitdir): run 'systemctl link $(unitdir)/dragoman.s*'" ;; esac; \
	  echo "next: systemctl daemon-reload && systemctl enable --now dragoman.socket"; \
	  echo "      after an upgrade: systemctl daemon-reload && systemctl restart dragoman"; }

uninstall: ## stop the service and remove what install created, except the configuration
	@if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then \
	  systemctl disable --now dragoman.socket dragoman.service 2>/dev/null || true; fi
	rm -f $(DESTDIR)$(bindir)/dragoman $(DESTDIR)$(libexecdir)/dragoman-worker
	rm -f $(DESTDIR)$(unitdir)/dragoman.service $(DESTDIR)$(unitdir)/dragoman.socket
	rm -f $(DESTDIR)$(docdir)/dragoman.example.yaml $(DESTDIR)$(docdir)/README.md
	-rmdir $(DESTDIR)$(libexecdir) $(DESTDIR)$(docdir) 2>/dev/null
	@if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi

clean: ## remove the build and the Python environment
	rm -rf .build .venv
