// What the process has told: the latest reading, the readings of the last minute, and the samples of the last hour.

const MINUTE = 60;
const HOUR = 3600;
const seriesByText = new Map();

/** `name{a="b"}` as {name, labels}; parsed once for each text. */
export function parseSeries(text) {
    let series = seriesByText.get(text);
    if (!series) {
        const brace = text.indexOf('{');
        const labels = {};
        if (brace >= 0) {
            for (const [, name, value] of text.slice(brace + 1, -1).matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)) {
                labels[name] = value.replace(/\\(.)/g, (_, letter) => (letter === 'n' ? '\n' : letter));
            }
        }
        series = { name: brace < 0 ? text : text.slice(0, brace), labels };
        if (seriesByText.size > 20000) seriesByText.clear();
        seriesByText.set(text, series);
    }
    return series;
}

const concerns = (series, name, labels) =>
    series.name === name && Object.entries(labels).every(([key, value]) => series.labels[key] === value);

export class Model {
    constructor() {
        this.now = null; // The latest reading: health, queues, positions, account, sink, errors, metrics, time.
        this.minute = []; // [{time, metrics}], oldest first.
        this.times = []; // The hour: epoch seconds, and for each series as many values.
        this.hour = new Map();
    }

    /** Takes a reading, or the differences to the last one. */
    take(message) {
        const metrics = message.is_whole || !this.now ? {} : { ...this.now.metrics };
        for (const [series, value] of Object.entries(message.metrics)) {
            if (value === null) delete metrics[series];
            else metrics[series] = value;
        }
        this.now = { ...(message.is_whole ? {} : this.now), ...message, metrics };
        this.minute.push({ time: message.time, metrics });
        this.minute = this.minute.filter(reading => reading.time >= message.time - MINUTE - 1);
    }

    /** Takes samples of the history that follow those that are here. */
    takeHistory(history) {
        const before = this.times.length;
        this.times.push(...history.times);
        for (const [series, values] of Object.entries(history.series)) {
            let all = this.hour.get(series);
            if (!all) this.hour.set(series, (all = new Array(before).fill(null)));
            for (let index = 0; index < history.times.length; index++) all.push(Array.isArray(values) ? values[index] : values);
        }
        const gone = this.times.findIndex(time => time >= this.times.at(-1) - HOUR);
        if (gone > 0) this.times.splice(0, gone);
        for (const all of this.hour.values()) {
            while (all.length < before + history.times.length) all.push(null); // No longer there.
            if (gone > 0) all.splice(0, gone);
        }
        this.seedMinute();
    }

    // Right after the page was opened the hour knows the last minute.
    seedMinute() {
        if (this.minute.length === 0 || this.times.length === 0) return;
        const first = this.minute[0].time;
        const seeds = [];
        this.times.forEach((time, index) => {
            if (time < first - 0.5 && time >= this.now.time - MINUTE - 1) {
                const metrics = {};
                for (const [series, values] of this.hour) if (values[index] !== null) metrics[series] = values[index];
                seeds.push({ time, metrics });
            }
        });
        this.minute.unshift(...seeds);
    }

    /** The series of a metric now: [{labels, value}]. */
    series(name, labels = {}) {
        return Object.entries(this.now?.metrics ?? {})
            .map(([text, value]) => ({ ...parseSeries(text), text, value }))
            .filter(series => concerns(series, name, labels));
    }

    /** The sum of a metric over those of its series that have the labels; null where there is none. */
    value(name, labels = {}) {
        return sum(this.now?.metrics ?? {}, name, labels);
    }

    has(name) {
        return this.value(name) !== null;
    }

    /** By how much a counter grew in the last seconds; null where that is not known yet. */
    growth(name, labels = {}, span = MINUTE) {
        const from = this.reading(span);
        const now = this.value(name, labels);
        return from === null || now === null ? null : Math.max(0, now - (sum(from.metrics, name, labels) ?? 0));
    }

    /** Its rate, over a few seconds so that a cut every second does not make it jump. */
    rate(name, labels = {}, span = 10) {
        const from = this.reading(span);
        const growth = this.growth(name, labels, span);
        return growth === null || this.now.time - from.time < 0.5 ? null : growth / (this.now.time - from.time);
    }

    reading(span) {
        if (this.minute.length < 2) return null;
        return this.minute.find(reading => reading.time >= this.now.time - span) ?? null;
    }

    /** The history of a metric's sum; null where a time has no value. */
    past(name, labels = {}) {
        const total = new Array(this.times.length).fill(null);
        for (const [text, values] of this.hour) {
            if (concerns(parseSeries(text), name, labels)) {
                values.forEach((value, index) => {
                    if (value !== null) total[index] = (total[index] ?? 0) + value;
                });
            }
        }
        return total;
    }

    /** The history of its rate. */
    pastRate(name, labels = {}) {
        const past = this.past(name, labels);
        return past.map((value, index) =>
            index === 0 || value === null || past[index - 1] === null
                ? null
                : Math.max(0, value - past[index - 1]) / (this.times[index] - this.times[index - 1]),
        );
    }

    /** By how much a counter has grown since the oldest sample. */
    pastGrowth(name, labels = {}) {
        const now = this.value(name, labels);
        if (now === null || this.times.length === 0) return null;
        const first = this.past(name, labels).find(value => value !== null);
        return first === undefined ? null : Math.max(0, now - first);
    }

    /** Seconds that the history goes back. */
    get pastSeconds() {
        return this.times.length === 0 ? 0 : this.now.time - this.times[0];
    }

    /** Histograms: name without _bucket → their bounds, ascending. */
    histograms() {
        const found = new Map();
        for (const text of [...this.hour.keys(), ...Object.keys(this.now?.metrics ?? {})]) {
            const { name, labels } = parseSeries(text);
            if (name.endsWith('_bucket') && labels.le !== undefined) {
                const family = name.slice(0, -'_bucket'.length);
                if (!found.has(family)) found.set(family, new Set());
                found.get(family).add(labels.le);
            }
        }
        return [...found].sort().map(([name, bounds]) => ({
            name,
            bounds: [...bounds].sort((left, right) => bound(left) - bound(right)),
        }));
    }
}

/** The bound of a bucket as a number. */
export const bound = text => (text === '+Inf' ? Infinity : Number(text));

/** The value below which a share of the values is, by the buckets' counts (not cumulative); the upper bound of its bucket. */
export function quantile(bounds, counts, share) {
    const total = counts.reduce((sum, value) => sum + value, 0);
    if (total <= 0) return null;
    let seen = 0;
    for (let index = 0; index < counts.length; index++) {
        if (counts[index] > 0 && seen + counts[index] >= share * total) {
            const upper = bound(bounds[index]);
            const lower = index === 0 ? 0 : bound(bounds[index - 1]);
            return upper === Infinity ? lower : lower + ((upper - lower) * (share * total - seen)) / counts[index];
        }
        seen += counts[index];
    }
    return bound(bounds.at(-1));
}

function sum(metrics, name, labels) {
    let total = null;
    for (const [text, value] of Object.entries(metrics)) {
        if (text.startsWith(name) && concerns(parseSeries(text), name, labels)) total = (total ?? 0) + value;
    }
    return total;
}
