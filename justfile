# List the recipes.
default:
    @just --list --unsorted

# Serve with no configuration, from ./data.
run *args:
    cargo run --release -- {{ args }}

# Format, lints, docs, arrows, licences.
check:
    scripts/check

# All tests; arguments go to `cargo test`.
test *args:
    scripts/test -- {{ args }}

# The tests that need nothing.
test-domain:
    cargo test -p tessera-domain -p tessera-app

# Format everything.
fmt:
    cargo fmt --all

# The documentation of the crates, in a browser.
docs:
    cargo doc --workspace --no-deps --open

# Measure the `dist` binary: requests beside the bounds of this machine, events, many tenants.
bench *args:
    scripts/bench {{ args }}

# Take the OpenAPI document of the code as the new snapshot.
openapi:
    cargo run --quiet -- openapi > docs/openapi.json

# Build the image.
image:
    docker build --tag tessera .

# Postgres, migrations and the service in containers; docker-compose.yml says how to make compose.env.
up:
    docker compose --env-file compose.env up --build --detach
