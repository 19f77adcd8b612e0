#!/bin/sh
# Builds what is missing and measures Dragoman beside nginx and the bare mock; see docs/performance.md.
# Options go to `dragoman-bench suite`, for example: Tests/Bench/run.sh --quick --only small,burst
set -eu
cd "$(dirname "$0")/../.."

if [ ! -x "${NGINX:-/usr/sbin/nginx}" ]; then
    echo "· installing nginx (the yardstick)"
    as_root=""
    [ "$(id -u)" = 0 ] || as_root=sudo
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends nginx-light >/dev/null
    # The package starts a server of its own, which is none of ours.
    $as_root systemctl disable --now nginx >/dev/null 2>&1 || true
fi

for product in dragoman dragoman-worker dragoman-bench; do
    swift build -c release --static-swift-stdlib --product "$product" --quiet
done
ulimit -n "$(ulimit -Hn)" || true
exec .build/release/dragoman-bench suite --dragoman .build/release/dragoman \
    --nginx "${NGINX:-/usr/sbin/nginx}" "$@"
