# docker build --tag buildhub .                               everything: the commands, and `test`
# docker build --target commands --tag buildhub:slim .        the commands alone, to be run for real
# docker build --target zips --output target .                the functions' zips, built in isolation:
#                                                             target/lambda/… (arm64) and target/lambda-x86_64/…
#
# Base images are named by version; where builds have to repeat to the byte, add the digest that your registry shows.

FROM rust:1.95.0-slim-bookworm AS source
# Debian keeps only the newest version of a package, so a pinned one stops building.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        ca-certificates curl gcc libc6-dev make memcached postgresql procps python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 buildhub \
    && install --directory --owner 1000 /home/buildhub/src
USER 1000
WORKDIR /home/buildhub/src
# What rarely changes first: the toolchain and the crates stay in the cache.
COPY --chown=1000 rust-toolchain.toml ./
RUN rustup toolchain install
COPY --chown=1000 . .
RUN cargo fetch --locked

FROM source AS command
RUN cargo build --release --locked --package buildhub-cli

FROM source AS packaging
RUN scripts/setup lambda && scripts/package all

FROM scratch AS zips
COPY --from=packaging /home/buildhub/src/target/lambda /lambda
COPY --from=packaging /home/buildhub/src/target/lambda-x86_64 /lambda-x86_64

FROM debian:bookworm-slim AS commands
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 buildhub
COPY --from=command /home/buildhub/src/target/release/buildhub /usr/local/bin/buildhub
COPY scripts/container /usr/local/bin/container
USER 1000
# Caches are kept here unless CACHE_FOLDER says otherwise.
WORKDIR /home/buildhub
ENTRYPOINT ["container"]

FROM source AS everything
# What tests need of Debian beside that: setup installs it where it is root, and nothing else is made as root.
USER 0
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        bzip2 chromium chromium-driver createrepo-c debootstrap dnf gnupg libcap2-bin rpm skopeo umoci xz-utils zstd \
    && rm -rf /var/lib/apt/lists/*
USER 1000
RUN scripts/setup
COPY --from=command /home/buildhub/src/target/release/buildhub /usr/local/bin/buildhub
ENV BUILDHUB_SOURCE=/home/buildhub/src
ENTRYPOINT ["scripts/container"]
