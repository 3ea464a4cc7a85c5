// Histograms over the last hour as heat maps: every histogram that the registry has, whatever its name.

import { el, fillTable, setText } from './dom.js';
import { count, seconds, short, time } from './format.js';
import { bound, quantile } from './model.js';

const COLUMNS = 72;
const TABLE_ROWS = 12;
const HEIGHT = 190;
const LEFT = 62;
const BOTTOM = 20;

const maps = new Map();

/** Draws a map for each histogram; says so where there is none. */
export function drawHeatMaps(section, box, model) {
    const histograms = model.histograms();
    section.hidden = histograms.length === 0;
    document.querySelector('nav a[href="#heat"]').hidden = section.hidden;
    for (const histogram of histograms) {
        if (!maps.has(histogram.name)) {
            maps.set(histogram.name, new HeatMap(histogram.name));
            box.append(maps.get(histogram.name).figure);
        }
        maps.get(histogram.name).draw(model, histogram.bounds);
    }
}

export function restyleHeatMaps() {
    for (const map of maps.values()) map.paint();
}

/** Counts of each bucket (not cumulative) between two samples, summed over the other labels. */
function bucketCounts(model, name, bounds) {
    const cumulative = bounds.map(le => model.past(`${name}_bucket`, { le }));
    return model.times.map((_, index) =>
        index === 0
            ? null
            : bounds.map((_, place) => {
                  const grown = column => {
                      const [before, after] = [column?.[index - 1] ?? 0, column?.[index] ?? 0];
                      return Math.max(0, after - before);
                  };
                  return Math.max(0, grown(cumulative[place]) - (place === 0 ? 0 : grown(cumulative[place - 1])));
              }),
    );
}

class HeatMap {
    constructor(name) {
        this.name = name;
        this.format = name.endsWith('_seconds') ? seconds : short;
        this.title = name
            .replace(/^weir_/, '')
            .replace(/_(seconds|bytes)$/, '')
            .replaceAll('_', ' ');
        this.canvas = el('canvas', { role: 'img' });
        this.summary = el('p', { class: 'readout' });
        this.table = el('table');
        this.details = el('details', {}, el('summary', {}, 'As a table'), el('div', { class: 'scroll' }, this.table));
        this.figure = el(
            'figure',
            {},
            el('figcaption', {}, this.title, el('span', { class: 'soft' }, name)),
            el('div', { class: 'plot' }, this.canvas),
            el('div', { class: 'heat-scale', 'aria-hidden': 'true' }, 'few', el('i'), 'most of that time'),
            this.summary,
            this.details,
        );
        this.details.addEventListener('toggle', () => this.fillTable());
        new ResizeObserver(() => this.paint()).observe(this.canvas.parentElement);
    }

    draw(model, bounds) {
        this.bounds = bounds;
        this.times = model.times;
        this.counts = bucketCounts(model, this.name, bounds);
        const all = this.bounds.map((_, place) => this.counts.reduce((sum, counts) => sum + (counts?.[place] ?? 0), 0));
        const total = all.reduce((sum, value) => sum + value, 0);
        const words =
            total === 0
                ? 'nothing in the time shown'
                : `p50 ${this.format(quantile(bounds, all, 0.5))}, p90 ${this.format(quantile(bounds, all, 0.9))}, ` +
                  `p99 ${this.format(quantile(bounds, all, 0.99))} of ${count(total)} values`;
        setText(this.summary, words);
        this.canvas.setAttribute('aria-label', `${this.title}, heat map of the last hour: ${words}. A table follows.`);
        this.paint();
        if (this.details.open) this.fillTable();
    }

    // Rows of the map: from the first to the last bucket that ever held something.
    rows() {
        const used = this.bounds.map((_, place) => this.counts.some(counts => counts?.[place] > 0));
        const first = used.indexOf(true);
        return first < 0 ? [] : this.bounds.map((_, place) => place).slice(first, used.lastIndexOf(true) + 1);
    }

    paint() {
        if (!this.counts) return;
        const width = this.canvas.parentElement.clientWidth;
        const ratio = window.devicePixelRatio || 1;
        this.canvas.width = width * ratio;
        this.canvas.height = HEIGHT * ratio;
        this.canvas.style.width = `${width}px`;
        this.canvas.style.height = `${HEIGHT}px`;
        const pen = this.canvas.getContext('2d');
        pen.scale(ratio, ratio);
        pen.clearRect(0, 0, width, HEIGHT);
        const style = getComputedStyle(document.documentElement);
        const rows = this.rows();
        if (rows.length === 0) return;
        const [from, to] = [this.times[0], this.times.at(-1)];
        const cell = { width: (width - LEFT) / COLUMNS, height: (HEIGHT - BOTTOM - 6) / rows.length };
        this.columns(from, to).forEach((counts, column) => {
            const total = counts.reduce((sum, value) => sum + value, 0);
            rows.forEach((place, row) => {
                if (counts[place] > 0) {
                    pen.fillStyle = `rgba(${style.getPropertyValue('--heat').trim()}, ${0.12 + 0.88 * Math.sqrt(counts[place] / total)})`;
                    pen.fillRect(
                        LEFT + column * cell.width,
                        HEIGHT - BOTTOM - (row + 1) * cell.height,
                        Math.ceil(cell.width),
                        Math.ceil(cell.height),
                    );
                }
            });
        });
        this.label(pen, style, rows, cell.height, width, from, to);
    }

    label(pen, style, rows, height, width, from, to) {
        pen.fillStyle = style.getPropertyValue('--ink-soft').trim();
        pen.font = '12px system-ui, sans-serif';
        pen.textAlign = 'right';
        pen.textBaseline = 'middle';
        const step = Math.max(1, Math.ceil(18 / height));
        for (let row = rows.length - 1; row >= 0; row -= step) {
            const upper = bound(this.bounds[rows[row]]);
            pen.fillText(upper === Infinity ? 'more' : `≤ ${this.format(upper)}`, LEFT - 6, HEIGHT - BOTTOM - (row + 0.5) * height);
        }
        pen.textBaseline = 'alphabetic';
        pen.textAlign = 'left';
        pen.fillText(time(from).slice(0, 5), LEFT, HEIGHT - 5);
        pen.textAlign = 'right';
        pen.fillText(time(to).slice(0, 5), width - 1, HEIGHT - 5);
    }

    columns(from, to, parts = COLUMNS) {
        const columns = Array.from({ length: parts }, () => this.bounds.map(() => 0));
        this.counts.forEach((counts, index) => {
            const column = Math.min(parts - 1, Math.floor(((this.times[index] - from) / Math.max(1e-9, to - from)) * parts));
            counts?.forEach((value, place) => {
                columns[column][place] += value;
            });
        });
        return columns;
    }

    fillTable() {
        const [from, to] = [this.times[0], this.times.at(-1)];
        const rows = this.columns(from, to, TABLE_ROWS)
            .map((counts, index) => {
                const values = [0.5, 0.9, 0.99].map(share => quantile(this.bounds, counts, share));
                return [
                    time(from + ((to - from) * (index + 1)) / TABLE_ROWS),
                    count(counts.reduce((sum, value) => sum + value, 0)),
                    ...values.map(this.format),
                ];
            })
            .reverse();
        fillTable(this.table, ['until', 'values', 'p50', 'p90', 'p99'], rows);
    }
}
