#!/usr/bin/env bash
# What weir-loadgen must hold, measured in one go on a machine that has nothing else to do (about three minutes): the rates of generate
# into a broker that is a process of its own, and how late the sends of a replay are at 100,000 records/s and speed 1.
# The rate of the consumer is measured by ./weir-bench --only process.
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
"$root/scripts/build.sh" src/Host weir
"$root/scripts/build.sh" loadgen weir-loadgen
load() { dotnet "$root/loadgen/bin/Release/net10.0/weir-loadgen.dll" "$@"; }

directory=$(mktemp -d)
broker=
trap '[ -z "$broker" ] || kill "$broker"; rm -rf "$directory"' EXIT
dotnet "$root/src/Host/bin/Release/net10.0/weir.dll" broker --port-file "$directory/port" --topic flows:32 --topic gaps:32 --topic copy:32 \
    > "$directory/broker.log" 2>&1 &
broker=$!
until [ -s "$directory/port" ]; do
    kill -0 "$broker" || { cat "$directory/broker.log" >&2; exit 1; }
    sleep 0.1
done
bootstrap=$(cat "$directory/port")

number() { sed -n "s/.*\"$2\":\([0-9.]*\).*/\1/p" <<< "$1"; }
uptime
printf '%-14s %14s %14s %18s\n' generate records/s 'CPU ns/record' 'records/s a core'
for line in weir:20000000:3000000 weir-proto:10000000:0 goflow2:10000000:1500000 goflow2-json:3000000:0 pmacct-json:2000000:0; do
    IFS=: read -r format records least <<< "$line"
    best=0
    for _ in 1 2 3; do # The best of three: what else runs can only take away.
        json=$(load generate --bootstrap "$bootstrap" --topic flows --format "$format" --rate max --records "$records" --codec none \
            --json 2> /dev/null)
        rate=$(number "$json" records_per_s)
        if awk -v a="$rate" -v b="$best" 'BEGIN { exit !(a > b) }'; then best=$rate; cpu=$(number "$json" cpu_ns_per_record); fi
    done
    awk -v f="$format" -v r="$best" -v c="$cpu" -v l="$least" 'BEGIN {
        printf "%-14s %14.0f %14.0f %18.0f  %s\n", f, r, c, 1e9 / c, l == 0 ? "" : (r >= l ? "holds: at least " l : "DOES NOT HOLD: at least " l) }'
done

# 10,000 messages of 10 records a second for 15 s, recorded with the times at which they were due.
load generate --bootstrap "$bootstrap" --topic gaps --format goflow2 --rate 100000 --records 1500000 --records-per-message 10 \
    --codec zstd --seed 3 > /dev/null 2>&1
load capture --bootstrap "$bootstrap" --topic gaps --format goflow2 --out "$directory/c.weircap" --until-end > /dev/null 2>&1
for round in 1 2 3; do
    json=$(load replay "$directory/c.weircap" --bootstrap "$bootstrap" --topic copy --json 2> /dev/null)
    awk -v n="$round" -v m="$(number "$json" messages)" -v s="$(number "$json" seconds)" -v p="$(number "$json" lateness_p50_ms)" \
        -v q="$(number "$json" lateness_p99_ms)" -v x="$(number "$json" lateness_max_ms)" 'BEGIN {
        printf "replay %d: %d messages in %.1f s; lateness p50 %.2f ms, p99 %.2f ms, worst %.2f ms  %s\n",
            n, m, s, p, q, x, q < 20 ? "holds: p99 below 20 ms" : "DOES NOT HOLD: p99 below 20 ms" }'
done
uptime
