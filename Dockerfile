# syntax=docker/dockerfile:1

# Build stage. Dependencies have a layer of their own, which stays cached when only our code changes.
FROM rust:1.95.0-slim-bookworm AS build
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
    && cargo build --release --locked --bin leaver
COPY .sqlx .sqlx
COPY config config
COPY migrations migrations
COPY crates crates
COPY src src
# Cargo compares modification times, and the copied files can be older than the build of the stand-ins.
RUN touch src/lib.rs src/main.rs crates/*/src/lib.rs \
    && cargo build --release --locked --bin leaver

# Runtime stage: glibc, CA certificates and the binary. There is no shell, and the user is not root.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/leaver /usr/local/bin/leaver
ENV LEAVER_LISTEN=0.0.0.0:8080 LEAVER_ADMIN_LISTEN=0.0.0.0:8081 LEAVER_LOG_FORMAT=json
EXPOSE 8080 8081
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["/usr/local/bin/leaver", "health"]
ENTRYPOINT ["/usr/local/bin/leaver"]
CMD ["serve"]
