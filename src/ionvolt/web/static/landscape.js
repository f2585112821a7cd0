// Where an electrode stands among known ones: voltage against capacity, the nearest named, measured ones marked.

import * as api from "./api.js";
import { $, el, fixed, formula } from "./dom.js";
import { drawScatter, keys } from "./scatter.js";
import { sortableTable } from "./table.js";

const NEAREST = 10;

export class Landscape {
  constructor() {
    Object.assign(this, { tables: new Map(), shown: null });
    let width = 0;
    new ResizeObserver(([entry]) => {
      if (Math.abs(entry.contentRect.width - width) < 2) return;
      width = entry.contentRect.width;
      if (this.shown) this.draw();
    }).observe($("landscape-plot"));
  }

  /** Show where a prediction stands; null: nowhere yet. */
  async show(p) {
    this.shown = null;
    if (!p) {
      $("landscape").hidden = true;
      return;
    }
    const asked = (this.asked = p);
    const ion = p.working_ion;
    if (!this.tables.has(ion)) this.tables.set(ion, api.landscape(ion).catch(() => null));
    const table = await this.tables.get(ion);
    if (asked !== this.asked) return;
    const some = table && (table.electrodes.length || table.measured.some((e) => e.capacity !== null));
    $("landscape").hidden = !some;
    if (!some) return;
    this.shown = { p, table };
    this.draw();
  }

  draw() {
    const { p, table } = this.shown;
    const all = [...table.electrodes, ...table.measured.map((e) => ({ ...e, measured: true }))];
    const capacity = p.capacity_grav;
    const size = (of) => Math.max(1e-6, deviation(all.map(of).filter((value) => value !== null)));
    const [v, c] = [size((e) => e.voltage), size((e) => e.capacity)];
    const distance = (e) => Math.hypot((e.voltage - p.voltage) / v, capacity === null || e.capacity === null ? 0 : (e.capacity - capacity) / c);
    const near = new Set([...all].sort((a, b) => distance(a) - distance(b)).slice(0, NEAREST));
    const named = (e) => `${e.formula}: ${fixed(e.voltage, 2)} V, ${fixed(e.capacity, 0)} mAh/g (${e.measured ? `measured, ${e.phase}` : e.id})`;
    const points = all.filter((e) => e.capacity !== null).map((e) => ({
      x: e.capacity, y: e.voltage, kind: e.measured ? "measured" : near.has(e) ? "near" : "known", title: named(e),
    }));
    const own = `${p.formula}: ${fixed(p.voltage, 2)} V`;
    // A few intermetallics of huge capacity would press all others together.
    const capacities = points.map(({ x }) => x);
    const [quarter, threeQuarters] = [quantile(capacities, 0.25), quantile(capacities, 0.75)];
    const most = Math.max(capacity ?? 0, threeQuarters + 3 * (threeQuarters - quarter), ...points.filter(({ kind }) => kind !== "known").map(({ x }) => x)) * 1.05;
    const beyond = points.filter(({ x }) => x > most).length;
    const lines = [{ y: p.voltage, low: p.voltage_lower, high: p.voltage_upper, title: own }];
    if (capacity !== null) points.push({ x: capacity, y: p.voltage, kind: "own", title: `${own}, ${fixed(capacity, 0)} mAh/g` });
    const computed = table.electrodes.length;
    drawScatter($("landscape-plot"), {
      points: points.filter(({ x }) => x <= most), lines, xLabel: "capacity, mAh/g", yLabel: `voltage, V against ${p.working_ion}`,
      label: `Voltage against capacity of ${computed} computed and ${table.measured.length} measured ${p.working_ion} electrodes; this one at ${own}${capacity === null ? ", capacity unknown" : `, ${fixed(capacity, 0)} mAh/g`}`,
    });
    const below = table.electrodes.filter((e) => e.voltage < p.voltage).length;
    $("landscape-note").textContent = [
      computed ? `Its voltage is above that of ${Math.round((100 * below) / computed)} % of ${computed} computed ${p.working_ion} electrodes` : "",
      beyond ? `${beyond} of a capacity above ${fixed(most, 0)} mAh/g are not drawn` : "",
      capacity === null ? "Its capacity is not known: the line shows its voltage alone" : "",
    ].filter(Boolean).join(". ");
    const kinds = [["own", "this one (line: its voltage, with the 90 % interval)"], ["measured", "measured cathode"]];
    if (computed) kinds.push(["near", "nearest"], ["known", "computed"]);
    $("landscape-source").replaceChildren(keys(kinds), el("span", {}, sourceOf(table)));
    const columns = [
      { key: "formula", label: capacity === null ? "Nearest in voltage" : "Nearest", value: (e) => e.formula, show: (e) => [formula(e.formula), e.measured ? el("small", {}, ` ${e.phase}`) : ""] },
      { key: "voltage", label: "V", numeric: true, value: (e) => e.voltage, show: (e) => [fixed(e.voltage, 2), e.measured ? el("small", {}, ` ±${fixed(e.uncertainty, 2)}`) : ""] },
      { key: "capacity", label: "mAh/g", numeric: true, value: (e) => e.capacity, show: (e) => fixed(e.capacity, 0) },
      { key: "source", label: "Source", value: (e) => (e.measured ? e.doi : e.id), show: (e) => (!e.measured ? e.id : e.doi ? ["measured, ", link(e.doi)] : "measured") },
    ];
    const list = sortableTable(columns, { caption: "Nearest known electrodes", rows: [...near], sort: { key: "none", descending: false } });
    $("landscape-table").replaceChildren(list.node);
  }
}

/** Where the computed ones come from, or why there are none. */
function sourceOf({ table, attribution, electrodes, ion }) {
  if (electrodes.length) return attribution;
  if (table) return `The server's table holds no ${ion} electrodes: measured ones only.`;
  return "Measured cathodes only: this server was given no table of computed electrodes (ionvolt serve --landscape FILE; ionvolt data landscape makes one).";
}

const link = (doi) => el("a", { href: `https://doi.org/${encodeURI(doi)}`, rel: "noreferrer", target: "_blank" }, doi);

const quantile = (values, share) => [...values].sort((a, b) => a - b)[Math.floor(share * (values.length - 1))] ?? 0;

function deviation(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}
