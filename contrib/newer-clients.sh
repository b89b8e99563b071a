#!/bin/sh
# Fetches Docker's newest CLI, buildx and compose from Debian's unstable suite and unpacks them into build/clients; the system stays as it
# is. For the tests: `. contrib/newer-clients.sh` sets DOCKER_NEWEST, BUILDX_PLUGIN and COMPOSE_PLUGIN, or nothing and says why.
newer_clients() (
  set -eu
  target=$PWD/build/clients
  [ -e "$target/.complete" ] && exit 0
  mirror=$( (grep -hE '^URIs:' /etc/apt/sources.list.d/*.sources | grep '/debian/\?$' | awk '{print $2}'
    grep -hoE '^deb [^#]*' /etc/apt/sources.list | grep -oE '[a-z]+://[^ ]+/debian/?') 2>/dev/null | head -n1)
  [ -n "$mirror" ] || { echo "gantry: no Debian mirror is configured" >&2; exit 1; }
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs" "$target"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >"$work/sources.list"
  apt() {
    apt-get -q -o APT::Sandbox::User=root -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- \
      -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o Dir::State::status=/dev/null "$@" >/dev/null
  }
  apt update
  cd "$work/debs"
  apt download docker-cli docker-buildx docker-compose
  for deb in *.deb; do dpkg -x "$deb" "$target"; done
  "$target/usr/bin/docker" --version >/dev/null
  touch "$target/.complete"
)

if newer_clients; then
  export DOCKER_NEWEST="$PWD/build/clients/usr/bin/docker"
  export BUILDX_PLUGIN="$PWD/build/clients/usr/libexec/docker/cli-plugins/docker-buildx"
  export COMPOSE_PLUGIN="$PWD/build/clients/usr/libexec/docker/cli-plugins/docker-compose"
else
  echo "gantry: the newest clients cannot be had here: their tests are skipped" >&2
fi
