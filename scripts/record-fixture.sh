#!/usr/bin/env bash
# Records fixtures/pmacct-flows.ndjson.zst anew: flow records of real agents about real traffic.
#
# Three sites, each a network namespace joined by a real veth link to a fourth with the servers. A pmacctd on each link exports
# NetFlow v9 to one nfacctd, which writes pmacct's JSON; so the records carry the exporter (peer_ip_src), as in a real network.
# The traffic is made by scripts/fixture-traffic.py with real sockets, by curl and by ping. All addresses are from the ranges for
# documentation (RFC 5737, RFC 3849) and for private use (RFC 1918).
#
# Needs root, and pmacct, iproute2, iputils-ping, curl, python3, jq and zstd. Takes about SECONDS + 40 s.
set -euo pipefail

seconds=60
out=""
while [ $# -gt 0 ]; do
  case "$1" in
    --seconds) seconds=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    *) echo "usage: scripts/record-fixture.sh [--seconds N] [--out FILE.ndjson.zst]" >&2; exit 2 ;;
  esac
done
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$(realpath -m "${out:-$root/fixtures/pmacct-flows.ndjson.zst}")
[ "$(id -u)" = 0 ] || { echo "record-fixture: network namespaces and captures need root: sudo $0" >&2; exit 1; }
for program in pmacctd nfacctd ip ping curl python3 jq zstd; do
  command -v "$program" >/dev/null || { echo "record-fixture: $program is missing; scripts/setup.sh --all installs most of them" >&2; exit 1; }
done

work=$(mktemp -d)
tag="weir$$"
hub="$tag-hub"
pids=()
cleanup() {
  exec 2> /dev/null # bash would report each process that is killed
  for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
  for pid in $(ip netns pids "$hub" 2>/dev/null); do kill -KILL "$pid" 2>/dev/null || true; done
  for site in 1 2 3; do ip netns delete "$tag-$site" 2>/dev/null || true; done
  ip netns delete "$hub" 2>/dev/null || true
  wait 2> /dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

nets=("" 192.0.2 198.51.100 203.0.113)

echo "record-fixture: three sites and their servers, as network namespaces"
ip netns add "$hub"
ip -n "$hub" link set lo up
ip netns exec "$hub" sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'
for host in $(seq 10 29); do
  ip -n "$hub" address add "10.20.0.$host/32" dev lo
  ip -n "$hub" address add "2001:db8:20::$host/128" dev lo nodad
done
for site in 1 2 3; do
  space="$tag-$site"
  net=${nets[$site]}
  ip netns add "$space"
  ip -n "$space" link set lo up
  # Fixed, locally administered MAC addresses, so that the link-local addresses say nothing about a machine.
  ip -n "$hub" link add "site$site" address "02:00:00:00:0$site:01" type veth \
    peer name uplink address "02:00:00:00:0$site:02" netns "$space"
  # Packets as they are on a wire: no segmentation offload.
  ip -n "$hub" link set "site$site" gso_max_segs 1 up
  ip -n "$space" link set uplink gso_max_segs 1 up
  ip -n "$hub" address add "$net.1/24" dev "site$site"
  ip -n "$hub" address add "2001:db8:$site::1/64" dev "site$site" nodad
  for host in $(seq 10 49); do
    ip -n "$space" address add "$net.$host/24" dev uplink
    ip -n "$space" address add "2001:db8:$site::$host/64" dev uplink nodad
  done
  ip -n "$space" route add default via "$net.1"
  ip -n "$space" -6 route add default via "2001:db8:$site::1"
  ip -n "$hub" address add "10.0.$site.1/32" dev lo
done

echo "record-fixture: one nfacctd, and a pmacctd on each link"
cat > "$work/nfacctd.conf" <<CONF
daemonize: false
nfacctd_ip: 10.20.0.10
nfacctd_port: 2055
nfacctd_time_new: false
aggregate: peer_src_ip, src_host, dst_host, src_port, dst_port, proto, tos, tcpflags, timestamp_start, timestamp_end
timestamps_since_epoch: true
plugins: print
print_output: json
print_output_file: $work/flows.ndjson
print_output_file_append: true
print_refresh_time: 5
print_cache_entries: 65537
CONF
ip netns exec "$hub" nfacctd -f "$work/nfacctd.conf" > "$work/nfacctd.log" 2>&1 &
nfacctd=$!
pids+=("$nfacctd")
agents=()
for site in 1 2 3; do
  cat > "$work/pmacctd$site.conf" <<CONF
daemonize: false
pcap_interface: site$site
aggregate: src_host, dst_host, src_port, dst_port, proto, tos, tcpflags
plugins: nfprobe
nfprobe_receiver: 10.20.0.10:2055
nfprobe_source_ip: 10.0.$site.1
nfprobe_version: 9
nfprobe_engine: $site
nfprobe_timeouts: tcp=10:tcp.rst=2:tcp.fin=2:udp=8:icmp=8:general=8:maxlife=20:expint=2
CONF
  ip netns exec "$hub" pmacctd -f "$work/pmacctd$site.conf" > "$work/pmacctd$site.log" 2>&1 &
  agents+=($!)
  pids+=($!)
done
sleep 3

echo "record-fixture: $seconds s of traffic"
traffic="$root/scripts/fixture-traffic.py"
ip netns exec "$hub" python3 "$traffic" serve > "$work/serve.log" 2>&1 &
pids+=($!)
sleep 2
clients=()
for site in 1 2 3; do
  ip netns exec "$tag-$site" python3 "$traffic" visit --site "$site" --net "${nets[$site]}" --seconds "$seconds" > "$work/visit$site.log" 2>&1 &
  clients+=($!)
  pids+=($!)
done
for client in "${clients[@]}"; do wait "$client"; done

echo "record-fixture: the agents report what they still hold"
sleep 24
for agent in "${agents[@]}"; do kill -INT "$agent" 2>/dev/null || true; done
sleep 7
kill -INT "$nfacctd" 2>/dev/null || true
sleep 3

jq -c 'select(.event_type == "purge")' "$work/flows.ndjson" > "$work/purged.ndjson"
# As nfacctd wrote them, not as jq would: the fixture holds an agent's own bytes.
grep '"event_type": "purge",' "$work/flows.ndjson" > "$work/fixture.ndjson"
[ "$(wc -l < "$work/fixture.ndjson")" = "$(wc -l < "$work/purged.ndjson")" ] || { echo "record-fixture: nfacctd wrote lines that are not JSON" >&2; exit 1; }
records=$(wc -l < "$work/fixture.ndjson")
[ "$records" -ge 5000 ] || { echo "record-fixture: only $records records; see the logs by running with bash -x, or take longer: --seconds" >&2; exit 1; }
mkdir -p "$(dirname "$out")"
zstd -q -19 -f "$work/fixture.ndjson" -o "$out"
echo "record-fixture: $records records, $(stat -c %s "$out") bytes in $out"
jq -r '.ip_proto + (if (.ip_src | contains(":")) then " IPv6" else " IPv4" end)' "$work/fixture.ndjson" | sort | uniq -c | sort -rn
