// The path as a picture: boxes are stages, pipes are queues with their level, and what is lost runs out below.
// Built once for a layout and a set of queues, then changed in place each second.

import { short } from './format.js';
import { redraw, setText, svg } from './dom.js';
import { WORDS } from './stages.js';

const WIDE_FROM_PX = 820;
const PIPES_MAX = 8;
const WIDE = { box: { width: 160, height: 92 }, edge: 106, loss: 58, pad: 3 };
const TALL = { width: 336, box: 60, edge: 84, pad: 3 };
const MARKS = { idle: '○', ok: '●', warn: '▲', loss: '✖' };

export function drawPicture(box, parts) {
    const isWide = box.clientWidth >= WIDE_FROM_PX;
    const shape = [isWide, ...parts.map(part => [part.id, Math.min(part.queues?.length ?? 0, PIPES_MAX)])];
    redraw(box, shape, () => build(parts, isWide));
    update(box.firstChild, parts);
}

function build(parts, isWide) {
    const place = isWide ? placeWide(parts) : placeTall(parts);
    const root = svg(
        'svg',
        { viewBox: `0 0 ${place.width} ${place.height}`, role: 'img', 'aria-labelledby': 'picture-name picture-words' },
        svg('title', { id: 'picture-name' }, 'The path of a record from Kafka to ClickHouse'),
        svg('desc', { id: 'picture-words' }),
    );
    parts.forEach((part, index) => root.append(part.isStage ? stage(part, place.at[index]) : edge(part, place.at[index], isWide)));
    return root;
}

function placeWide(parts) {
    let x = WIDE.pad;
    const at = parts.map(part => {
        const here = { x, y: WIDE.pad, width: part.isStage ? WIDE.box.width : WIDE.edge, height: WIDE.box.height, isWide: true };
        x += here.width;
        return here;
    });
    return { at, width: x + WIDE.pad, height: WIDE.box.height + WIDE.loss + 2 * WIDE.pad };
}

function placeTall(parts) {
    let y = TALL.pad;
    const at = parts.map(part => {
        const here = { x: TALL.pad, y, width: TALL.width, height: part.isStage ? TALL.box : TALL.edge, isWide: false };
        y += here.height;
        return here;
    });
    return { at, width: TALL.width + 2 * TALL.pad, height: y + TALL.pad };
}

const text = (className, x, y, anchor = 'start') => svg('text', { class: className, x, y, 'text-anchor': anchor });

function stage(part, { x, y, width, height, isWide }) {
    const group = svg('g', { 'data-part': part.id }, svg('rect', { class: 'box', 'data-role': 'shape', x, y, width, height, rx: 9 }));
    const left = x + 14;
    if (isWide) {
        group.append(
            marked(text('name', left, y + 26), 'title'),
            marked(text('soft', left, y + 50), 'line0'),
            marked(text('soft', left, y + 70), 'line1'),
            marked(text('marked', x + width - 12, y + 26, 'end'), 'mark'),
            marked(text('marked', x + 40, y + height + 16), 'loss0'),
            marked(text('marked', x + 40, y + height + 34), 'loss1'),
            spill(x + 24, y + height),
        );
    } else {
        group.append(
            marked(text('name', left, y + 24), 'title'),
            marked(text('soft', left, y + 45), 'line0'),
            marked(text('soft', x + width - 12, y + 45, 'end'), 'line1'),
            marked(text('marked', x + width - 12, y + 24, 'end'), 'mark'),
            marked(text('marked', left + 92, y + 24), 'loss0'),
            marked(text('marked', left + 180, y + 24), 'loss1'),
        );
    }
    return group;
}

function edge(part, { x, y, width, height, isWide }, isWideLayout) {
    const group = svg('g', { 'data-part': part.id });
    const queues = Math.min(part.queues.length, PIPES_MAX);
    const middle = isWide ? y + 46 : x + 40;
    for (let index = 0; index < queues; index++) {
        const thickness = Math.max(5, Math.min(26, 48 / queues - 3));
        const offset = middle - (queues * (thickness + 3) - 3) / 2 + index * (thickness + 3);
        const shape = isWideLayout
            ? { x: x + 6, y: offset, width: width - 12, height: thickness, rx: 4 }
            : { x: offset, y: y + 6, width: thickness, height: height - 12, rx: 4 };
        group.append(
            svg('rect', { class: 'pipe', ...shape, 'data-role': `pipe${index}` }),
            svg('rect', { class: 'level', ...shape, 'data-role': `level${index}` }),
        );
    }
    const line = isWide ? `M${x + 4} ${middle}H${x + width - 6}` : `M${middle} ${y + 4}V${y + height - 6}`;
    const head = isWide ? `M${x + width - 11} ${middle - 5}l6 5l-6 5` : `M${middle - 5} ${y + height - 11}l5 6l5 -6`;
    group.append(
        marked(svg('path', { class: 'flow', d: line }), 'flow'),
        marked(svg('path', { class: 'flow', d: head, 'stroke-dasharray': 'none' }), 'head'),
    );
    if (isWide) {
        const centre = x + width / 2;
        group.append(
            marked(text('rate', centre, y + 14, 'middle'), 'rate'),
            marked(text('soft', centre, y + 86, 'middle'), 'line0'),
            marked(text('soft', centre, y + 104, 'middle'), 'line1'),
            marked(text('marked', centre, y + 128, 'middle'), 'loss0'),
            marked(text('marked', centre, y + 146, 'middle'), 'loss1'),
        );
    } else {
        group.append(
            marked(text('rate', x + 78, y + 22), 'rate'),
            marked(text('soft', x + 78, y + 42), 'lines'),
            marked(text('marked', x + 78, y + 61), 'loss0'),
            marked(text('marked', x + 78, y + 78), 'loss1'),
        );
    }
    return group;
}

const spill = (x, y) => svg('path', { class: 'spill', 'data-role': 'spill', d: `M${x} ${y + 2}v12m-5 -5l5 5l5 -5` });

function marked(element, role) {
    element.setAttribute('data-role', role);
    return element;
}

function update(root, parts) {
    setText(root.querySelector('desc'), parts.map(words).join('. ') + '.');
    parts.forEach(part => {
        const group = root.querySelector(`[data-part="${part.id}"]`);
        const find = role => group.querySelector(`[data-role="${role}"]`);
        const write = (role, value, state) => {
            const element = find(role);
            if (element) {
                setText(element, value ?? '');
                if (state) element.setAttribute('data-state', state);
            }
        };
        group.setAttribute('data-state', part.state);
        find('shape')?.setAttribute('data-state', part.state);
        write('title', part.title);
        write('mark', `${MARKS[part.state]} ${WORDS[part.state]}`, part.state);
        write('line0', part.lines[0]);
        write('line1', part.lines[1]);
        write('lines', part.lines.filter(Boolean).join(', '));
        write('rate', part.isStage || !part.rate ? '' : find('lines') ? `${part.rate} ${part.unit}/s` : `${part.rate}/s`);
        [0, 1].forEach(index => {
            const loss = part.losses[index];
            write(`loss${index}`, loss ? `✖ ${short(loss.number)} ${loss.word}` : '', loss ? 'loss' : 'idle');
        });
        find('spill')?.setAttribute('visibility', part.losses.length > 0 ? 'visible' : 'hidden');
        for (const role of ['flow', 'head']) {
            find(role)?.setAttribute('data-state', part.state);
            find(role)?.classList.toggle('moving', role === 'flow' && part.isMoving);
        }
        updatePipes(part, find);
    });
}

function updatePipes(part, find) {
    const queues =
        (part.queues ?? []).length > PIPES_MAX
            ? [...part.queues].sort((left, right) => right.level - left.level).slice(0, PIPES_MAX) // The fullest of many.
            : (part.queues ?? []);
    queues.forEach((facts, index) => {
        const pipe = find(`pipe${index}`);
        const level = find(`level${index}`);
        const isFlat = Number(pipe.getAttribute('width')) > Number(pipe.getAttribute('height'));
        pipe.setAttribute('data-state', facts.state);
        if (isFlat) {
            level.setAttribute('width', Number(pipe.getAttribute('width')) * facts.level);
        } else {
            const full = Number(pipe.getAttribute('height'));
            level.setAttribute('height', full * facts.level);
            level.setAttribute('y', Number(pipe.getAttribute('y')) + full * (1 - facts.level));
        }
    });
}

function words(part) {
    const losses = part.losses.map(loss => `${loss.number} ${loss.word} in the last minute`).join(', ');
    return [
        part.title,
        part.rate && `${part.rate} ${part.unit}/s`,
        part.lines.filter(Boolean).join(', '),
        losses || 'no loss',
        WORDS[part.state],
    ]
        .filter(Boolean)
        .join(', ');
}
