-- Number 2: the tables of release 0.1.0. (18.16, not replicated)
-- Begins with the statements of 1-server.sql. Never changed: migrations begin here.
CREATE TABLE IF NOT EXISTS `weir`.`weir_ledger`
(
    `topic` LowCardinality(String),
    `partition` Int32,
    `from_offset` Int64,
    `to_offset` Int64,
    `view` LowCardinality(String),
    `part` UInt32,
    `layout` UInt16,
    `rows` UInt64,
    `records` UInt64,
    `packets` UInt64,
    `bytes` UInt64,
    `days` Array(Date),
    `day_records` Array(UInt64),
    `day_packets` Array(UInt64),
    `day_bytes` Array(UInt64),
    `refused` LowCardinality(String),
    `read` UInt64,
    `folded` UInt64,
    `rejected` UInt64,
    `rejected_reasons` Array(String),
    `rejected_counts` Array(UInt64),
    `late` UInt64,
    `dropped` UInt64,
    `overwritten` UInt64,
    `gap_offsets` UInt64,
    `first_event` DateTime('UTC'),
    `last_event` DateTime('UTC'),
    `process` LowCardinality(String),
    `version` UInt64,
    `stored_at` DateTime('UTC')
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (`topic`, `partition`, `from_offset`, `to_offset`, `view`, `part`);
CREATE TABLE IF NOT EXISTS `weir`.`weir_schema`
(
    `number` UInt32,
    `oldest_writer` UInt32,
    `title` String,
    `applied_at` DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree()
ORDER BY `number`;
INSERT INTO `weir`.`weir_schema` (`number`, `oldest_writer`, `title`) VALUES (1, 1, 'sums by day, one table for each view');
INSERT INTO `weir`.`weir_schema` (`number`, `oldest_writer`, `title`) VALUES (2, 2, 'blocks that come again are known: the ledger, windows of names, the column weir_block');
INSERT INTO `weir`.`weir_ledger` (topic, `partition`, from_offset, to_offset, view, part, layout, rows, records, packets, bytes, days, day_records, day_packets, day_bytes, read, folded, version) VALUES ('flows', 0, 0, 12, 'edge_1s', 0, 1, 4, 12, 20, 28, [toDate(now())], [12], [20], [28], 12, 12, 1), ('flows', 0, 0, 12, 'service_1m', 0, 1, 4, 12, 20, 28, [toDate(now())], [12], [20], [28], 12, 12, 1);
