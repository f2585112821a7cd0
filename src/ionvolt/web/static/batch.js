// Many structures: one row each, a column for each ion; sorted, filtered, downloaded.

import { $, el, fixed, formula } from "./dom.js";
import { download, toCsv } from "./files.js";
import { sortableTable } from "./table.js";

export const COLUMNS = [
  "source", "formula", "working_ion", "voltage", "voltage_std", "model", "end_members", "capacity_grav", "energy_grav", "warnings",
  "voltage_lower", "voltage_upper", "epistemic_std", "in_domain", "known", "voltage_physics",
];

export class Batch {
  /** choose(item, ion or null) is called when a row or one of its voltages is chosen. */
  constructor(choose) {
    this.choose = choose;
    this.items = [];
    this.sort = { key: "name", descending: false };
    for (const id of ["batch-filter", "batch-low", "batch-high"]) $(id).addEventListener("input", () => this.draw());
    $("batch-csv").addEventListener("click", () => download("ionvolt.csv", toCsv(COLUMNS, this.predictions()), "text/csv"));
    $("batch-json").addEventListener("click", () => {
      const results = this.visible().map(({ name, predictions, problem }, index) => ({ index, name, ...(problem ? { problem } : { predictions }) }));
      download("ionvolt.json", JSON.stringify({ results }, null, 1) + "\n", "application/json");
    });
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
    const low = $("batch-low").valueAsNumber;
    const high = $("batch-high").valueAsNumber;
    return this.items.filter((item) => {
      const names = `${item.name} ${item.predictions?.[0]?.formula ?? ""}`.toLowerCase();
      if (words && !names.includes(words)) return false;
      if (Number.isNaN(low) && Number.isNaN(high)) return true;
      const voltage = voltageOf(item, this.ion);
      return voltage !== null && !(voltage < low) && !(voltage > high);
    });
  }

  predictions() {
    return this.visible().flatMap(({ predictions, name }) => (predictions ?? []).map((p) => ({ ...p, source: name })));
  }

  draw() {
    const rows = this.visible();
    const columns = [
      {
        key: "name", label: "Structure", value: ({ name }) => name,
        show: (item) => el("button", { type: "button", class: "link", on: { click: (event) => { event.stopPropagation(); this.choose(item, null); } } }, item.name),
      },
      { key: "formula", label: "Formula", value: ({ predictions }) => predictions?.[0]?.formula ?? null, show: ({ predictions }) => (predictions ? formula(predictions[0].formula) : "") },
      ...this.ions.map((ion) => ({
        key: ion, label: ion, title: `Voltage against ${ion}, V`, numeric: true, descendingFirst: true, value: (item) => voltageOf(item, ion),
        show: (item) => {
          const p = item.predictions?.find(({ working_ion }) => working_ion === ion);
          if (!p) return "";
          return [fixed(p.voltage, 2), p.voltage_std === null ? null : el("small", {}, ` ±${fixed(p.voltage_std, 2)}`)];
        },
      })),
      { key: "notes", label: "Notes", numeric: true, value: ({ predictions }) => noteCount(predictions), show: ({ predictions }) => noteCount(predictions) || "" },
    ];
    const table = sortableTable(columns, {
      caption: "Predictions for all structures",
      rows,
      key: ({ id }) => id,
      sort: this.sort,
      onSort: (sort) => (this.sort = sort),
      rowClass: ({ problem }) => (problem ? "refused" : "chosen-able"),
      onRow: (item, key) => this.choose(item, this.ions.includes(key) ? key : null),
      full: ({ problem, pending }) => (problem ? `Refused: ${problem.rule ?? problem.detail ?? problem.title}` : pending ? "waiting" : null),
    });
    const box = $("batch-table");
    const at = box.scrollTop;
    box.replaceChildren(table.node);
    box.scrollTop = at;
    table.highlight(this.selected);
    const refused = this.items.filter(({ problem }) => problem).length;
    const count = rows.length === this.items.length ? `${rows.length} structures` : `${rows.length} of ${this.items.length} structures`;
    $("batch-count").textContent = count + (refused ? `, ${refused} refused` : "");
    $("batch-range-label").textContent = `${this.ion ?? ""} V`;
  }
}

const voltageOf = (item, ion) => item.predictions?.find(({ working_ion }) => working_ion === ion)?.voltage ?? null;
const noteCount = (predictions) => (predictions ? new Set(predictions.flatMap(({ warnings }) => warnings)).size : null);
