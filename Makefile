# Every command a person types here. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# What `make setup` installs comes first.
export PATH := $(CURDIR)/.tools/cargo/bin:$(CURDIR)/.tools/lambda/bin:$(PATH)

# What listens on this machine is never behind a proxy.
export NO_PROXY := $(or $(no_proxy),$(NO_PROXY)),127.0.0.1,localhost
export no_proxy := $(NO_PROXY)

PREFIX ?= $(HOME)/.local
# The names under which people know the original Buildhub's commands.
COMMANDS := inventory-to-records to-kinto latest-inventory-to-kinto
# Where this machine's zips are; see scripts/package.
ZIPS := target/lambda$(if $(filter x86_64,$(shell uname -m)),-x86_64)
# Tools that are built from source, pinned.
CARGO_DENY := 0.20.2
CARGO_FUZZ := 0.13.2

##@ Working
.PHONY: setup
setup: ## Install what building and testing need (again: nothing happens)
	@scripts/setup

.PHONY: run
run: ## Show it all on this machine: sample archive, Kinto, a whole catch-up run (for real where the settings are)
	@scripts/run-local

.PHONY: stop
stop: ## Stop what `make run` and `make kinto` started
	@scripts/stop-local

.PHONY: clean-run
clean-run: stop ## Forget what `make run` and `make kinto` left behind
	@kinto/bin/postgresql remove .run/postgresql
	rm -rf .run

.PHONY: kinto
kinto: ## Start a Kinto in memory on http://localhost:8888/v1 (KINTO_PORT)
	@kinto/bin/start $(or $(BACKEND),memory)

.PHONY: kinto-postgresql
kinto-postgresql: ## Start one on PostgreSQL and memcached, which it starts too (or uses: KINTO_STORAGE_URL, KINTO_CACHE_HOSTS)
	@kinto/bin/start postgresql

.PHONY: kinto-stop
kinto-stop: ## Stop it, and what it started
	@kinto/bin/stop

.PHONY: kinto-instances
kinto-instances: ## Ask every server of kinto/instances.yml how it is (FILE=; BUILDHUB asks, or is built)
	@scripts/setup run
	@[ -n "$${BUILDHUB:-}" ] || cargo build --quiet --locked --package buildhub-cli --bin buildhub
	@BUILDHUB="$${BUILDHUB:-$${CARGO_TARGET_DIR:-target}/debug/buildhub}" kinto/bin/instances $(if $(FILE),"$(FILE)")

.PHONY: kinto-index
kinto-index: ## Indexes for questions about a million records: DO=status, apply or remove (KINTO_STORAGE_URL, or make kinto-postgresql's)
	@kinto/bin/index $(or $(DO),status)

.PHONY: install
install: ## Install `buildhub` and the original's commands (PREFIX=~/.local)
	cargo build --release --locked --package buildhub-cli
	install -d "$(DESTDIR)$(PREFIX)/bin"
	install -m 755 "$${CARGO_TARGET_DIR:-target}/release/buildhub" "$(DESTDIR)$(PREFIX)/bin/buildhub"
	for command in $(COMMANDS); do ln -sf buildhub "$(DESTDIR)$(PREFIX)/bin/$$command"; done

##@ Checking
.PHONY: test
test: setup ## Run every test, and the examples in the documentation
	cargo test --workspace --all-features --locked --doc --quiet
	cargo nextest run --workspace --all-features --locked --profile ci

.PHONY: fmt
fmt: ## Format the code
	cargo fmt --all

.PHONY: lint
lint: ## Formatting, clippy and documentation, with warnings as errors
	cargo fmt --all --check
	cargo clippy --workspace --all-features --all-targets --locked -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --all-features --no-deps --locked --document-private-items --quiet

.PHONY: deny
deny: ## Bans, licences and sources of dependencies
	@scripts/cargo-tool cargo-deny $(CARGO_DENY)
	cargo deny --all-features check --hide-inclusion-graph bans licenses sources

.PHONY: audit
audit: ## Known vulnerabilities of dependencies (needs the advisory database)
	@scripts/cargo-tool cargo-deny $(CARGO_DENY)
	cargo deny --all-features check advisories

.PHONY: fuzz
fuzz: ## Fuzz a parser: TARGET=classify SECONDS=60; the targets are in fuzz/fuzz_targets (needs a nightly toolchain)
	@scripts/cargo-tool cargo-fuzz $(CARGO_FUZZ)
	cargo +nightly fuzz run $(or $(TARGET),classify) -- -dict=fuzz/words.dict -max_total_time=$(or $(SECONDS),60)

##@ Shipping
.PHONY: package
package: setup-lambda ## A zip for each function: target/lambda/FUNCTION/bootstrap.zip (arm64), target/lambda-x86_64/… (ARCH=host, arm64, x86_64)
	@scripts/package $(or $(ARCH),all)

.PHONY: zip-test
zip-test: setup ## The archiver's, build environments' and self-serve's tests with the zips of `make package ARCH=host`
	@scripts/zip-test $(ZIPS)

.PHONY: package-check
package-check: setup-sam ## Show that `sam build` builds the template's functions (arm64), without the release's slow optimisation
	@CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 scripts/sam build

.PHONY: template-check
template-check: setup-sam ## Check template.yaml, and that the checks can fail (needs no account)
	@scripts/template-check

.PHONY: deploy
deploy: setup-sam ## Replace one function's code in the deployed stack: FUNCTION=s3-event STACK=buildhub (or NAME=, its name in AWS)
	@.tools/sam/bin/python scripts/deploy "$(FUNCTION)" $(if $(NAME),--name "$(NAME)","$(STACK)")

.PHONY: deploy-check
deploy-check: setup setup-sam ## Try `make deploy` out against moto in Amazon's place
	@.tools/sam/bin/python scripts/deploy-check

.PHONY: kinto-test
kinto-test: ## Try the Kinto distribution out against running servers (KINTO_GROUPS="attachment emailer signer" tries these too)
	@scripts/setup run
	@KINTO_GROUPS="$(KINTO_GROUPS)" kinto/bin/test

.PHONY: kinto-set-test
kinto-set-test: ## The Kinto set's own tests: what is installed, how it is upgraded, its version
	@kinto/bin/install test
	@scripts/setup kinto-tools
	@kinto/bin/version >/dev/null
	cd kinto && ../.tools/kinto/bin/python -B -m pytest -q -p no:cacheprovider packages/tests

.PHONY: kinto-image-check
kinto-image-check: ## Check the Kinto image, its compose file and its commands (builds it where there is an engine with its base)
	@kinto/bin/image-check

.PHONY: dockerfile-check
dockerfile-check: setup-sam ## Check the Dockerfile (needs no engine)
	.tools/sam/bin/hadolint Dockerfile

.PHONY: kinto-upgrade
kinto-upgrade: ## Newer packages for the Kinto set: PACKAGES="kinto==26.6.0 pyramid" (or all), OPTIONS=--skip-tests
	@kinto/bin/upgrade $(or $(PACKAGES),--all) $(OPTIONS)

.PHONY: kinto-image
kinto-image: ## Build the Kinto image (docker or podman; KINTO_GROUPS="attachment signer")
	@kinto/bin/image build

.PHONY: kinto-push
kinto-push: ## Tag the Kinto image and push it: REGISTRY=registry.example.com/team (DRY_RUN=1 only shows the commands)
	@kinto/bin/image push "$(REGISTRY)"

.PHONY: setup-lambda setup-sam
setup-lambda:
	@scripts/setup lambda
setup-sam:
	@scripts/setup sam

##@ Measuring
.PHONY: bench
bench: setup ## Run the benchmarks
	cargo bench --workspace --all-features --locked --benches

.PHONY: bench-start
bench-start: ## Start of each packaged function to its first request for work, and its memory then
	@for zip in $(ZIPS)/*/bootstrap.zip; do echo "$$zip"; scripts/bench-start "$$zip"; done

.PHONY: bench-kinto-start
bench-kinto-start: setup ## From nothing to a Kinto that is well, with and without pip's cache: RUNS=3 (some minutes)
	@scripts/bench-kinto-start $(or $(RUNS),3)

.PHONY: bench-kinto-read
bench-kinto-read: setup ## Questions to a large collection on PostgreSQL, without and with kinto-index: ROWS=500000 (some minutes)
	@scripts/bench-kinto-read $(or $(ROWS),500000)

.PHONY: bench-environment
bench-environment: setup ## An environment from packages to archive, against dnf, tar and xz; diff and verify: MEGABYTES=400 RUNS=1 (some minutes)
	@RUNS=$(or $(RUNS),1) scripts/bench-environment $(or $(MEGABYTES),400)

.PHONY: environment-of-real-size
environment-of-real-size: setup-lambda ## One of 250 MB compressed through the packaged function, with the memory and disk it takes: MEGABYTES=1000
	@scripts/environment-of-real-size $(or $(MEGABYTES),1000)

.PHONY: environment-of-debian
environment-of-debian: setup ## A Debian root with a compiler through the command, entered and worked in (as root; ten minutes)
	@scripts/environment-of-debian

.PHONY: exactly-once
exactly-once: setup ## Mixed jobs of self-serve on a real Buildbot that is restarted, by the packaged agent that is killed: JOBS=1000 PEACE=1 (some minutes)
	@PEACE="$(PEACE)" scripts/exactly-once $(or $(JOBS),1000)

.PHONY: bench-environment-metadata
bench-environment-metadata: ## What it takes to read a distribution's metadata and resolve some hundred packages: PACKAGES=60000
	@scripts/bench-environment-metadata $(or $(PACKAGES),60000)

##@ Help
.PHONY: help
help: ## This list
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-24s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
