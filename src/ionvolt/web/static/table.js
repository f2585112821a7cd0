// A table that sorts by its headers. Order is told to screen readers by aria-sort and to eyes by an arrow.

import { el } from "./dom.js";

/**
 * Build one.
 *
 * columns: {key, label, title?, value(row), show?(row) -> node or text, numeric?, descendingFirst?}
 * options: {caption, rows, key(row), sort: {key, descending}, onSort, rowClass(row), onRow(row, column key), full(row)}
 * `full(row)` may return a node that takes the place of all columns but the first.
 * Returns {node, highlight(key)}.
 */
export function sortableTable(columns, options) {
  let sort = options.sort ?? { key: columns[0].key, descending: false };
  const body = el("tbody");
  const heads = new Map();
  const rowOf = new Map();
  let lit = null;

  const head = el("tr", {}, columns.map((column) => {
    const button = el("button", { type: "button", title: column.title, on: { click: () => choose(column) } }, column.label, el("i", { "aria-hidden": "true" }));
    const cell = el("th", { scope: "col", class: column.numeric ? "num" : undefined }, button);
    heads.set(column.key, cell);
    return cell;
  }));

  function choose(column) {
    sort = { key: column.key, descending: sort.key === column.key ? !sort.descending : Boolean(column.descendingFirst) };
    options.onSort?.(sort);
    draw();
  }

  function draw() {
    const column = columns.find(({ key }) => key === sort.key) ?? columns[0];
    const factor = sort.descending ? -1 : 1;
    const missing = (value) => value === null || value === undefined || Number.isNaN(value);
    const rows = options.rows
      .map((row, at) => ({ row, at, value: column.value(row) }))
      .sort((a, b) => {
        // Missing values stand last in either direction.
        if (missing(a.value) || missing(b.value)) return missing(a.value) - missing(b.value) || a.at - b.at;
        return factor * (typeof a.value === "number" ? a.value - b.value : compare(a.value, b.value)) || a.at - b.at;
      });
    for (const [key, cell] of heads) {
      if (key === column.key) cell.setAttribute("aria-sort", sort.descending ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
    rowOf.clear();
    body.replaceChildren(...rows.map(({ row }) => drawRow(row)));
    if (lit !== null) rowOf.get(lit)?.classList.add("lit");
  }

  function drawRow(row) {
    const full = options.full?.(row);
    const cells = (full ? columns.slice(0, 1) : columns).map((column, i) => {
      const shown = column.show ? column.show(row) : column.value(row);
      const attributes = { class: column.numeric ? "num" : undefined, "data-key": column.key };
      return i === 0 ? el("th", { scope: "row", ...attributes }, shown ?? "") : el("td", attributes, shown ?? "");
    });
    if (full) cells.push(el("td", { colspan: columns.length - 1, class: "full" }, full));
    const line = el("tr", { class: options.rowClass?.(row) }, cells);
    if (options.onRow) {
      line.addEventListener("click", (event) => options.onRow(row, event.target.closest("[data-key]")?.dataset.key));
    }
    if (options.key) rowOf.set(options.key(row), line);
    return line;
  }

  function highlight(key, scroll = false) {
    if (lit !== null) rowOf.get(lit)?.classList.remove("lit");
    lit = key;
    const line = rowOf.get(key);
    line?.classList.add("lit");
    if (scroll && line) {
      const box = node.parentElement;
      if (box) box.scrollTop = line.offsetTop - box.clientHeight / 2;
    }
  }

  const node = el("table", {}, el("caption", { class: "sr" }, options.caption), el("thead", {}, head), body);
  draw();
  return { node, highlight };
}

const collator = new Intl.Collator("en", { numeric: true });
const compare = (a, b) => collator.compare(String(a), String(b));

/** A box that scrolls sideways says so: a word below it, and a shade on the side where there is more. */
export function tellsScrolling(box) {
  const word = el("p", { class: "note more", hidden: true, "aria-hidden": "true" }, "More columns to the right: scroll sideways");
  box.after(word);
  const tell = () => {
    const hidden = box.scrollWidth - box.clientWidth;
    word.hidden = hidden < 4;
    box.classList.toggle("more-left", hidden >= 4 && box.scrollLeft > 2);
    box.classList.toggle("more-right", hidden >= 4 && box.scrollLeft < hidden - 2);
  };
  box.addEventListener("scroll", tell, { passive: true });
  const sizes = new ResizeObserver(tell);
  sizes.observe(box);
  new MutationObserver(() => {
    for (const child of box.children) sizes.observe(child);
    tell();
  }).observe(box, { childList: true });
}
