#!/bin/sh
# Makes this checkout ready to run: npm dependencies, system packages, shim and executable. May run again at any time, and twice at once:
# only what is missing or stale is done. Notes go to stderr. `contrib/setup.sh deps` stops before building, `contrib/setup.sh tests` too,
# after installing what the tests need as well.
set -eu
cd "$(dirname "$0")/.."

note() { echo "gantry: $*" >&2; }
die() { note "$*"; exit 1; }
is_root() { [ "$(id -u)" = 0 ]; }

# One of cmd:NAME and file:PATH, alternatives separated by |.
present() {
  old_ifs=$IFS
  IFS='|'
  for test in $1; do
    case $test in
    cmd:*) if command -v "${test#cmd:}" >/dev/null 2>&1; then IFS=$old_ifs; return 0; fi ;;
    file:*) if [ -e "${test#file:}" ]; then IFS=$old_ifs; return 0; fi ;;
    esac
  done
  IFS=$old_ifs
  return 1
}

package_lists=contrib/packages.txt
[ "${1:-}" != tests ] || package_lists="$package_lists contrib/test-packages.txt"

missing_packages() {
  # shellcheck disable=SC2086
  cat $package_lists | while read -r package test _why; do
    case $package in '' | '#'*) continue ;; esac
    present "$test" || echo "$package"
  done
}

system_packages() {
  missing=$(missing_packages | tr '\n' ' ')
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null 2>&1 || die "please install what is missing here (Debian's names): $missing"
  is_root || die "missing packages, and only root can install them: apt-get install $missing"
  note "installing packages: $missing"
  export DEBIAN_FRONTEND=noninteractive
  # The lists may be there already; a fresh machine has none.
  # shellcheck disable=SC2086
  apt-get install -y -q --no-install-recommends $missing >&2 2>&1 && return 0
  apt-get update -q >&2
  # shellcheck disable=SC2086
  apt-get install -y -q --no-install-recommends $missing >&2
}

npm_packages() {
  bun=node_modules/.bin/bun
  [ -x "$bun" ] && [ ! package-lock.json -nt node_modules/.package-lock.json ] && "$bun" --version >/dev/null 2>&1 && return 0
  command -v npm >/dev/null 2>&1 || die "npm is needed: install Node.js 20 or newer with npm"
  major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
  [ "$major" -ge 20 ] || die "Node.js 20 or newer is needed, this is $(node --version)"
  if [ ! -d node_modules/bun ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    note "installing npm dependencies"
    # Not `npm ci`: it refuses a lock file without the optional packages of other platforms.
    npm install --no-save --no-audit --no-fund --loglevel=error >&2
  fi
  # Where npm's install scripts are switched off, Bun's own step is left to do.
  "$bun" --version >/dev/null 2>&1 || node node_modules/bun/install.js >&2
  "$bun" --version >/dev/null 2>&1 || die "Bun does not run on this machine"
}

mkdir -p build
if command -v flock >/dev/null 2>&1; then
  exec 9>build/.lock
  flock 9
fi
system_packages
npm_packages
[ -n "${1:-}" ] || sh contrib/build.sh
