# The bases have digests, so that a moved tag changes nothing here. `make pin-bases` renews the digests.

# Build stage. Dependencies have a layer of their own, which stays cached when only our code changes.
FROM rust:1.95.0-slim-bookworm@sha256:d7482085ff5b415f84dba5647ae71606650bdef00db7aeb69f4b3d170c3e4082 AS build
# `cargo auditable` puts the list of crates into the binary, for scanners of images. The paths are those of .ci/release.
RUN cargo install --locked cargo-auditable@0.7.7
ENV RUSTFLAGS="--remap-path-prefix=/src=/leaver --remap-path-prefix=/usr/local/cargo=/cargo" \
    CFLAGS="-ffile-prefix-map=/src=/leaver -ffile-prefix-map=/usr/local/cargo=/cargo"
WORKDIR /src
COPY .cargo .cargo
COPY Cargo.toml Cargo.lock build.rs ./
COPY crates/leaver-core/Cargo.toml crates/leaver-core/
COPY crates/allocator/Cargo.toml crates/allocator/
COPY crates/embedded-postgres/Cargo.toml crates/embedded-postgres/
# Empty stand-ins for every target that the manifests name, so that Cargo builds the dependencies alone.
RUN mkdir -p src tests/it benches/sweep crates/leaver-core/src crates/embedded-postgres/src crates/allocator/src \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs tests/it/main.rs benches/pure.rs benches/sweep/main.rs \
    && touch crates/leaver-core/src/lib.rs crates/embedded-postgres/src/lib.rs crates/allocator/src/lib.rs \
    && cargo auditable build --release --locked --bin leaver
# For `leaver --version`: the checkout itself is not in the build.
ARG REVISION=unknown SOURCE_DATE_EPOCH
ENV LEAVER_BUILD_REVISION=$REVISION
COPY .sqlx .sqlx
COPY config config
COPY migrations migrations
COPY crates crates
COPY src src
# Cargo compares modification times, and the copied files can be older than the build of the stand-ins.
# For `leaver --version`. SOURCE_DATE_EPOCH is the time of the commit in seconds.
ARG REVISION=unknown SOURCE_DATE_EPOCH
RUN export LEAVER_BUILD_REVISION="$REVISION" SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-}" \
    && touch src/lib.rs src/main.rs crates/*/src/lib.rs \
    && cargo auditable build --release --locked --bin leaver
# Symbols are two thirds of the file. The names of our own functions stay for backtraces, and the two that limit a short one.
RUN objcopy --strip-all --wildcard --keep-symbol='*6leaver*' --keep-symbol='*11leaver_core*' \
    --keep-symbol='*_short_backtrace*' target/release/leaver leaver

# Runtime stage: glibc, CA certificates and the binary. There is no shell, and the user is not root.
FROM gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f
# docker build --build-arg VERSION=... --build-arg REVISION=$(git rev-parse HEAD) --build-arg CREATED=$(git log -1 --format=%cI)
ARG VERSION=unknown REVISION=unknown CREATED=unknown
LABEL org.opencontainers.image.title="leaver" \
    org.opencontainers.image.description="Ends a leaver's access in your own Postgres the moment HR says so" \
    org.opencontainers.image.licenses="MIT OR Apache-2.0" \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$REVISION" \
    org.opencontainers.image.created="$CREATED" \
    org.opencontainers.image.base.name="gcr.io/distroless/cc-debian12:nonroot"
COPY --from=build /src/leaver /usr/local/bin/leaver
ENV LEAVER_LISTEN=0.0.0.0:8080 LEAVER_ADMIN_LISTEN=0.0.0.0:8081 LEAVER_LOG_FORMAT=json LEAVER__SERVER__DRAIN_DELAY=5s
EXPOSE 8080 8081
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["/usr/local/bin/leaver", "health"]
ENTRYPOINT ["/usr/local/bin/leaver"]
CMD ["serve"]
