#!/bin/sh
# Builds the shim and the self-contained executable build/gantry, if their sources are newer. Needs npm's dependencies (contrib/setup.sh).
set -eu
cd "$(dirname "$0")/.."
mkdir -p build
make -s -C shim >&2

# At least what the launcher looks at.
stale() {
  [ ! -x build/gantry ] || [ -n "$(find src shim contrib/build.sh package.json -type f ! -name '*.test.ts' -newer build/gantry -print -quit)" ]
}
stale || exit 0

echo "gantry: building the executable" >&2
commit=$(git rev-parse --short HEAD 2>/dev/null || true)
new=build/.gantry.$$
trap 'rm -f "$new" "$new".*.bun-build build/.started.$$' EXIT
# Sources that change during the build make the result stale: it gets the time of the start.
: >build/.started.$$
# The worker is an entry point of its own; the shim and what belongs to it travel inside as files.
# Without Bun's habit of reading .env and bunfig.toml: the directory that gantry is called in may be a stranger's, and would run code.
node_modules/.bin/bun build --compile --minify --bytecode --splitting --root src --format=esm --asset-naming='[name].[ext]' \
  --no-compile-autoload-dotenv --no-compile-autoload-bunfig \
  --define "GANTRY_COMMIT=\"$commit\"" --define "GANTRY_BUILD_TIME=\"$(date -u +%Y-%m-%dT%H:%M:%SZ)\"" \
  --outfile "$new" src/main.ts src/linux/network/network-worker.ts build/gantry-shim build/gantry-relay \
  build/gantry-no-systemd.so >build/build.log 2>&1 || {
  cat build/build.log >&2
  exit 1
}
touch -r build/.started.$$ "$new"
mv "$new" build/gantry
