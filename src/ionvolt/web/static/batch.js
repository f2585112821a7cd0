// Many structures: one row each, a column for each ion; sorted, filtered, downloaded, and as points beside the table.

import { sentence } from "./card.js";
import { $, el, fixed, formula } from "./dom.js";
import { download, toCsv } from "./files.js";
import { predictionsOf } from "./run.js";
import { drawScatter } from "./scatter.js";
import { sortableTable } from "./table.js";

export const COLUMNS = [
  "source", "formula", "working_ion", "voltage", "voltage_std", "model", "end_members", "capacity_grav", "energy_grav", "warnings",
  "voltage_lower", "voltage_upper", "epistemic_std", "in_domain", "voltage_potential", "host_formula", "removed", "capacity_vol",
  "energy_vol", "capacity_is_estimate", "full_extraction", "voltage_measured", "voltage_measured_lower", "voltage_measured_upper",
  "measured_basis",
];
const FILTERS = ["batch-filter", "batch-low", "batch-high", "batch-capacity", "batch-domain"];

export class Batch {
  /** choose(item, ion or null) is called when a row, one of its voltages or a point is chosen. */
  constructor(choose) {
    this.choose = choose;
    this.items = [];
    this.sort = { key: "name", descending: false };
    for (const id of FILTERS) $(id).addEventListener("input", () => this.draw());
    $("batch-csv").addEventListener("click", () => download("ionvolt.csv", toCsv(COLUMNS, this.predictions()), "text/csv"));
    $("batch-json").addEventListener("click", () => {
      const results = this.visible().map((item, index) => ({ index, name: item.name, ...(item.problem ? { problem: item.problem } : { predictions: predictionsOf(item, this.ions) }) }));
      download("ionvolt.json", JSON.stringify({ results }, null, 1) + "\n", "application/json");
    });
    let width = 0;
    new ResizeObserver(([entry]) => {
      if (Math.abs(entry.contentRect.width - width) < 2) return;
      width = entry.contentRect.width;
      if (this.items.length > 1) this.drawPoints(this.visible());
    }).observe($("batch-plot"));
  }

  show(items, ions, ion, selected) {
    Object.assign(this, { items, ions, ion, selected });
    $("batch").hidden = items.length < 2;
    if (items.length < 2) return;
    $("empty").hidden = true;
    this.draw();
  }

  /** Rows that the filters let through. */
  visible() {
    const words = $("batch-filter").value.trim().toLowerCase();
    const [low, high, capacity] = ["batch-low", "batch-high", "batch-capacity"].map((id) => $(id).valueAsNumber);
    const inside = $("batch-domain").checked;
    return this.items.filter((item) => {
      if (words && !`${item.name} ${formulaOf(item) ?? ""}`.toLowerCase().includes(words)) return false;
      if ([low, high, capacity].every(Number.isNaN) && !inside) return true;
      const p = item.answers.get(this.ion)?.prediction;
      if (!p || p.voltage < low || p.voltage > high) return false;
      if (!Number.isNaN(capacity) && !(p.capacity_grav >= capacity)) return false;
      return !inside || p.in_domain !== false;
    });
  }

  predictions() {
    return this.visible().flatMap((item) => predictionsOf(item, this.ions).map((p) => ({ ...p, source: item.name })));
  }

  draw() {
    const rows = this.visible();
    const columns = [
      {
        key: "name", label: "Structure", value: ({ name }) => name,
        show: (item) => el("button", { type: "button", class: "link", on: { click: (event) => { event.stopPropagation(); this.choose(item, null); } } }, item.name),
      },
      { key: "formula", label: "Formula", value: formulaOf, show: (item) => (formulaOf(item) ? formula(formulaOf(item)) : "") },
      ...this.ions.map((ion) => ({
        key: ion, label: ion, title: `Voltage against ${ion}, V`, numeric: true, descendingFirst: true, value: (item) => voltageOf(item, ion),
        show: (item) => cell(item, ion),
      })),
      { key: "notes", label: "Caveats", numeric: true, value: (item) => caveats(item, this.ions), show: (item) => caveats(item, this.ions) || "" },
    ];
    const table = sortableTable(columns, {
      caption: "Predictions for all structures",
      rows,
      key: ({ id }) => id,
      sort: this.sort,
      onSort: (sort) => (this.sort = sort),
      rowClass: ({ problem }) => (problem ? "refused" : "chosen-able"),
      onRow: (item, key) => this.choose(item, this.ions.includes(key) ? key : null),
      full: ({ problem, facts, answers, waiting }) => (problem ? `${problem.type?.endsWith(":refused") ?? true ? "Refused" : problem.title}: ${problem.rule ?? problem.detail ?? ""}` : waiting.size && !facts && !answers.size ? "waiting" : null),
    });
    const box = $("batch-table");
    const at = [box.scrollTop, box.scrollLeft];
    box.replaceChildren(table.node);
    [box.scrollTop, box.scrollLeft] = at;
    table.highlight(this.selected);
    const refused = this.items.filter(({ problem }) => problem).length;
    const count = rows.length === this.items.length ? `${rows.length} structures` : `${rows.length} of ${this.items.length} structures`;
    $("batch-count").textContent = count + (refused ? `, ${refused} refused` : "");
    $("batch-range-label").textContent = `${this.ion ?? ""} V`;
    this.drawPoints(rows);
  }

  /** Voltage against capacity for the ion shown; where no capacity is known, against the width of the interval. */
  drawPoints(rows) {
    const known = rows.map((item) => ({ item, p: item.answers.get(this.ion)?.prediction })).filter(({ p }) => p);
    const capacities = known.filter(({ p }) => p.capacity_grav !== null);
    const by = capacities.length ? { of: (p) => p.capacity_grav, label: "capacity, mAh/g" } : { of: (p) => p.voltage_std, label: "standard deviation of the expected error, V" };
    const drawn = known.filter(({ p }) => by.of(p) !== null);
    $("batch-scatter").hidden = drawn.length < 2;
    if (drawn.length < 2) return;
    const left = known.length - drawn.length;
    $("batch-scatter-note").textContent = `${drawn.length} structures for ${this.ion}${left ? `; ${left} of unknown capacity are left out` : ""}`;
    drawScatter($("batch-plot"), {
      points: drawn.map(({ item, p }) => ({ x: by.of(p), y: p.voltage, kind: item.id === this.selected ? "chosen" : "point", key: item.id, title: `${item.name}: ${fixed(p.voltage, 2)} V, ${fixed(by.of(p), capacities.length ? 0 : 2)} ${capacities.length ? "mAh/g" : "V"}` })),
      xLabel: by.label, yLabel: `voltage, V against ${this.ion}`,
      label: `Voltages of ${drawn.length} structures for ${this.ion} against ${by.label}; the table holds the same numbers`,
      choose: (key) => this.choose(this.items.find(({ id }) => String(id) === key), null),
    });
  }
}

const formulaOf = (item) => item.facts?.formula ?? [...item.answers.values()].find(({ prediction }) => prediction)?.prediction.formula ?? null;
const voltageOf = (item, ion) => item.answers.get(ion)?.prediction?.voltage ?? null;

function cell(item, ion) {
  const answer = item.answers.get(ion);
  const p = answer?.prediction;
  if (p) return [fixed(p.voltage, 2), p.voltage_std === null ? null : el("small", {}, ` ±${fixed(p.voltage_std, 2)}`)].filter(Boolean);
  if (item.waiting.has(ion)) return el("span", { class: "note" }, "…");
  return answer?.problem ? el("span", { class: "note", title: sentence(answer.problem.rule ?? answer.problem.title ?? "") }, "–") : "";
}

function caveats(item, ions) {
  const predictions = predictionsOf(item, ions);
  return predictions.length ? new Set(predictions.flatMap(({ warnings }) => warnings)).size : null;
}
