#!/usr/bin/env bash
# Draws docs/images/page*.png: the admin page of a pipeline that runs real flow records, in a Chromium without a screen.
#
#   scripts/screenshots.sh [SECONDS]    how long the pipeline runs before the pictures are taken (default 90)
#
# The queues of the shards are small on purpose, so that the pictures may show a loss as well.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
seconds=${1:-90}
"$root/scripts/setup.sh" --all
dotnet build "$root/tests" -v quiet -nologo -clp:NoSummary

work=$(mktemp -d)
pids=()
finish() {
  [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2> /dev/null || true
  wait 2> /dev/null || true
  rm -rf "$work"
}
trap finish EXIT
programs=$root/tests/bin/Debug/net10.0
cd "$work"
dotnet "$programs/weir.dll" broker --port-file port --topic flows:4 > broker.log 2>&1 &
pids+=($!)
until [ -s port ]; do sleep 0.2; done
cat > weir.yaml <<CONFIG
kafka: { bootstrap: "$(cat port)", topics: [ { name: flows, format: pmacct-json } ], options: { session.timeout.ms: 6000 } }
clickhouse: { embedded: $work/store }
flush: { interval: 2s }
aggregation: { workers: 2, queue: { policy: overwrite, capacity_records: 2048 } }
admin: { listen: "127.0.0.1:0" }
CONFIG
dotnet "$programs/weir.dll" run -c weir.yaml > run.log 2>&1 &
pids+=($!)
until grep -q 'admin at ' run.log; do
  kill -0 "${pids[-1]}" || { cat run.log >&2; exit 1; }
  sleep 0.5
done
url=$(sed -n 's/.*admin at \(http[^ ]*\).*/\1/p' run.log | head -n 1)
dotnet "$programs/weir-loadgen.dll" replay "$root/fixtures/pmacct-flows.ndjson.zst" --bootstrap "$(cat port)" \
  --topic flows --retime --rate 20000 --follow "$url" --seconds $((seconds + 300)) > loadgen.log 2>&1 &
pids+=($!)
echo "screenshots: the pipeline runs at $url for $seconds s"
sleep "$seconds"
mkdir -p "$root/docs/images"
WEIR_SCREENSHOTS=$root/docs/images WEIR_SCREENSHOTS_URL=$url dotnet test "$root/tests" --no-build --nologo --filter FullyQualifiedName~A_picture_of_the_live_page
ls -l "$root"/docs/images/page*.png
