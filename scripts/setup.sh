#!/usr/bin/env bash
# Installs what Weir needs and this machine lacks. Made for Debian with the .NET SDK, npm, and root or sudo.
#
#   scripts/setup.sh          what is needed to build and run
#   scripts/setup.sh --all    that, and the real parts that the tests use
#   scripts/setup.sh --quiet  says nothing when nothing has to be done
#
# Native libraries are kept in WEIR_CACHE (default: XDG_CACHE_HOME/weir or ~/.cache/weir), by version, and linked into .native/ of
# this clone; so a second clone and a second run cost nothing. Several runs at once are safe: they wait for one another.
set -euo pipefail

readonly chdb_version='26.7.3-stable.1'
readonly chdb_integrity_x64='XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw=='

readonly uplot_version='1.6.32'
readonly uplot_integrity='KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw=='

readonly runtime_packages=(libzstd1 liblz4-1 libsnappy1v5)
readonly rdkafka_build_packages=(gcc g++ make openssl libssl-dev zlib1g-dev liblz4-dev libzstd-dev)
readonly test_packages=(clickhouse-server clickhouse-client kcat pmacct softflowd tshark tcpdump jq zstd iproute2 iputils-ping procps zookeeper chromium fonts-dejavu-core prometheus nginx-light)

readonly kubernetes_modules=(kubernetes-models@5.1.0 @kubernetes-models/keda@2.0.0 @kubernetes-models/prometheus-operator@6.0.0 typescript@5.9.3)

all=false
quiet=false
for argument in "$@"; do
  case "$argument" in
    --all) all=true ;;
    --quiet) quiet=true ;;
    *) echo 'usage: scripts/setup.sh [--all] [--quiet]' >&2; exit 2 ;;
  esac
done

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${WEIR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/weir}
native=$root/.native
sudo=''
[ "$(id -u)" = 0 ] || sudo=sudo
started=$EPOCHREALTIME
did_work=false

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f s", b - a }'; }

# Which of the named Debian packages are not installed.
missing_packages() {
  local package installed
  installed=" $(dpkg-query -W -f '${db:Status-Abbrev}${Package} ' "$@" 2>/dev/null || true)"
  for package in "$@"; do
    case "$installed" in *" ii $package "* | *" hi $package "*) ;; *) printf '%s\n' "$package" ;; esac
  done
}

# install_packages WHY PACKAGE...: those that are missing. Services of the packages neither start now nor at boot: the tests start
# the programs themselves, on free ports.
install_packages() {
  local why=$1 begin=$EPOCHREALTIME missing unit
  shift
  command -v dpkg-query > /dev/null && command -v apt-get > /dev/null \
    || fail "this is not Debian: install by hand what stands for $* ($why), then run this again with the programs in PATH"
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  did_work=true
  [ -z "$sudo" ] || command -v sudo > /dev/null || fail "root or sudo is needed to install ${missing[*]}"

  # An index that does not know a package may just be old or absent: look once more before giving up on it.
  if [ -n "$(unknown_packages "${missing[@]}")" ]; then
    say 'apt-get update'
    $sudo apt-get update -qq > /dev/null || fail 'apt-get update failed: is the network up, and are the sources in /etc/apt right?'
  fi
  local unknown
  unknown=$(unknown_packages "${missing[@]}")
  if [ -n "$unknown" ]; then
    [ "$why" = 'the tests' ] || fail "this Debian release has no package $(echo $unknown), which is needed for $why"
    say "this Debian release has no $(echo $unknown); the tests that need them are skipped (with CI=true they fail)"
    mapfile -t missing < <(printf '%s\n' "${missing[@]}" | grep -vxF "$unknown" || true)
    [ ${#missing[@]} -gt 0 ] || return 0
  fi

  say "for $why: Debian packages ${missing[*]}"
  local policy=/usr/sbin/policy-rc.d own_policy=false
  if [ ! -e "$policy" ]; then
    own_policy=true
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" > /dev/null
    $sudo chmod 755 "$policy"
  fi
  local log status=0
  log=$(mktemp)
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > "$log" 2>&1 < /dev/null || status=$?
  if [ "$status" != 0 ]; then # The index may name versions that the mirror no longer has.
    { $sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
      > "$log" 2>&1 < /dev/null && status=0 || status=$?
  fi
  [ "$own_policy" = false ] || $sudo rm -f "$policy"
  if [ "$status" != 0 ]; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    fail "apt-get install ${missing[*]} failed; the lines above say why"
  fi
  rm -f "$log"
  if [ -d /run/systemd/system ]; then
    for package in "${missing[@]}"; do
      for unit in $(dpkg-query -L "$package" | sed -n 's|^\(/usr\)\?/lib/systemd/system/\([^/]*\.service\)$|\2|p'); do
        $sudo systemctl disable --quiet "$unit" 2> /dev/null || true
      done
    done
  fi
  say "Debian packages installed ($(since "$begin"))"
}

# Which of the named packages the package index does not know.
unknown_packages() {
  local package
  for package in "$@"; do
    apt-cache show "$package" > /dev/null 2>&1 || printf '%s\n' "$package"
  done
}

# link_native NAME FILE: .native/NAME is FILE.
link_native() {
  [ "$(readlink "$native/$1" 2> /dev/null)" = "$2" ] || ln -sfn "$2" "$native/$1"
}

# ClickHouse as a library, for the embedded store.
setup_chdb() {
  local arch package integrity begin=$EPOCHREALTIME target work
  case "$(uname -m)" in
    x86_64) arch=x64 integrity=$chdb_integrity_x64 ;;
    aarch64 | arm64) arch=arm64 integrity='' ;;
    *) fail "there is no embedded ClickHouse for $(uname -m); use a server: clickhouse.url in the configuration" ;;
  esac
  package=@chdb/lib-linux-$arch-gnu@$chdb_version
  target=$cache/chdb-$chdb_version-$arch/libchdb.so
  if [ ! -f "$target" ]; then
    did_work=true
    command -v npm > /dev/null || fail "npm is missing; it fetches the embedded ClickHouse ($package)"
    say "for the embedded store: fetching $package with npm (178 MB, 566 MB on disk)"
    if [ -z "$integrity" ]; then
      integrity=$(npm view "$package" dist.integrity 2> /dev/null) || true
      integrity=${integrity#sha512-}
      [ -n "$integrity" ] || fail "the npm registry has no $package; use a server instead: clickhouse.url in the configuration"
    fi
    work=$(mktemp -d "$cache/chdb.XXXXXX")
    fetch_npm "$package" "$integrity" "$work"
    tar -xzf "$work"/*.tgz -C "$work" package/libchdb.so || { rm -rf "$work"; fail "unpacking failed: is there 600 MB of space in $cache?"; }
    mkdir -p "$(dirname "$target")"
    mv "$work/package/libchdb.so" "$target"
    rm -rf "$work"
    say "embedded ClickHouse $chdb_version in $cache ($(since "$begin"))"
  fi
  link_native libchdb.so "$target"
}

# uPlot draws the charts of the admin page; the build puts it into the program, with its licence.
setup_uplot() {
  local begin=$EPOCHREALTIME target=$cache/uplot-$uplot_version work
  if [ ! -f "$target/uplot.js" ]; then
    did_work=true
    command -v npm > /dev/null || fail "npm is missing; it fetches the chart library of the admin page (uplot@$uplot_version)"
    work=$(mktemp -d "$cache/uplot.XXXXXX")
    fetch_npm "uplot@$uplot_version" "$uplot_integrity" "$work"
    tar -xzf "$work"/*.tgz -C "$work" package/dist/uPlot.iife.min.js package/dist/uPlot.min.css package/LICENSE
    mkdir -p "$work/uplot"
    mv "$work/package/dist/uPlot.min.css" "$work/uplot/uplot.css"
    mv "$work/package/LICENSE" "$work/uplot/uplot-license.txt"
    mv "$work/package/dist/uPlot.iife.min.js" "$work/uplot/uplot.js"
    rm -rf "$target"
    mv "$work/uplot" "$target"
    rm -rf "$work"
    say "uPlot $uplot_version in $cache ($(since "$begin"))"
  fi
  link_native uplot "$target"
}

# kubectl, and the Kubernetes API as types, for the tests of k8s/.
setup_kubernetes() {
  local target=$cache/kubernetes-api-1 begin=$EPOCHREALTIME work
  command -v kubectl > /dev/null || install_packages 'the tests' kubernetes-client
  if [ ! -d "$target" ]; then
    did_work=true
    say 'for the tests: fetching the types of the Kubernetes API with npm (53 MB on disk)'
    work=$(mktemp -d "$cache/kubernetes.XXXXXX")
    printf '{"private":true}' > "$work/package.json"
    (cd "$work" && npm install --silent --no-audit --no-fund --ignore-scripts --no-package-lock "${kubernetes_modules[@]}" > npm.log 2>&1) \
      || { tail -n 20 "$work/npm.log" >&2; rm -rf "$work"; say 'npm install failed: is the registry reachable (npm ping)? The test of k8s/ against the API is skipped (with CI=true it fails)'; return 0; }
    mv "$work" "$target"
    say "types of the Kubernetes API in $cache ($(since "$begin"))"
  fi
  link_native kubernetes-api "$target"
}

# fetch_npm PACKAGE INTEGRITY DIRECTORY: the tarball of the pinned package, in the directory, which is gone again when it fails.
fetch_npm() {
  (cd "$3" && npm pack --silent --ignore-scripts "$1" > /dev/null) \
    || { rm -rf "$3"; fail "npm pack $1 failed: is the registry reachable (npm ping)?"; }
  if [ "$(sha512_base64 "$3"/*.tgz)" != "$2" ]; then
    rm -rf "$3"
    fail "$1 is not the pinned package: its sha512 differs. Do not use it; report it"
  fi
}

sha512_base64() {
  node -e 'const h = require("crypto").createHash("sha512"); require("fs").createReadStream(process.argv[1]).on("data", d => h.update(d)).on("end", () => console.log(h.digest("base64")))' "$1"
}

# librdkafka: from NuGet where the feed has it, otherwise built from source, once for each version and machine.
setup_rdkafka() {
  local version begin=$EPOCHREALTIME arch target from_nuget
  version=$(sed -n 's|.*<ConfluentKafkaVersion>\(.*\)</ConfluentKafkaVersion>.*|\1|p' "$root/Directory.Packages.props")
  arch=$(uname -m)
  target=$cache/librdkafka-$version-$arch/librdkafka.so
  from_nuget=$cache/librdkafka-$version-$arch/from-nuget
  if [ ! -f "$target" ] && [ ! -f "$from_nuget" ]; then
    did_work=true
    mkdir -p "$(dirname "$target")"
    say "for Kafka: does the NuGet feed carry librdkafka.redist $version?"
    if nuget_has_rdkafka "$version"; then
      touch "$from_nuget"
      say "it does ($(since "$begin"))"
    else
      say 'it does not; building the same version from source'
      install_packages 'building librdkafka' "${rdkafka_build_packages[@]}"
      bash "$root/scripts/build-librdkafka.sh" "$target" "$cache" || fail 'librdkafka was not built; the lines above say why'
      say "librdkafka $version in $cache ($(since "$begin"))"
    fi
  fi
  if [ -f "$target" ]; then link_native librdkafka.so "$target"; else rm -f "$native/librdkafka.so"; fi
}

# Asks by restoring a project that names only this package: 0 it has it, 1 it has it not.
nuget_has_rdkafka() {
  local work output status=0
  work=$(mktemp -d)
  cat > "$work/probe.csproj" <<PROJECT
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><TargetFramework>net10.0</TargetFramework><ManagePackageVersionsCentrally>false</ManagePackageVersionsCentrally></PropertyGroup>
  <ItemGroup><PackageReference Include="librdkafka.redist" Version="[$1]" /></ItemGroup>
</Project>
PROJECT
  [ ! -f "$root/NuGet.config" ] || cp "$root/NuGet.config" "$work/"
  output=$(cd "$work" && dotnet restore probe.csproj -nodeReuse:false 2>&1) || status=$?
  rm -rf "$work"
  [ "$status" != 0 ] || return 0
  case "$output" in
    *NU1101* | *NU1102*) return 1 ;;
    *) printf '%s\n' "$output" >&2; fail 'NuGet did not answer; the lines above say why (dotnet nuget list source shows the feeds)' ;;
  esac
}

command -v dotnet > /dev/null || fail 'the .NET 10 SDK is missing: install it and put dotnet into PATH'
mkdir -p "$cache" "$native" "$root/.setup"
exec 9> "$cache/lock"
if ! flock -n 9; then
  say 'waiting for another setup on this machine'
  flock 9
fi

export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_CLI_USE_MSBUILD_SERVER=0
install_packages 'running' "${runtime_packages[@]}"
[ "$all" = false ] || install_packages 'the tests' "${test_packages[@]}"
setup_chdb
setup_uplot
setup_rdkafka
[ "$all" = false ] || setup_kubernetes

if [ "$did_work" = true ]; then
  say "done ($(since "$started"))"
elif [ "$quiet" = false ]; then
  say "everything is there ($(since "$started"))"
fi
