// The path of a record as stages and the edges between them: what flows, what waits, what is lost, and in which state each is.
// The picture, its table and the figures are drawn from this one description.

import { bytes, count, percent, rate, seconds, short } from './format.js';

/** A queue this full is about to do what its policy says. */
const FULL_SHARE = 0.8;
/** Producers that wait a tenth of their time are held up by their consumer. */
const WAIT_SHARE = 0.1;
/** A worker this busy has nothing left for a burst. */
const BUSY_SHARE = 0.9;
/** Above any real capacity: the queue is bounded by something else. */
const UNBOUNDED_RECORDS = 2 ** 39;

export const WORDS = { idle: 'idle', ok: 'ok', warn: 'look here', loss: 'losing' };

const worst = states => ['loss', 'warn', 'ok', 'idle'].find(state => states.includes(state)) ?? 'idle';

/** One queue with its losses of the last minute and its state. */
export function queueFacts(model, queue) {
    const labels = { queue: queue.name, index: String(queue.index) };
    const dropped = model.growth('weir_queue_dropped_records_total', labels) ?? 0;
    const overwritten = model.growth('weir_queue_overwritten_records_total', labels) ?? 0;
    const inRate = model.rate('weir_queue_offered_records_total', labels);
    const waitShare = model.rate('weir_queue_producer_wait_seconds_total', labels) ?? 0;
    const isBounded = queue.capacity_records < UNBOUNDED_RECORDS;
    const level = isBounded ? Math.min(1, queue.depth / queue.capacity_records) : 0;
    const isHeldUp = level >= FULL_SHARE || waitShare >= WAIT_SHARE;
    const state = dropped + overwritten > 0 ? 'loss' : isHeldUp ? 'warn' : inRate > 0 ? 'ok' : 'idle';
    return {
        queue,
        labels,
        dropped,
        overwritten,
        inRate,
        waitShare,
        level,
        isBounded,
        state,
        name: `${queue.name}[${queue.index}]`,
        outRate: model.rate('weir_queue_dequeued_records_total', labels),
    };
}

const lossLines = (...pairs) => pairs.filter(([, number]) => number > 0).map(([word, number]) => ({ word, number }));

export function describePath(model) {
    const queues = model.now.queues.map(queue => queueFacts(model, queue));
    const names = [...new Set(queues.map(facts => facts.queue.name))];
    const toFold = queues.filter(facts => facts.queue.name === names[0] && names.length > 1);
    const toWrite = queues.filter(facts => facts.queue.name === names.at(-1));
    return [
        broker(model),
        fetchEdge(model),
        ingest(model),
        toFold.length > 0 ? queueEdge('to shards', toFold) : handEdge(model),
        fold(model),
        queueEdge('to writer', toWrite),
        writer(model),
        insertEdge(model),
        clickHouse(model),
    ];
}

function broker(model) {
    const partitions = model.now.positions.length;
    const lag = model.now.positions.reduce((sum, position) => sum + position.lag_messages, 0);
    const lags = model.series('weir_ingest_lag_seconds').map(series => series.value);
    const worstLag = lags.length > 0 ? Math.max(...lags) : null;
    const gone = model.growth('weir_ingest_gap_offsets_total') ?? 0;
    return {
        id: 'broker',
        isStage: true,
        title: 'Kafka',
        state: gone > 0 ? 'loss' : partitions === 0 ? 'warn' : 'ok',
        lines: [
            partitions === 0 ? 'no partition assigned' : `${count(partitions)} partition${partitions === 1 ? '' : 's'}`,
            `lag ${count(lag)}${worstLag === null ? '' : `, ${seconds(worstLag)}`}`,
        ],
        losses: lossLines(['offsets gone', gone]),
    };
}

/** Lag in seconds of a partition, where the process tells it. */
export const lagSecondsOf = position => (typeof position.lag_seconds === 'number' ? position.lag_seconds : null);

function fetchEdge(model) {
    const messages = model.rate('weir_ingest_messages_total');
    return {
        id: 'fetch',
        title: 'fetch',
        state: messages > 0 ? 'ok' : 'idle',
        rate: short(messages),
        unit: 'messages',
        lines: [
            rate(
                model.rate('weir_ingest_message_bytes_total') === null ? null : model.rate('weir_ingest_message_bytes_total') / 1e6,
                ' MB/s',
            ),
        ],
        losses: [],
        queues: [],
        isMoving: messages > 0,
    };
}

function ingest(model) {
    const records = model.rate('weir_ingest_read_records_total');
    const paused = model.rate('weir_ingest_memory_pause_seconds_total') ?? 0;
    const losses = lossLines(
        ['rejected', model.growth('weir_ingest_rejected_records_total') ?? 0],
        ['late', model.growth('weir_ingest_late_records_total') ?? 0],
    );
    return {
        id: 'ingest',
        isStage: true,
        title: 'Ingest',
        losses,
        state: losses.length > 0 ? 'loss' : paused > WAIT_SHARE ? 'warn' : records > 0 ? 'ok' : 'idle',
        lines: [rate(records, ' records/s'), paused > WAIT_SHARE ? `paused: memory.limit` : 'decode, route'],
    };
}

function handEdge(model) {
    const records = model.rate('weir_aggregation_folded_records_total');
    return {
        id: 'hand',
        title: 'same thread',
        state: records > 0 ? 'ok' : 'idle',
        rate: short(records),
        unit: 'records',
        lines: ['no queue'],
        losses: [],
        queues: [],
        isMoving: records > 0,
    };
}

function queueEdge(title, queues) {
    const inRate = queues.reduce((sum, facts) => sum + (facts.inRate ?? 0), 0);
    const depth = queues.reduce((sum, facts) => sum + facts.queue.depth, 0);
    const fullest = queues.reduce((left, right) => (right.level > left.level ? right : left));
    const sum = key => queues.reduce((total, facts) => total + facts[key], 0);
    return {
        id: title.replace(' ', '-'),
        title: `queue ${queues[0].queue.name}`,
        rate: short(inRate),
        unit: 'records',
        state: worst(queues.map(facts => facts.state)),
        isMoving: inRate > 0,
        lines: [
            `depth ${short(depth)}`,
            !fullest.isBounded
                ? `deepest ${short(fullest.queue.depth_max)}`
                : queues.length === 1
                  ? `${percent(fullest.level)} full`
                  : `[${fullest.queue.index}] ${percent(fullest.level)} full`,
        ],
        losses: lossLines(['overwritten', sum('overwritten')], ['dropped', sum('dropped')]),
        queues,
    };
}

function fold(model) {
    const workers = Math.max(1, model.series('weir_aggregation_busy_seconds_total').length);
    const busy = model.rate('weir_aggregation_busy_seconds_total');
    const overflow = model.growth('weir_aggregation_overflow_records_total') ?? 0;
    const folded = model.rate('weir_aggregation_folded_records_total');
    return {
        id: 'fold',
        isStage: true,
        title: workers === 1 ? '1 shard' : `${workers} shards`,
        losses: [],
        state: busy / workers > BUSY_SHARE || overflow > 0 ? 'warn' : folded > 0 ? 'ok' : 'idle',
        lines: [
            `${short(model.value('weir_aggregation_open_series'))} series`,
            overflow > 0 ? `${short(overflow)} to overflow` : `busy ${busy === null ? '–' : percent(busy / workers)}`,
        ],
    };
}

function writer(model) {
    const waiting = model.value('weir_writer_waiting_cuts');
    return {
        id: 'writer',
        isStage: true,
        title: 'Writer',
        losses: [],
        state: model.now.sink.is_writing ? 'ok' : 'warn',
        lines: [`${count(waiting)} cut${waiting === 1 ? '' : 's'} waiting`, bytes(model.value('weir_writer_waiting_bytes'))],
    };
}

function insertEdge(model) {
    const rows = model.rate('weir_writer_rows_total', {}, 30);
    const retries = model.growth('weir_writer_retries_total') ?? 0;
    return {
        id: 'insert',
        title: 'insert',
        rate: short(rows),
        unit: 'rows',
        state: retries > 0 ? 'warn' : rows > 0 ? 'ok' : 'idle',
        lines: [retries > 0 ? `▲ ${count(retries)} retries` : 'no retries'],
        losses: [],
        queues: [],
        isMoving: rows > 0,
    };
}

function clickHouse(model) {
    const refused = model.growth('weir_writer_dropped_records_total') ?? 0;
    const kept = model.growth('weir_writer_dead_letter_records_total') ?? 0;
    const sink = model.now.sink;
    return {
        id: 'clickhouse',
        isStage: true,
        title: 'ClickHouse',
        losses: lossLines(['dropped', refused], ['to files', kept]),
        state: refused + kept > 0 ? 'loss' : sink.is_writing ? 'ok' : 'warn',
        lines: [
            sink.is_writing ? `fresh to ${seconds(model.value('weir_writer_freshness_seconds'))}` : 'not accepting rows',
            sink.is_exactly_once === null ? 'promise not known' : sink.is_exactly_once ? 'exactly once' : 'at least once',
        ],
    };
}

/** The path as rows of a table. */
export const pathRows = parts =>
    parts.map(part => {
        const losses = part.losses.map(loss => `${count(loss.number)} ${loss.word}`).join(', ');
        return [
            part.isStage ? part.title : `→ ${part.title}`,
            part.rate ? `${part.rate} ${part.unit}/s` : '',
            part.lines.filter(Boolean).join(', '),
            losses ? { text: losses, bad: true } : { text: 'none', nothing: true },
            WORDS[part.state],
        ];
    });
