// Elements without strings of HTML: nothing that a record, a server or a file says can become markup.

const SVG = 'http://www.w3.org/2000/svg';

export const byId = id => document.getElementById(id);

/** An element with attributes and children; null and false are left out. */
export function el(name, attributes = {}, ...children) {
    return fill(document.createElement(name), attributes, children);
}

/** The same for SVG. */
export function svg(name, attributes = {}, ...children) {
    return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
    for (const [key, value] of Object.entries(attributes)) {
        if (value !== null && value !== false && value !== undefined) element.setAttribute(key, value);
    }
    element.append(...children.flat(3).filter(child => child !== null && child !== undefined && child !== false));
    return element;
}

/** A state as mark, word and colour. */
export const state = (kind, text) => el('span', { class: 'state', 'data-state': kind }, text);

/** Sets the text of an element only when it differs: screen readers and selections stay in peace. */
export function setText(element, text) {
    if (element.textContent !== text) element.textContent = text;
}

/**
 * Fills a table. Rows are lists of cells; a cell is a text, or {text, bad, nothing, left, node, key}. Cells that stay are changed in
 * place, so that focus, selection and scroll positions outlive the next second.
 */
export function fillTable(table, heads, rows, options = {}) {
    const shape = heads.join('\n');
    if (table.dataset.shape !== shape) {
        table.dataset.shape = shape;
        table.replaceChildren(
            el(
                'thead',
                {},
                el(
                    'tr',
                    {},
                    heads.map(head => el('th', { scope: 'col', class: options.left?.includes(head) ? 'left' : null }, head)),
                ),
            ),
            el('tbody'),
        );
    }
    const body = table.tBodies[0];
    while (body.rows.length > rows.length) body.deleteRow(-1);
    rows.forEach((row, index) => fillRow(body.rows[index] ?? body.insertRow(), row, heads, options));
}

function fillRow(line, row, heads, options) {
    line.className = row.className ?? '';
    row.forEach((cell, index) => {
        const is = typeof cell === 'object' && cell !== null ? cell : { text: cell };
        let box = line.children[index];
        if (!box) {
            box = index === 0 ? el('th', { scope: 'row' }) : el('td');
            line.append(box);
        }
        const classes = [is.bad && 'bad', is.nothing && 'nothing', options.left?.includes(heads[index]) && 'left']
            .filter(Boolean)
            .join(' ');
        if (box.className !== classes) box.className = classes;
        setText(box, String(is.text));
    });
    while (line.children.length > row.length) line.lastChild.remove();
}

/** A list of figures: [[name, value, unit, state]]. */
export function fillFigures(list, figures) {
    while (list.children.length > figures.length) list.lastChild.remove();
    figures.forEach(([name, value, unit, kind], index) => {
        let box = list.children[index];
        if (!box) {
            box = el('div', {}, el('dt'), el('dd', {}, el('span'), el('span', { class: 'unit' })));
            list.append(box);
        }
        setText(box.firstChild, name);
        box.lastChild.dataset.state = kind ?? '';
        setText(box.lastChild.firstChild, value);
        setText(box.lastChild.lastChild, unit ?? '');
    });
}

/** Replaces the content of a box only when its description differs. */
export function redraw(box, description, draw) {
    const key = JSON.stringify(description);
    if (box.dataset.key === key) return;
    box.dataset.key = key;
    box.replaceChildren(...[draw()].flat().filter(Boolean));
}
