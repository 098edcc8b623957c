# syntax=docker/dockerfile:1

# Build: dependencies in a layer of their own, which a change of our code leaves alone.
FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /src
COPY .cargo .cargo
COPY Cargo.toml Cargo.lock build.rs ./
COPY crates/leaver-core/Cargo.toml crates/leaver-core/
COPY crates/embedded-postgres/Cargo.toml crates/embedded-postgres/
RUN mkdir -p src tests/it benches/sweep crates/leaver-core/src crates/embedded-postgres/src \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs tests/it/main.rs benches/pure.rs benches/sweep/main.rs \
    && touch crates/leaver-core/src/lib.rs crates/embedded-postgres/src/lib.rs \
    && cargo build --release --locked --bin leaver
COPY .sqlx .sqlx
COPY config config
COPY migrations migrations
COPY crates crates
COPY src src
# Cargo goes by the time of a file, and those copied may be older than the stand-ins.
RUN touch src/lib.rs src/main.rs crates/*/src/lib.rs \
    && cargo build --release --locked --bin leaver

# Run: glibc, CA certificates, the binary, and nothing else; no shell and no root.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/leaver /usr/local/bin/leaver
ENV LEAVER_LISTEN=0.0.0.0:8080 LEAVER_ADMIN_LISTEN=0.0.0.0:8081 LEAVER_LOG_FORMAT=json
EXPOSE 8080 8081
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["/usr/local/bin/leaver", "health"]
ENTRYPOINT ["/usr/local/bin/leaver"]
CMD ["serve"]
