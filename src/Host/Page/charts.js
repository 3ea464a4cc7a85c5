// The last hour of each queue: what came and went, and what stood in it. uPlot draws; arrow keys read; a table says the same.

import { byId, el, fillTable, setText, svg } from './dom.js';
import { count, isKnown, rate, short, time } from './format.js';

const TABLE_ROWS = 12;
const KINDS = {
    rates: {
        title: 'Records a second',
        lines: [
            {
                name: 'in',
                colour: '--in',
                dash: [],
                width: 2,
                of: (model, labels) => model.pastRate('weir_queue_offered_records_total', labels),
            },
            {
                name: 'out',
                colour: '--out',
                dash: [7, 4],
                width: 2,
                of: (model, labels) => model.pastRate('weir_queue_dequeued_records_total', labels),
            },
            {
                name: 'overwritten',
                colour: '--overwritten',
                dash: [2, 3],
                width: 2.5,
                of: (model, labels) => model.pastRate('weir_queue_overwritten_records_total', labels),
            },
            {
                name: 'dropped',
                colour: '--dropped',
                dash: [9, 3, 2, 3],
                width: 2.5,
                of: (model, labels) => model.pastRate('weir_queue_dropped_records_total', labels),
            },
        ],
    },
    depth: {
        title: 'Records inside',
        lines: [
            {
                name: 'depth',
                colour: '--depth',
                dash: [],
                width: 2,
                fill: true,
                of: (model, labels) => model.past('weir_queue_depth_records', labels),
            },
            {
                name: 'deepest since start',
                colour: '--deepest',
                dash: [5, 4],
                width: 1.5,
                of: (model, labels) => model.past('weir_queue_depth_max_records', labels),
            },
        ],
    },
};

const charts = new Map();
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Draws or continues the charts of all queues. */
export function drawQueueCharts(box, model) {
    for (const queue of model.now.queues) {
        for (const kind of Object.keys(KINDS)) {
            const key = `${queue.name}[${queue.index}] ${kind}`;
            if (!charts.has(key)) {
                charts.set(key, new Chart(kind, `${queue.name}[${queue.index}]`, { queue: queue.name, index: String(queue.index) }));
                box.append(charts.get(key).figure);
            }
            charts.get(key).draw(model);
        }
    }
}

/** Colours come from the scheme, so a change of it draws anew. */
export function restyleCharts(model) {
    for (const chart of charts.values()) chart.restyle(model);
}

class Chart {
    constructor(kind, queueName, labels) {
        this.kind = KINDS[kind];
        this.labels = labels;
        this.name = `${queueName}: ${this.kind.title.toLowerCase()}`;
        this.area = el('div', { class: 'plot', tabindex: '0', role: 'group', 'aria-roledescription': 'chart' });
        this.values = new Map();
        this.legend = el(
            'ul',
            { class: 'legend' },
            this.kind.lines.map(line => this.legendItem(line)),
        );
        this.readout = el('span', { class: 'readout' });
        this.table = el('table');
        this.details = el('details', {}, el('summary', {}, 'As a table'), el('div', { class: 'scroll' }, this.table));
        this.figure = el(
            'figure',
            {},
            el('figcaption', {}, queueName, el('span', { class: 'soft' }, this.kind.title), this.readout),
            this.area,
            this.legend,
            this.details,
        );
        this.area.addEventListener('keydown', event => this.move(event));
        this.area.addEventListener('blur', () => this.plot?.setCursor({ left: -10, top: -10 }));
        this.details.addEventListener('toggle', () => this.fillTable());
        new ResizeObserver(() => this.plot?.setSize(this.size())).observe(this.area);
    }

    legendItem(line) {
        const value = el('b');
        this.values.set(line, value);
        const stroke = svg('line', { x1: 0, y1: 5, x2: 28, y2: 5, 'stroke-width': line.width, 'stroke-dasharray': line.dash.join(' ') });
        stroke.style.stroke = `var(${line.colour})`;
        return el('li', {}, svg('svg', { width: 28, height: 10, 'aria-hidden': 'true' }, stroke), `${line.name} `, value);
    }

    size() {
        return { width: Math.max(200, this.area.clientWidth), height: 170 };
    }

    draw(model) {
        this.columns = [model.times, ...this.kind.lines.map(line => line.of(model, this.labels))];
        if (this.plot) this.plot.setData(this.columns);
        else this.build();
        this.kind.lines.forEach((line, index) => {
            const last = this.columns[index + 1].findLast(isKnown) ?? null;
            setText(this.values.get(line), this.kind === KINDS.rates ? rate(last) : short(last));
        });
        this.area.setAttribute(
            'aria-label',
            `${this.name}, last ${Math.round(model.pastSeconds / 60)} minutes; ${this.legend.textContent.trim()}. ` +
                'Arrow keys read the values; a table follows.',
        );
        if (this.details.open) this.fillTable();
    }

    build() {
        const axis = {
            stroke: colour('--ink-soft'),
            grid: { stroke: colour('--line'), width: 1 },
            ticks: { show: false },
            font: '12px system-ui, sans-serif',
        };
        this.plot = new window.uPlot(
            {
                ...this.size(),
                padding: [8, 8, 0, 0],
                legend: { show: false },
                cursor: { y: false, points: { size: 7 } },
                scales: { y: { range: (_, low, high) => [0, Math.max(1, (high ?? 0) * 1.08)] } },
                axes: [
                    { ...axis, size: 26, gap: 4, space: 70, values: (_, ticks) => ticks.map(tick => time(tick).slice(0, 5)) },
                    { ...axis, size: 58, values: (_, ticks) => ticks.map(short) },
                ],
                series: [
                    {},
                    ...this.kind.lines.map(line => ({
                        stroke: colour(line.colour),
                        width: line.width,
                        dash: line.dash,
                        points: { show: false },
                        spanGaps: false,
                        fill: line.fill ? `color-mix(in srgb, ${colour(line.colour)} 14%, transparent)` : undefined,
                    })),
                ],
                hooks: { setCursor: [plot => this.read(plot.cursor.idx)] },
            },
            this.columns,
            this.area,
        );
    }

    restyle(model) {
        this.plot?.destroy();
        this.plot = null;
        this.draw(model);
    }

    read(index) {
        const at = isKnown(index) ? this.columns[0][index] : undefined;
        const unit = this.kind === KINDS.rates ? '/s' : '';
        setText(
            this.readout,
            at === undefined
                ? ''
                : `${time(at)}: ${this.kind.lines
                      .map((line, place) => `${line.name} ${count(this.columns[place + 1][index])}${unit}`)
                      .join(', ')}`,
        );
    }

    move(event) {
        const last = this.columns[0].length - 1;
        const now = this.plot.cursor.idx ?? last;
        const next = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last, PageUp: now - 60, PageDown: now + 60 }[event.key];
        if (next === undefined || last < 0) return;
        event.preventDefault();
        const index = Math.min(last, Math.max(0, next));
        this.plot.setCursor({ left: this.plot.valToPos(this.columns[0][index], 'x'), top: 10 });
        this.read(index);
        setText(byId('say'), this.readout.textContent);
    }

    fillTable() {
        const rows = [];
        const step = Math.max(1, Math.ceil(this.columns[0].length / TABLE_ROWS));
        for (let to = this.columns[0].length; to > 0; to -= step) {
            const from = Math.max(0, to - step);
            rows.push([
                time(this.columns[0][to - 1]),
                ...this.columns.slice(1).map(column => {
                    const known = column.slice(from, to).filter(isKnown);
                    if (known.length === 0) return '–';
                    return count(
                        this.kind === KINDS.rates ? known.reduce((sum, value) => sum + value, 0) / known.length : Math.max(...known),
                    );
                }),
            ]);
        }
        const unit = this.kind === KINDS.rates ? 'mean /s' : 'most';
        fillTable(this.table, ['until', ...this.kind.lines.map(line => `${line.name}, ${unit}`)], rows);
    }
}
