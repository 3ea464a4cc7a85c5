#!/usr/bin/env bash
# Measures the laws of docs/scaling.md with real processes: one group of 1 to 4 workers under a steady load, keyed and not, and a roll
# of the four, with replicated ClickHouse 18.16 as the sink. Prints Markdown; about 7 minutes. The machine should do nothing else.
#
#   scripts/measure-scaling.sh [FILE]     FILE gets the tables too
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=$(mktemp)
log=$(mktemp)
trap 'rm -f "$out" "$log"' EXIT
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_CLI_USE_MSBUILD_SERVER=0 MSBUILDDISABLENODEREUSE=1
scripts/setup.sh --quiet >&2

# Release: assertions of the hot path would be measured otherwise.
dotnet build tests -c Release -v quiet -nologo -clp:NoSummary -nodeReuse:false >&2
{
  printf '%s, %s cores, load average %s before, .NET %s, %s\n' \
    "$(date -u +%F)" "$(nproc)" "$(cut -d' ' -f1 /proc/loadavg)" "$(dotnet --version)" "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
} > "$out"
if ! CI=true WEIR_SCALING_OUT=$out dotnet test tests -c Release --no-build --nologo --filter FullyQualifiedName~Drill.ScalingMeasurement > "$log" 2>&1; then
  cat "$log" >&2
  exit 1
fi
cat "$out"
[ $# -eq 0 ] || cp "$out" "$1"
