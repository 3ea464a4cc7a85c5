#!/usr/bin/env bash
# Asks the package feed whether a package of this repository, or one that it brings, has a known vulnerability: 0 none, 1 some.
# A feed without such data cannot answer; that is said, and is no failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
status=0
for project in src/Host loadgen; do
  answer=$(dotnet list "$project" package --vulnerable --include-transitive 2>&1) || true
  printf '%s\n' "$answer" | sed 's/^/  /'
  case "$answer" in
    *'has the following vulnerable packages'*) status=1 ;;
    *'has no vulnerable packages'*) ;;
    *) printf 'check-vulnerable: the feed did not answer for %s; nothing is known\n' "$project" ;;
  esac
done
exit "$status"
