// Numbers as people read them. A value that is not known is a dash, never a zero.

const NBSP = '\u00a0';
const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

export const isKnown = value => typeof value === 'number' && Number.isFinite(value);

/** 1234567 → "1,234,567" */
export const count = value => (isKnown(value) ? grouped.format(Math.round(value)) : '–');

/** 1234567 → "1.23 M"; three digits that matter. */
export function short(value) {
    if (!isKnown(value)) return '–';
    const size = Math.abs(value);
    if (size >= 1e9) return digits(value / 1e9) + NBSP + 'G';
    if (size >= 1e6) return digits(value / 1e6) + NBSP + 'M';
    if (size >= 1e4) return digits(value / 1e3) + NBSP + 'k';
    return size >= 100 || Number.isInteger(value) ? grouped.format(value) : size >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export const rate = (value, unit = '/s') => (isKnown(value) ? short(value) + unit : '–');

export function bytes(value) {
    if (!isKnown(value)) return '–';
    for (const [limit, name] of [
        [2 ** 30, 'GiB'],
        [2 ** 20, 'MiB'],
        [2 ** 10, 'KiB'],
    ]) {
        if (Math.abs(value) >= limit) return `${digits(value / limit)}${NBSP}${name}`;
    }
    return `${grouped.format(value)}${NBSP}B`;
}

/** Seconds with the unit that suits. */
export function seconds(value) {
    if (!isKnown(value)) return '–';
    const size = Math.abs(value);
    if (size >= 7200) return `${digits(value / 3600)}${NBSP}h`;
    if (size >= 120) return `${digits(value / 60)}${NBSP}min`;
    if (size >= 1 || size === 0) return `${digits(value)}${NBSP}s`;
    return size >= 1e-3 ? `${digits(value * 1e3)}${NBSP}ms` : `${digits(value * 1e6)}${NBSP}µs`;
}

/** A share; what is not quite nothing or not quite all is not rounded to it. */
export function percent(value) {
    if (!isKnown(value)) return '–';
    if (value > 0 && value < 0.001) return `<0.1${NBSP}%`;
    return value > 0.999 && value < 1 ? `>99.9${NBSP}%` : `${digits(value * 100)}${NBSP}%`;
}

export const time = epoch => clock.format(new Date(epoch * 1000));

export const when = text => (text ? clock.format(new Date(text)) : '–');

function digits(value) {
    const size = Math.abs(value);
    return size >= 100 ? grouped.format(value) : size >= 10 ? value.toFixed(1) : Number.isInteger(value) ? String(value) : value.toFixed(2);
}
