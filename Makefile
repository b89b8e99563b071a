BUN := node_modules/.bin/bun

help: ## this list
	@sed -n 's/^\([a-z0-9]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t12

deps: ## npm dependencies and system packages
	@sh contrib/setup.sh deps

build: deps ## one self-contained executable: build/gantry
	@sh contrib/build.sh

shim: ## the supervisor in C: build/gantry-shim
	@$(MAKE) -C shim

dev: deps shim ## the daemon from source, in the foreground, on a socket of its own
	$(BUN) src/main.ts daemon -H unix:///run/gantry-dev.sock --data-root build/dev/data --exec-root build/dev/run --pidfile build/dev/pid

check: lint ## formatting, lint, types
	node_modules/.bin/tsc --noEmit

lint: ## formatting and lint
	node_modules/.bin/biome check .

test: ## everything that npm test runs
	npm test

unit: ## the tests beside the code
	$(BUN) test src
	$(MAKE) -C shim test

e2e: build ## journeys with real clients (TARGET=dockerd: against Docker itself)
	$(BUN) test e2e

bench: build ## side by side with Docker and Podman
	$(BUN) bench/main.ts

bench-registry: build ## our registry side by side with Docker's
	$(BUN) bench/registry.ts

install: build ## into DESTDIR and PREFIX, with the systemd unit and shell completions
	install -D build/gantry $(DESTDIR)$(PREFIX)/bin/gantry
	install -D -m 644 contrib/gantry.service $(DESTDIR)/etc/systemd/system/gantry.service
	for shell in bash zsh fish; do build/gantry completion $$shell >build/completion.$$shell; done
	install -D -m 644 build/completion.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/gantry
	install -D -m 644 build/completion.zsh $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_gantry
	install -D -m 644 build/completion.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/gantry.fish

clean: ## what was built
	$(MAKE) -C shim clean
	rm -rf build

PREFIX ?= /usr/local
.PHONY: help deps build shim dev check lint test unit e2e bench bench-registry install clean
