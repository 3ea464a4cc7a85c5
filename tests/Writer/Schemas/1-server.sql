-- Number 1: the first tables of all; no ledger, and nothing says which migrations they have had. (18.16, not replicated)
-- Never changed: migrations begin here.
CREATE TABLE IF NOT EXISTS `weir`.`edge_1s`
(
    `time` DateTime('UTC'),
    `src_addr` FixedString(16),
    `dst_addr` FixedString(16),
    `dst_port` UInt16,
    `proto` UInt8,
    `exporter` LowCardinality(String),
    `records` UInt64,
    `flows` UInt64,
    `packets` UInt64,
    `bytes` UInt64,
    `tcp_syn` UInt64,
    `tcp_fin` UInt64,
    `tcp_rst` UInt64,
    `retransmissions` UInt64,
    `rtt_us` UInt64,
    `rtt_count` UInt64,
    `duration_ms` UInt64
)
ENGINE = SummingMergeTree()
PARTITION BY toYYYYMMDD(time)
ORDER BY (`dst_addr`, `dst_port`, `proto`, `src_addr`, `exporter`, `time`);
CREATE TABLE IF NOT EXISTS `weir`.`service_1m`
(
    `time` DateTime('UTC'),
    `dst_addr` FixedString(16),
    `dst_port` UInt16,
    `proto` UInt8,
    `records` UInt64,
    `flows` UInt64,
    `packets` UInt64,
    `bytes` UInt64,
    `tcp_syn` UInt64,
    `tcp_fin` UInt64,
    `tcp_rst` UInt64,
    `retransmissions` UInt64,
    `rtt_us` UInt64,
    `rtt_count` UInt64,
    `duration_ms` UInt64
)
ENGINE = SummingMergeTree()
PARTITION BY toYYYYMMDD(time)
ORDER BY (`dst_addr`, `dst_port`, `proto`, `time`);
INSERT INTO `weir`.`edge_1s` (time, dst_port, proto, records, packets, bytes) SELECT toStartOfMinute(now()), 53, number, 3, 5, 7 FROM system.numbers LIMIT 4;
INSERT INTO `weir`.`service_1m` (time, dst_port, proto, records, packets, bytes) SELECT toStartOfMinute(now()), 53, number, 3, 5, 7 FROM system.numbers LIMIT 4;
