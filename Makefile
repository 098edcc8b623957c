# Few targets. `make demo` shows the main job, `make test` runs the tests; both need nothing but Rust, and
# see to Postgres binaries themselves (no server is started for you or left running).
.PHONY: demo test check lint fix queries bench fuzz help

help:            ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

demo:            ## the main job with nothing set up; Ctrl-C ends it (ARGS=--once: it ends itself)
	@./.ci/ensure-postgres
	cargo run --release --locked -- demo $(ARGS)

test:            ## all tests
	@./.ci/ensure-postgres
	cargo test --locked --workspace --features failpoints

check: test lint ## everything that CI checks

lint:            ## format, clippy, docs, query data, dependency rules
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked --workspace --all-targets --features failpoints -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items
	./.ci/query-data --check
	cargo deny --log-level error check licenses bans sources

fix:             ## format, and mend what clippy can mend
	cargo fmt --all
	cargo clippy --fix --allow-dirty --workspace --all-targets

queries:         ## renew .sqlx after a query or a migration has changed
	./.ci/query-data

bench:           ## what a delivery costs in the rooms without I/O (ARGS=verify: only those)
	cargo bench --locked --bench pure -- $(ARGS)

FUZZ = signature dates bamboohr form merge answers config
SECONDS = 60

fuzz:            ## each fuzz target for SECONDS=60 (FUZZ="dates form": only those)
	@./.ci/fuzz $(SECONDS) $(FUZZ)
