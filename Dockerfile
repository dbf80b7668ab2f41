# syntax=docker/dockerfile:1

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/target \
    CARGO_TARGET_DIR=/target cargo build --locked --profile dist --package tessera-server --bin tessera \
        --features kafka-tls \
    && install -D /target/dist/tessera /image/usr/local/bin/tessera \
    && install -d -m 0700 /image/var/lib/tessera

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /image/usr/local/bin/tessera /usr/local/bin/tessera
# A volume that is mounted here for the first time takes this owner and mode.
COPY --from=build --chown=nonroot:nonroot /image/var/lib/tessera /var/lib/tessera
ENV HOST=0.0.0.0 \
    PORT=8000 \
    TESSERA_DATA_DIR=/var/lib/tessera
WORKDIR /var/lib/tessera
VOLUME /var/lib/tessera
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["tessera", "healthcheck"]
ENTRYPOINT ["tessera"]
