#!/usr/bin/env bash
# Builds librdkafka from source: build-librdkafka.sh OUT.so [CACHE_DIR]
#
# For machines whose NuGet feed carries Confluent.Kafka but not librdkafka.redist, the native library that it needs. The npm
# package of Confluent's JavaScript client holds the unchanged source of the same version. Its integrity hash is pinned, and
# nothing is patched. GSSAPI and OIDC are left out; SSL, SCRAM and all compression codecs are in.
#
# A second run finds OUT.so and its stamp (OUT.so.stamp) and costs nothing. The package is kept in CACHE_DIR, if that is given.
# Needs: npm, openssl, gcc, g++, make, and the headers of libssl, zlib, liblz4 and libzstd.
set -euo pipefail

readonly package='@confluentinc/kafka-javascript@1.10.1'
readonly tarball='confluentinc-kafka-javascript-1.10.1.tgz'
readonly integrity='KVePUBn21EqCVP9mfxzEuM3SYJHHEF7X+iiC2e43QQgDSyEaksInmCGooT3w5q+cNAdkSCrK71j0ICfqoSqZLw=='
readonly version='2.15.1' # Must be ConfluentKafkaVersion in Directory.Packages.props.
readonly configure_flags='--disable-curl --disable-gssapi --disable-debug-symbols'
readonly stamp="librdkafka ${version} ${integrity} ${configure_flags}"

say() { printf 'librdkafka: %s\n' "$*"; }
fail() { printf 'librdkafka: %s\n' "$*" >&2; exit 1; }

if [[ $# -lt 1 || $# -gt 2 ]]; then
  echo 'Usage: build-librdkafka.sh OUT.so [CACHE_DIR]' >&2
  exit 2
fi

out=$1
cache=${2:-}

if [[ -f $out && -f $out.stamp && $(<"$out.stamp") == "$stamp" ]]; then
  say "version ${version} is already built: $out"
  exit 0
fi

for tool in npm openssl gcc g++ make tar; do
  command -v "$tool" > /dev/null || fail "$tool is missing; scripts/setup.sh installs it"
done

props="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/Directory.Packages.props"
grep -q "<ConfluentKafkaVersion>${version}<" "$props" \
  || fail "Directory.Packages.props names another version than ${version}; change both together"

work=$(mktemp -d "${TMPDIR:-/tmp}/librdkafka.XXXXXX")
trap 'rm -rf "$work"' EXIT

is_pinned() { [[ $(openssl dgst -sha512 -binary "$1" | base64 -w0) == "$integrity" ]]; }

if [[ -n $cache && -f $cache/$tarball ]] && is_pinned "$cache/$tarball"; then
  say "source: $cache/$tarball"
  cp "$cache/$tarball" "$work/$tarball"
else
  say "fetching the source of ${version} with npm (3 MB)"
  (cd "$work" && npm pack --silent --ignore-scripts "$package" > /dev/null) || fail "npm pack $package failed"
  is_pinned "$work/$tarball" || fail "$tarball is not the pinned package: its sha512 differs"
  if [[ -n $cache ]]; then
    mkdir -p "$cache"
    cp "$work/$tarball" "$cache/$tarball.part"
    mv "$cache/$tarball.part" "$cache/$tarball"
  fi
fi

tar -xzf "$work/$tarball" -C "$work" package/deps/librdkafka
source="$work/package/deps/librdkafka"

say 'compiling (about 30 s on two cores)'
# shellcheck disable=SC2086 # The flags are words.
(cd "$source" && bash ./configure $configure_flags) > "$work/build.log" 2>&1 \
  || { tail -n 30 "$work/build.log" >&2; fail 'configure failed; the lines above say why'; }
make -C "$source/src" -j "$(nproc)" librdkafka.so.1 >> "$work/build.log" 2>&1 \
  || { tail -n 30 "$work/build.log" >&2; fail 'make failed; the lines above say why'; }

# Written beside the goal and renamed, so that a build that reads it never sees half a file.
mkdir -p "$(dirname "$out")"
rm -f "$out.stamp"
cp "$source/src/librdkafka.so.1" "$out.part"
mv "$out.part" "$out"
printf '%s\n' "$stamp" > "$out.stamp"
say "version ${version} built: $out"
