// The periodic table with the elements of a host coloured by their median local voltage.

import { SYMBOLS, place } from "./elements.js";
import { el, fixed } from "./dom.js";
import { inkOn } from "./scale.js";
import { sortableTable } from "./table.js";

/** Draw the table into `box` and the same numbers as a plain table into `list`. */
export function drawPeriodic(box, list, elements, scale, ion) {
  const shown = Object.entries(elements).sort(([, a], [, b]) => b.median - a.median);
  const said = shown.map(([symbol, { median }]) => `${symbol} ${fixed(median, scale.digits)} V`).join(", ");
  const cells = SYMBOLS.map((symbol, i) => {
    const entry = elements[symbol];
    const cell = el("span", { class: entry ? "held" : undefined }, el("b", {}, symbol));
    const [row, column] = place(i + 1);
    cell.style.gridRow = String(row);
    cell.style.gridColumn = String(column);
    if (entry) {
      const colour = scale.colour(entry.median);
      cell.style.background = colour;
      cell.style.color = inkOn(colour);
      cell.append(el("i", {}, fixed(entry.median, entry.median > -1 && entry.median < 10 ? 2 : 1)));
      cell.title = `${symbol}: median ${fixed(entry.median, scale.digits)} V over ${entry.n} ${entry.n === 1 ? "atom" : "atoms"}`;
    }
    return cell;
  });
  const note = el("span", { class: "gap" }, `Median local voltage, V against ${ion}`);
  box.replaceChildren(el("div", { class: "periodic", role: "img", "aria-label": `Periodic table of median local voltages: ${said}` }, cells, note));

  const columns = [
    { key: "element", label: "Element", value: ([symbol]) => symbol, show: ([symbol, { median }]) => [swatch(scale.colour(median)), symbol] },
    { key: "n", label: "Atoms", numeric: true, value: ([, e]) => e.n },
    { key: "median", label: "Median, V", numeric: true, descendingFirst: true, value: ([, e]) => e.median, show: ([, e]) => fixed(e.median, scale.digits) },
    { key: "min", label: "Lowest", numeric: true, value: ([, e]) => e.min, show: ([, e]) => fixed(e.min, scale.digits) },
    { key: "max", label: "Highest", numeric: true, value: ([, e]) => e.max, show: ([, e]) => fixed(e.max, scale.digits) },
  ];
  const table = sortableTable(columns, { caption: "Local voltage by element", rows: shown, sort: { key: "median", descending: true } });
  list.replaceChildren(table.node);
}

/** A small square of a colour. */
export function swatch(colour) {
  const square = el("i", { class: "swatch", "aria-hidden": "true" });
  square.style.background = colour;
  return square;
}
