// The verdict of GET /diagnose: what limits the flow, what is lost and why, and which option to change to what.

import { byId, el, redraw, state } from './dom.js';
import { percent, rate, when } from './format.js';

const STATES = { healthy: 'ok', degraded: 'warn', losing: 'loss' };
const WORDS = { healthy: 'Healthy', degraded: 'Degraded', losing: 'Losing records' };
const SEVERITIES = { info: 'ok', warning: 'warn', loss: 'loss' };

export function drawVerdict(verdict) {
    byId('verdict').hidden = !verdict;
    if (!verdict) return;
    // The window's end moves each time; what does not change for the reader is not read out again.
    const { window_s: window, insert_log: log, ...rest } = verdict;
    // Beside the live region: its figures change with each look.
    byId('insert-log').replaceChildren(...(log?.lines ?? []).map(line => el('li', {}, line)));
    redraw(byId('verdict-body'), rest, () =>
        el(
            'div',
            { class: 'banner', 'data-state': STATES[verdict.verdict] ?? 'warn' },
            el('p', { class: 'headline' }, state(STATES[verdict.verdict] ?? 'warn', WORDS[verdict.verdict] ?? verdict.verdict)),
            el('p', { class: 'why' }, limit(verdict), window ? ` Looked at the last ${Math.round(window)} s.` : ''),
            verdict.findings?.length > 0 && el('ul', { class: 'findings' }, verdict.findings.map(finding)),
        ),
    );
}

function limit(verdict) {
    const headroom = typeof verdict.headroom === 'number' ? ` Headroom ${percent(verdict.headroom)}.` : '';
    return verdict.limit?.stage
        ? `The limit is ${verdict.limit.stage}: ${verdict.limit.why}.${headroom}`.replace('..', '.')
        : headroom.trim();
}

function finding(finding) {
    const where = [finding.stage, finding.queue && `queue ${finding.queue}`, finding.party].filter(Boolean).join(', ');
    const times = [
        finding.since && `since ${when(finding.since)}`,
        finding.last && `last at ${when(finding.last)}`,
        typeof finding.rate === 'number' && rate(finding.rate, ' records/s'),
    ]
        .filter(Boolean)
        .join(', ');
    return el(
        'li',
        {},
        el('p', { class: 'title' }, state(SEVERITIES[finding.severity] ?? 'warn', finding.title)),
        el('p', { class: 'when' }, [where, times].filter(Boolean).join('; ')),
        finding.evidence?.length > 0 &&
            el(
                'ul',
                {},
                finding.evidence.map(line => el('li', {}, line)),
            ),
        finding.option &&
            el(
                'p',
                { class: 'advice' },
                'Change ',
                el('code', { class: 'option' }, finding.option),
                finding.from !== null && finding.from !== undefined && [' from ', el('code', { class: 'option' }, finding.from)],
                finding.to !== null && finding.to !== undefined && [' to ', el('code', { class: 'option' }, finding.to)],
                '.',
            ),
    );
}
