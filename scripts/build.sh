#!/usr/bin/env bash
# build.sh PROJECT_DIR PROGRAM: builds a program (Release) if a source is newer than its last build; silent when nothing is to be done.
# All output goes to stderr, so that what the program prints stays alone on stdout.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
project=$1
program=$2
assembly=$root/$project/bin/Release/net10.0/$program.dll
stamp=$root/.setup/built-$program

# A directory is newer than the stamp when a file in it came or went.
is_current() {
  [ -f "$assembly" ] && [ -f "$stamp" ] || return 1
  [ -z "$(find "$root/src" "$root/loadgen" "$root/bench" "$root/fixtures" "$root"/Directory.* "$root/global.json" "$root/.editorconfig" \
    \( -name bin -o -name obj -o -name BenchmarkDotNet.Artifacts \) -prune -o -newer "$stamp" -print -quit)" ]
}

is_current && exit 0
"$root/scripts/setup.sh" --quiet >&2
mkdir -p "$root/.setup"
exec 9> "$root/.setup/build.lock"
flock 9
is_current && exit 0 # Another one has just built it.

export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_CLI_USE_MSBUILD_SERVER=0 MSBUILDDISABLENODEREUSE=1
started=$EPOCHREALTIME
printf 'build: %s\n' "$program" >&2
begun=$(mktemp "$root/.setup/begun.XXXXXX") # A source changed during the build is newer than this.
trap 'rm -f "$begun"' EXIT
# Output directories are made first: their coming would make their parents newer than the stamp.
mkdir -p "$root/$project/bin" "$root/$project/obj"
log=$root/.setup/build-$program.log # dotnet writes a summary even when it is told to be quiet.
# Without the analyzers, which take most of the time and are for those who change the code: ./test builds with them.
if ! dotnet build "$root/$project" -c Release -v quiet -nologo -nodeReuse:false -p:UseSharedCompilation=false -p:RunAnalyzers=false > "$log" 2>&1 9>&-; then
  cat "$log" >&2
  printf 'build: %s was not built; the lines above say why. After a change of tools or packages, "git clean -xdf src loadgen bench" starts afresh.\n' "$program" >&2
  exit 1
fi
mv "$begun" "$stamp"
printf 'build: done (%s)\n' "$(awk -v a="$started" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f s", b - a }')" >&2
