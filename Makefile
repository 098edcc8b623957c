# `make demo` and `make test` need only Rust. They install Postgres binaries if there are none, and `make test` PgBouncer,
# HAProxy, nginx, Prometheus, a mail server and libraries of Standard Webhooks too. They start private servers and stop them
# afterwards.
.PHONY: help demo test book rest versions failover sweep-writes simulation large-table standby-outage check lint \
	advisories fix queries man dist package package-proof image reproducible pin-bases chart bench fuzz events events-speed

help:            ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

demo:            ## run the end-to-end demo, no setup; Ctrl-C stops it (ARGS=--once: exit when finished)
	@./.ci/ensure-postgres
	cargo run --release --locked -- demo $(ARGS)

# Tests that compare a time with a limit, or what one server read: they run alone, since neighbours change both.
TIMED = connections:: correctness::locked databases::bounds databases::failover databases::idle \
	databases::numbers::large draining:: events::people::slow events::webhooks::speed faults::black_hole faults::disk \
	faults::hostile faults::points hardening::slices hardening::slots intake:: pull_clients::retries \
	safeguard::release::a_release_of_many safeguard::tripped scale:: serving::stop sweeps::writes webhooks::unavailable
# Tests mostly wait for processes and databases, so two more run than there are processors.
THREADS = $$(( $$(getconf _NPROCESSORS_ONLN) + 2 ))
# The same random inputs each time, so that a failure depends on the change and not on chance.
CARGO_TEST = PROPTEST_RNG_SEED=$${PROPTEST_RNG_SEED:-20261127} cargo test --locked --workspace --features failpoints

test:            ## run all tests
	@./.ci/ensure-postgres
	@./.ci/ensure-versions
	@./.ci/ensure-servers
	@./.ci/ensure-packaging
	@./.ci/ensure-prometheus
	@./.ci/ensure-aiosmtpd
	@./.ci/ensure-standardwebhooks
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-$(THREADS)} $(CARGO_TEST) -- $(addprefix --skip ,$(TIMED))
	$(CARGO_TEST) --test it -- --test-threads=1 $(TIMED)

book:            ## build the documentation site into target/book
	@./.ci/book

rest:            ## count the transactions of two replicas at rest for ten minutes (REST_SECONDS=60)
	@./.ci/ensure-postgres
	REST_SECONDS=$${REST_SECONDS:-600} $(CARGO_TEST) --test it -- databases::idle --nocapture --test-threads=1

# The main job of each module, for the run on every version.
MAIN_JOB = commands:: databases:: demo drift:: employees:: hardening::path hardening::tls holds:: migrations pull_sync:: rehire \
	safeguard:: timer webhooks:: worker::

versions:        ## run the tests of the main job on every supported version of Postgres (MAJORS="17 18": only these)
	@./.ci/ensure-versions all
	POSTGRES_VERSIONS=all $(CARGO_TEST) --test it -- --test-threads=1 databases::versions
	for major in $(MAJORS); do \
		echo "== Postgres $$major"; \
		PG_BINDIR=$$PWD/target/postgres/$$major/bin $(CARGO_TEST) --test it -- --skip databases::versions $(MAIN_JOB) || exit 1; \
	done

MAJORS = 13 14 15 16 17 18

LISTS = 400
SEED = random

failover:        ## fail over to a synchronous standby under load, FAILOVERS=5 times with 30 s of load each
	@./.ci/ensure-postgres
	FAILOVERS=$${FAILOVERS:-5} FAILOVER_SECONDS=$${FAILOVER_SECONDS:-30} cargo test --locked --features failpoints --test it -- \
		databases::failover --nocapture --test-threads=1

sweep-writes:    ## measure the WAL of an unchanged read of SWEEP_EMPLOYEES=100000 employees
	@./.ci/ensure-postgres
	SWEEP_EMPLOYEES=$${SWEEP_EMPLOYEES:-100000} cargo test --locked --release --features failpoints --test it -- \
		sweeps::writes --nocapture --test-threads=1

simulation:      ## run LISTS=400 random lists of operations against the model (SEED=7: repeat a run)
	@./.ci/ensure-postgres
	SIMULATION_SEED=$(SEED) SIMULATION_LISTS=$(LISTS) cargo test --locked --features failpoints --test it -- \
		simulation::random_operations --nocapture

events:          ## kill the service and Postgres EVENTS_KILLS=60 times while 3000 people leave or stay, and compare events with flips
	@./.ci/ensure-postgres
	@./.ci/ensure-standardwebhooks
	EVENTS_PEOPLE=$${EVENTS_PEOPLE:-3000} EVENTS_KILLS=$${EVENTS_KILLS:-60} $(CARGO_TEST) --test it -- \
		events::webhooks::kills --nocapture --test-threads=1

events-speed:    ## measure flip to receipt for EVENTS_SPEED_SECONDS=30, and webhooks in with and without a destination
	@./.ci/ensure-postgres
	EVENTS_SPEED_SECONDS=$${EVENTS_SPEED_SECONDS:-30} EVENTS_INTAKE=$${EVENTS_INTAKE:-5} $(CARGO_TEST) --release --test it -- \
		events::webhooks::speed --nocapture --test-threads=1

ROWS = 2000000

large-table:     ## run the tests of a large users table with ROWS=2000000 rows
	@./.ci/ensure-postgres
	LARGE_TABLE=$(ROWS) cargo test --locked --features failpoints --test it -- --test-threads=1 --nocapture \
		databases::numbers::large
OUTAGE = 300

standby-outage:  ## take the only synchronous standby away for OUTAGE=300 seconds under 20 deliveries a second
	STANDBY_OUTAGE_SECONDS=$(OUTAGE) cargo test --locked --features failpoints --test it -- \
		databases::bounds::standby --nocapture

check: test lint ## run the tests and the lints

lint:            ## check format, clippy, docs, query data and dependencies
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked --workspace --all-targets --features failpoints -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items
	./.ci/query-data --check
	cargo deny --log-level error --locked check licenses bans sources
	cargo deny --log-level error --locked --config deny.toml --manifest-path fuzz/Cargo.toml check bans sources
	@./.ci/advisories

advisories:      ## check both lock files against the RustSec database (ADVISORY_DB=DIR: a copy of it)
	@./.ci/advisories

fix:             ## format, and apply the fixes of clippy
	cargo fmt --all
	cargo clippy --fix --allow-dirty --workspace --all-targets

queries:         ## renew .sqlx after a change of a query or a migration
	./.ci/query-data

man:             ## write the man pages into target/man
	cargo run --quiet --locked -- man target/man

dist:            ## build the release into dist/: archive, Debian package, SBOM, line numbers and checksums
	@./.ci/dist

package:         ## build the Debian package into target/debian
	@./packaging/deb/build

package-proof:   ## install, start, upgrade and purge the package on a fresh Debian with systemd (root, debootstrap)
	@./packaging/deb/proof

image:           ## build the Dockerfile with buildah on stand-ins for its bases, without a registry (root, debootstrap)
	@./packaging/image/build

reproducible:    ## build the release in two folders and compare the binaries
	@./.ci/reproducible

pin-bases:       ## renew the digests of the base images in the Dockerfile (needs docker)
	@./.ci/pin-bases

chart:           ## render the Helm chart and validate it against three versions of Kubernetes
	@./.ci/chart

bench:           ## measure the pure modules (ARGS=verify: only these benches)
	cargo bench --locked --bench pure -- $(ARGS)

FUZZ = signature dates bamboohr form merge answers config
SECONDS = 60

fuzz:            ## run each fuzz target for SECONDS=60 (FUZZ="dates form": only these)
	@./.ci/fuzz $(SECONDS) $(FUZZ)
