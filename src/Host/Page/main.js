// The page: keeps a stream of events open, fetches the history, and draws each section from the model.

import { drawQueueCharts, restyleCharts } from './charts.js';
import { byId, el, fillFigures, fillTable, redraw, setText, state } from './dom.js';
import { bytes, count, rate, seconds, short } from './format.js';
import { drawHeatMaps, restyleHeatMaps } from './heat.js';
import { Model } from './model.js';
import { drawPicture } from './picture.js';
import { describePath, pathRows } from './stages.js';
import { drawAccount, drawErrors, drawInserts, drawMetrics, drawPartitions, drawQueues, drawSeries, drawSlowCuts } from './tables.js';
import { drawVerdict } from './verdict.js';

const HISTORY_MS = 5000;
const DIAGNOSE_MS = 5000;
const RETRY_MS = 5000;
const SILENT_S = 5;

const model = new Model();
const paths = document.querySelector('meta[name="weir-paths"]').content.split(' ');
let stream = null;
let heardAt = 0;
let isLive = false;

function connect() {
    stream?.close();
    stream = new EventSource('events');
    stream.onmessage = event => {
        model.take(JSON.parse(event.data));
        heardAt = performance.now();
        drawNow();
        drawLive();
    };
    stream.onerror = () => {
        // The browser tries again by itself, except after an answer that is no stream: too many viewers.
        if (stream.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MS);
        drawLive();
    };
}

async function fetchJson(path) {
    const answer = await fetch(path, { cache: 'no-store' });
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer.json();
}

/** Runs a task again and again, each time a while after it ended; a process that is away is not an error of the page. */
async function every(milliseconds, task) {
    for (;;) {
        if (!document.hidden) await task().catch(() => {});
        await new Promise(resolve => setTimeout(resolve, milliseconds));
    }
}

async function fetchHistory() {
    if (!model.now) return;
    const since = model.times.at(-1) ?? 0;
    model.takeHistory(await fetchJson(`history?since=${since}`));
    drawNow(); // The first samples are what rates are reckoned from until a minute of events is here.
    drawPast();
}

function drawNow() {
    drawState();
    const parts = describePath(model);
    drawPicture(byId('picture'), parts);
    fillTable(byId('path-table'), ['part', 'rate', 'now', 'losses, last minute', 'state'], pathRows(parts), {
        left: ['now', 'losses, last minute', 'state'],
    });
    drawQueues(model);
    drawAccount(model);
    drawPartitions(model);
    drawSeries(model);
    drawInserts(model);
    drawErrors(model);
    drawMetrics(model);
    if (model.times.length === 0 && !drawNow.hasAsked) {
        drawNow.hasAsked = true;
        every(HISTORY_MS, fetchHistory);
    }
}

function drawPast() {
    drawQueueCharts(byId('queue-charts'), model);
    drawHeatMaps(byId('heat'), byId('heat-maps'), model);
}

function drawState() {
    const { dead_reasons: dead, not_ready_reasons: notReady } = model.now.health;
    const reasons = [...dead, ...notReady];
    redraw(byId('state-body'), reasons, () =>
        reasons.length === 0
            ? null
            : el(
                  'div',
                  { class: 'banner', 'data-state': dead.length > 0 ? 'loss' : 'warn' },
                  el('p', { class: 'headline' }, state(dead.length > 0 ? 'loss' : 'warn', dead.length > 0 ? 'Stopped' : 'Not ready')),
                  reasons.map(reason => el('p', {}, reason)),
              ),
    );
    const lost = [
        'weir_ingest_rejected_records_total',
        'weir_ingest_late_records_total',
        'weir_queue_dropped_records_total',
        'weir_queue_overwritten_records_total',
    ].reduce((sum, name) => sum + (model.growth(name) ?? 0), 0);
    const records = model.rate('weir_ingest_read_records_total');
    fillFigures(byId('figures'), [
        ['read', short(records), 'records/s'],
        ['stored', rate(model.rate('weir_writer_rows_total', {}, 30), ''), 'rows/s'],
        ['freshness', seconds(model.value('weir_writer_freshness_seconds')), ''],
        ['lag', count(model.value('weir_ingest_lag_messages')), 'messages'],
        ['lost, last minute', short(lost), 'records', lost > 0 ? 'loss' : ''],
        ['memory', bytes(model.value('weir_memory_used_bytes')), `of ${bytes(model.value('weir_memory_limit_bytes'))}`],
    ]);
}

function drawLive() {
    const silent = (performance.now() - heardAt) / 1000;
    const wasLive = isLive;
    isLive = model.now !== null && silent < SILENT_S && stream.readyState === EventSource.OPEN;
    if (isLive === wasLive && byId('live').dataset.drawn) return;
    byId('live').dataset.drawn = 'yes';
    byId('live').replaceChildren(
        isLive
            ? state('ok', 'live')
            : state(
                  'warn',
                  model.now ? `no word since ${new Date(model.now.time * 1000).toLocaleTimeString('en-GB')}; trying again` : 'connecting',
              ),
    );
}

function fetchConfiguration() {
    const details = byId('configuration-details');
    details.addEventListener('toggle', async () => {
        if (details.open) setText(byId('configuration-text'), await (await fetch('configuration', { cache: 'no-store' })).text());
    });
}

function listPaths() {
    byId('paths').append(...paths.flatMap((path, index) => [index > 0 ? ', ' : '', el('a', { href: path.slice(1) }, path)]));
}

/** Marks the section that is read now in the navigation. */
function followSections() {
    const links = new Map([...document.querySelectorAll('nav a')].map(link => [link.hash.slice(1), link]));
    const watch = new IntersectionObserver(
        entries => {
            for (const entry of entries) {
                const link = links.get(entry.target.id);
                if (entry.isIntersecting) link.setAttribute('aria-current', 'true');
                else link.removeAttribute('aria-current');
            }
        },
        { rootMargin: '-20% 0px -70% 0px' },
    );
    for (const id of links.keys()) watch.observe(byId(id));
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    restyleCharts(model);
    restyleHeatMaps();
});
new ResizeObserver(() => {
    if (model.now) drawPicture(byId('picture'), describePath(model));
}).observe(byId('picture'));
byId('metrics-details').addEventListener('toggle', () => model.now && drawMetrics(model));
byId('metrics-filter').addEventListener('input', () => model.now && drawMetrics(model));
fetchConfiguration();
listPaths();
followSections();
setInterval(drawLive, 1000);
connect();
if (paths.includes('/slow-cuts')) every(DIAGNOSE_MS, async () => drawSlowCuts(await fetchJson('slow-cuts')));
if (paths.includes('/diagnose')) every(DIAGNOSE_MS, async () => drawVerdict(await fetchJson('diagnose')));
