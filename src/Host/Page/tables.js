// The sections that are tables: queues, the account, partitions, series, inserts, errors, metrics.

import { byId, el, fillFigures, fillTable, redraw, setText, state } from './dom.js';
import { bytes, count, isKnown, percent, rate, seconds, short, when } from './format.js';
import { quantile } from './model.js';
import { lagSecondsOf, queueFacts } from './stages.js';

const UNBOUNDED_RECORDS = 2 ** 39;
const PARTITIONS_MAX = 500;
/** An hour, less a few samples that may be missing. */
const HOUR_S = 3570;
const QUEUE_WORDS = { idle: '○ idle', ok: '● ok', warn: '▲ full', loss: 'losing' };
const loss = number => (number > 0 ? { text: count(number), bad: true } : { text: count(number), nothing: true });

export function drawQueues(model) {
    fillTable(
        byId('queue-table'),
        [
            'queue',
            'state',
            'policy',
            'capacity',
            'offered',
            'enqueued',
            'dequeued',
            'dropped',
            'overwritten',
            'depth',
            'deepest',
            'in',
            'out',
            'producer waited',
        ],
        model.now.queues.map(queue => {
            const facts = queueFacts(model, queue);
            return [
                facts.name,
                { text: QUEUE_WORDS[facts.state], bad: facts.state === 'loss' },
                queue.policy,
                queue.capacity_records < UNBOUNDED_RECORDS ? count(queue.capacity_records) : 'by memory.limit',
                count(queue.offered_count),
                count(queue.enqueued_count),
                count(queue.dequeued_count),
                loss(queue.dropped_count),
                loss(queue.overwritten_count),
                count(queue.depth),
                count(queue.depth_max),
                rate(facts.inRate),
                rate(facts.outRate),
                seconds(queue.producer_wait_seconds),
            ];
        }),
        { left: ['policy', 'state'] },
    );
}

const ACCOUNT_LINES = [
    ['read', 'read from Kafka'],
    ['folded', '= folded into sums'],
    ['rejected', '+ rejected: did not decode'],
    ['late', '+ late: outside time.past_max and time.future_max'],
    ['dropped', '+ dropped: refused by a full queue'],
    ['overwritten', '+ overwritten: pushed out of a full queue'],
];

export function drawAccount(model) {
    const stored = line => model.now.account[`${line}_count`];
    const past = Object.fromEntries(ACCOUNT_LINES.map(([line]) => [line, model.pastGrowth('weir_writer_account_records_total', { line })]));
    const difference = of => of('read') - ACCOUNT_LINES.slice(1).reduce((sum, [line]) => sum + (of(line) ?? 0), 0);
    const pastDifference = isKnown(past.read) ? difference(line => past[line]) : null;
    const allDifference = difference(stored);
    const isLoss = line => !['read', 'folded'].includes(line);
    const cell = (line, number) => (isLoss(line) ? loss(number) : count(number));
    const rows = ACCOUNT_LINES.map(([line, text]) => [
        text,
        cell(line, past[line]),
        cell(line, stored(line)),
        line === 'read' ? '' : percent(stored(line) / stored('read')),
    ]);
    const total = [
        'difference',
        { text: count(pastDifference), bad: pastDifference !== 0 && pastDifference !== null },
        { text: count(allDifference), bad: allDifference !== 0 },
        '',
    ];
    total.className = 'total';
    const span = model.pastSeconds >= HOUR_S ? 'last hour' : `last ${seconds(Math.round(model.pastSeconds)).replace(/\.0(?=\s)/, '')}`;
    fillTable(byId('account-table'), ['line', span, 'since the start', 'share'], [...rows, total]);
    const isRight = allDifference === 0 && (pastDifference === null || pastDifference === 0);
    redraw(byId('account-verdict'), isRight, () =>
        isRight
            ? state('ok', 'It adds up: read = folded + rejected + late + dropped + overwritten.')
            : state('loss', 'It does not add up. The records of the line “difference” are in no named loss; report this.'),
    );
    drawRejected(model);
}

// What the account does not say: why records were rejected, and what is still on its way.
function drawRejected(model) {
    const read = model.value('weir_ingest_read_records_total') ?? 0;
    const reasons = model
        .series('weir_ingest_rejected_records_total')
        .filter(series => series.value > 0)
        .sort((left, right) => right.value - left.value)
        .map(series => `${count(series.value)} ${series.labels.reason} (${series.labels.topic})`);
    const inside = Math.max(0, read - model.now.account.read_count - (model.value('weir_ingest_abandoned_records_total') ?? 0));
    redraw(byId('account-more'), [inside, reasons], () => [
        el('p', { class: 'hint' }, `${count(inside)} more records are read and not in a stored cut yet.`),
        reasons.length > 0 && el('p', { class: 'hint' }, `Rejected since the start: ${reasons.join(', ')}.`),
    ]);
}

export function drawPartitions(model) {
    const hasSeconds = model.now.positions.some(position => lagSecondsOf(position) !== null);
    const ordered = [...model.now.positions].sort(
        (left, right) =>
            right.lag_messages - left.lag_messages || left.topic.localeCompare(right.topic) || left.partition - right.partition,
    );
    const shown = ordered.length > PARTITIONS_MAX ? `; ${PARTITIONS_MAX} shown` : '';
    setText(
        byId('partitions-hint'),
        ordered.length === 0
            ? 'No partition is assigned to this process.'
            : `${count(ordered.length)} assigned, those furthest behind first${shown}. ` +
                  'Lag is messages not yet read; unstored is what is read and not yet in ClickHouse.',
    );
    const offset = number => (number < 0 ? '–' : count(number));
    fillTable(
        byId('partition-table'),
        ['topic', 'partition', 'lag', ...(hasSeconds ? ['lag, time'] : []), 'unstored', 'read up to', 'committed up to', 'broker has'],
        ordered
            .slice(0, PARTITIONS_MAX)
            .map(position => [
                position.topic,
                position.partition,
                count(position.lag_messages),
                ...(hasSeconds ? [seconds(lagSecondsOf(position))] : []),
                position.next_offset < 0 || position.committed_offset < 0
                    ? '–'
                    : count(Math.max(0, position.next_offset - position.committed_offset)),
                offset(position.next_offset),
                offset(position.committed_offset),
                offset(position.high_watermark),
            ]),
    );
}

export function drawSeries(model) {
    const views = [...new Set(model.series('weir_aggregation_cut_series').map(series => series.labels.view))];
    fillTable(
        byId('series-table'),
        ['view', 'open now', 'last cuts', model.pastSeconds >= HOUR_S ? 'an hour ago' : 'at the start', 'records to overflow'],
        views.map(view => [
            view,
            count(model.value('weir_aggregation_open_series', { view })),
            count(model.value('weir_aggregation_cut_series', { view })),
            count(model.past('weir_aggregation_cut_series', { view }).find(isKnown)),
            loss(model.value('weir_aggregation_overflow_records_total', { view }) ?? 0),
        ]),
    );
    drawCardinality(model);
}

// Any metric that has a label "tag" tells something of single tags; those that grow fastest come first.
function drawCardinality(model) {
    const rows = [];
    for (const [text, value] of Object.entries(model.now.metrics)) {
        const tag = /[{,]tag="([^"]*)"/.exec(text)?.[1];
        if (tag !== undefined) {
            const before = model.hour.get(text)?.find(isKnown) ?? value;
            rows.push({ tag, view: /[{,]view="([^"]*)"/.exec(text)?.[1] ?? '', value, growth: value - before, name: text.split('{')[0] });
        }
    }
    rows.sort((left, right) => right.growth - left.growth || right.value - left.value);
    const box = byId('cardinality');
    redraw(
        box,
        rows.length > 0,
        () =>
            rows.length > 0 && [
                el('h3', {}, 'By tag, the fastest growing first'),
                el(
                    'div',
                    { class: 'scroll tall', tabindex: '0', role: 'region', 'aria-label': 'Cardinality by tag' },
                    el('table', { id: 'cardinality-table' }),
                ),
            ],
    );
    if (rows.length > 0) {
        fillTable(
            byId('cardinality-table'),
            ['tag', 'view', 'values now', 'grown in the hour', 'metric'],
            rows.slice(0, 200).map(row => [row.tag, row.view, count(row.value), count(row.growth), row.name]),
            { left: ['view', 'metric'] },
        );
    }
}

export function drawInserts(model) {
    const of = (name, view) => model.value(`weir_writer_${name}_total`, { view }) ?? 0;
    const views = model.series('weir_writer_rows_total').map(series => series.labels.view);
    setText(byId('promise'), `${model.now.sink.sink}: ${model.now.sink.promise}.`);
    fillTable(
        byId('insert-table'),
        ['view', 'rows/s', 'rows', 'blocks', 'rows a block', 'bytes a block, sent', 'compressed', 'dropped records', 'records to files'],
        views.map(view => [
            view,
            rate(model.rate('weir_writer_rows_total', { view }, 30)),
            count(of('rows', view)),
            count(of('blocks', view)),
            short(of('blocks', view) ? Math.round(of('rows', view) / of('blocks', view)) : null),
            bytes(of('blocks', view) ? of('encoded_bytes', view) / of('blocks', view) : null),
            of('encoded_bytes', view) ? `${short(of('raw_bytes', view) / of('encoded_bytes', view))} : 1` : '–',
            loss(of('dropped_records', view)),
            loss(of('dead_letter_records', view)),
        ]),
    );
    const blocks = model.growth('weir_writer_blocks_total');
    const time = model.growth('weir_writer_insert_seconds_total');
    const retries = model.series('weir_writer_retries_total').filter(series => series.value > 0);
    fillFigures(byId('insert-figures'), [
        ['blocks, last minute', count(blocks), ''],
        ['mean insert, last minute', seconds(blocks ? time / blocks : null), ''],
        ...insertQuantiles(model),
        ['retries, last minute', count(model.growth('weir_writer_retries_total')), ''],
        [
            'retries since the start',
            count(model.value('weir_writer_retries_total')),
            retries.map(series => `${series.labels.cause} ${count(series.value)}`).join(', '),
        ],
        ['blocks that may count twice', count(model.value('weir_writer_unsure_blocks_total')), ''],
    ]);
}

// p50 and p99 of the last minute, where the registry has insert times as a histogram.
function insertQuantiles(model) {
    const histogram = model.histograms().find(({ name }) => /insert\w*_seconds$/.test(name));
    if (!histogram) return [];
    const cumulative = histogram.bounds.map(le => model.growth(`${histogram.name}_bucket`, { le }) ?? 0);
    const counts = cumulative.map((value, index) => Math.max(0, value - (index === 0 ? 0 : cumulative[index - 1])));
    return [
        ['p50, last minute', seconds(quantile(histogram.bounds, counts, 0.5)), ''],
        ['p99, last minute', seconds(quantile(histogram.bounds, counts, 0.99)), ''],
    ];
}

export function drawErrors(model) {
    const errors = model.now.errors;
    redraw(byId('errors'), errors, () =>
        errors.length === 0
            ? el('p', { class: 'empty' }, 'None since the start.')
            : el(
                  'ul',
                  { class: 'error-list' },
                  errors.map(error =>
                      el(
                          'li',
                          {},
                          el(
                              'p',
                              {},
                              state('warn', error.cause.replaceAll('_', ' ')),
                              ` ${count(error.count)} time${error.count === 1 ? '' : 's'}, ` +
                                  (error.count === 1
                                      ? `at ${when(error.last_at)}`
                                      : `from ${when(error.first_at)} to ${when(error.last_at)}`),
                          ),
                          el('code', {}, error.message),
                          el('p', {}, `What to do: ${error.advice}.`),
                      ),
                  ),
              ),
    );
}

export function drawSlowCuts(cuts) {
    const steps = Object.keys(cuts?.[0]?.steps ?? {});
    fillTable(
        byId('slow-cuts'),
        ['cut', 'stored at', 'records', 'rows', 'whole', ...steps, 'slowest insert'],
        (cuts ?? []).map(cut => [
            `${cut.topic}/${cut.partition} ${cut.from_offset}–${cut.to_offset}`,
            when(cut.stored_at),
            count(cut.records),
            count(cut.rows),
            seconds(cut.seconds),
            ...steps.map(step => seconds(cut.steps[step])),
            slowestInsert(cut.inserts ?? []),
        ]),
        { left: ['slowest insert'] },
    );
}

function slowestInsert(inserts) {
    if (inserts.length === 0) return '–';
    const slowest = inserts.reduce((left, right) => (right.seconds > left.seconds ? right : left));
    const attempts = slowest.attempts > 1 ? `, ${count(slowest.attempts)} attempts` : '';
    return `${slowest.view}, ${count(slowest.rows)} rows, ${seconds(slowest.seconds)}${attempts}`;
}

export function drawMetrics(model) {
    if (!byId('metrics-details').open) return;
    const part = byId('metrics-filter').value.trim().toLowerCase();
    const all = Object.entries(model.now.metrics)
        .filter(([text]) => text.toLowerCase().includes(part))
        .sort(([left], [right]) => (left < right ? -1 : 1));
    fillTable(
        byId('metrics-table'),
        ['series', 'value'],
        all.map(([text, value]) => [text, Number.isInteger(value) ? count(value) : String(value)]),
    );
}
