#!/usr/bin/env bash
# expected-rows.sh FILE.ndjson.zst VIEW: the rows that a standard view must hold, from pmacct's raw JSON, by jq and awk alone.
#
# VIEW is edge_1s, edge_1m, service_1s or service_1m. Output is TSV, sorted bytewise: time (s), tags, records, flows, packets, bytes.
# IPv4 addresses are mapped into IPv6 (::ffff:…), protocols are numbers; a record without flows counts 1. Records whose time a DateTime
# can't hold (before 1970 or after 2106) are one last line: "unplaceable", then their number.
set -euo pipefail
case "$2" in
  edge_1s) edge=1 seconds=1 ;;
  edge_1m) edge=1 seconds=60 ;;
  service_1s) edge=0 seconds=1 ;;
  service_1m) edge=0 seconds=60 ;;
  *) echo "no such view: $2" >&2; exit 2 ;;
esac
export LC_ALL=C
zstd -dc "$1" \
  | jq -r 'select(.event_type == "purge") | def address: if contains(":") then . else "::ffff:" + . end;
      [(.stamp_inserted // .timestamp_start // .timestamp_min), (.ip_src | address), (.ip_dst | address), .port_dst, .ip_proto,
       (.peer_ip_src // ""), (.flows // 1), .packets, .bytes] | @tsv' \
  | awk -F '\t' -v edge="$edge" -v seconds="$seconds" '
      BEGIN {
        OFS = "\t"
        while ((getline line < "/etc/protocols") > 0) {
          split(line, words, " ")
          if (words[1] !~ /^#/ && words[2] ~ /^[0-9]+$/) { number[words[1]] = words[2] }
        }
        # What pmacct calls otherwise than /etc/protocols, or what that may lack.
        number["icmp"] = 1; number["igmp"] = 2; number["ipencap"] = 4; number["tcp"] = 6; number["udp"] = 17; number["ipv6"] = 41
        number["gre"] = 47; number["esp"] = 50; number["ah"] = 51; number["ipv6-icmp"] = 58; number["ospf"] = 89; number["pim"] = 103
        number["vrrp"] = 112; number["l2tp"] = 115; number["sctp"] = 132
      }
      {
        if ($1 ~ /^-/ || $1 + 0 >= 4294967296) { unplaceable++; next }
        split($1, time, ".")
        proto = ($5 ~ /^[0-9]+$/) ? $5 : number[$5]
        if (proto == "") { print "no number for protocol " $5 > "/dev/stderr"; exit 1 }
        key = (time[1] - time[1] % seconds) OFS
        key = key (edge ? $2 OFS $3 OFS $4 OFS proto OFS $6 : $3 OFS $4 OFS proto)
        records[key]++; flows[key] += $7; packets[key] += $8; bytes[key] += $9
      }
      END {
        for (key in records) { printf "%s\t%d\t%d\t%d\t%d\n", key, records[key], flows[key], packets[key], bytes[key] }
        printf "unplaceable\t%d\n", unplaceable
      }' \
  | sort
