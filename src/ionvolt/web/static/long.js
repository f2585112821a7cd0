// Work that takes minutes: it goes on when the page is left, and is found again by its id.

import * as api from "./api.js";
import { expectation, seconds, sentence } from "./card.js";
import { niceTicks } from "./chart.js";
import { $, el, fixed, formula, svg } from "./dom.js";
import { download } from "./files.js";
import { sortableTable, tellsScrolling } from "./table.js";

const STORE = "ionvolt-jobs";
const MOST = 8;
const FILES = { cif: ["CIF", "cif", "chemical/x-cif"], poscar: ["POSCAR", "vasp", "text/plain"], extxyz: ["extXYZ", "xyz", "text/plain"], pymatgen: ["JSON", "json", "application/json"] };

export class Long {
  /** give(input) takes a structure as if it were dropped; say(text) announces. */
  constructor(give, say) {
    Object.assign(this, { give, say, jobs: [], offered: null, shown: null });
    $("compute").addEventListener("click", () => this.compute());
    $("vary-go").addEventListener("click", () => this.vary());
    for (const { id, label } of remembered()) this.watch({ id, label, status: "running", text: "" }, false);
  }

  /** What may be computed now. */
  offer(item, prediction, charged) {
    $("offer").hidden = !item;
    this.offered = item && { item, prediction, charged };
  }

  async compute() {
    const { item, prediction: p, charged } = this.offered;
    const profile = $("with-profile").checked;
    const label = `${p.formula}, ${p.working_ion}${profile ? ", profile" : ""}`;
    await this.start({ kind: "compute", structure: item.input, ion: p.working_ion, profile, ...(charged ? { charged } : {}) }, label);
  }

  /** Substitutions in what is shown. */
  async vary() {
    const { item, prediction: p } = this.offered;
    const [low, high] = ["vary-low", "vary-high"].map((id) => $(id).valueAsNumber);
    const voltage = Number.isNaN(low) && Number.isNaN(high) ? null : [Number.isNaN(low) ? -20 : low, Number.isNaN(high) ? 20 : high];
    const exclude = $("vary-without").value.split(/[\s,]+/).filter(Boolean);
    await this.start({ kind: "design", structure: item.input, ion: p.working_ion, voltage, exclude }, `${p.formula}, ${p.working_ion}: substitutions`);
  }

  /** Order a disordered crystal and predict its orderings for the ions chosen. */
  async order(item, { ions, assume, model }) {
    await this.start({ kind: "order", structure: item.input, ions, assume, model: model ?? undefined }, `${item.name}: orderings`);
  }

  async start(asked, label) {
    $("offer-note").textContent = "";
    try {
      const { id } = await api.startLong(asked);
      remember([{ id, label }, ...remembered()].slice(0, MOST));
      this.watch({ id, label, status: "running", text: "asked for" }, true);
      this.say(`${label}: computation began`);
    } catch (problem) {
      $("offer-note").textContent = problem.detail ?? problem.message;
      if (asked.kind === "order") this.say(problem.detail ?? problem.message);
    }
  }

  async watch(job, first) {
    if (first) this.jobs.unshift(job);
    else this.jobs.push(job);
    if (first) this.shown = job;
    this.draw();
    try {
      const end = await api.follow(job.id, (kind, content) => {
        if (kind === "progress") Object.assign(job, { text: content.text, left: content.seconds_left });
        this.draw();
      });
      Object.assign(job, { status: end.status, problem: end.problem });
      if (end.status === "done") Object.assign(job, (await api.job(job.id)).outcome);
      this.say(`${job.label}: ${STATUS[end.status]}`);
    } catch {
      // Forgotten by the server, or the server is gone.
      this.jobs = this.jobs.filter((other) => other !== job);
      remember(remembered().filter(({ id }) => id !== job.id));
      if (this.shown === job) this.shown = null;
    }
    this.draw();
  }

  draw() {
    $("jobs").hidden = !this.jobs.length;
    $("job-list").replaceChildren(...this.jobs.map((job) => el("li", {},
      el("span", {}, job.label, " ", el("span", { class: "note" }, job.status === "running" ? `${job.text || "waits"}${job.left ? `, about ${seconds(job.left)}` : ""}` : STATUS[job.status])),
      job.status === "running" ? el("button", { type: "button", "aria-label": `Cancel ${job.label}`, on: { click: () => api.giveUp(job.id) } }, "Cancel") : el("button", { type: "button", "aria-label": `Show ${job.label}`, on: { click: () => this.show(job) } }, "Show"),
    )));
    this.drawShown();
  }

  show(job) {
    this.shown = job;
    this.drawShown();
    $("long").scrollIntoView({ block: "start" });
  }

  drawShown() {
    const job = this.shown;
    $("long").hidden = !job;
    if (!job || job.drawn === job.status + job.text) return;
    job.drawn = job.status + job.text;
    const head = el("div", { class: "panel-head" }, el("h3", { id: "long-heading" }, job.label), el("span", { class: "grow" }), el("button", { type: "button", on: { click: () => ((this.shown = null), job.drawn = null, this.drawShown()) } }, "Close"));
    const { result } = job;
    const body = job.status === "running"
      ? [el("p", { class: "note" }, `${sentence(job.text || "waiting")} It goes on when this page is closed, and is listed under Computations.`)]
      : !result
        ? [el("p", { class: "rule" }, sentence(job.problem?.rule ?? `it was ${STATUS[job.status]}`)), job.problem?.remedy ? el("p", { class: "remedy" }, sentence(job.problem.remedy)) : ""]
        : result.orderings ? this.ordered(job) : result.designs ? this.designed(job) : computed(job);
    $("long").replaceChildren(head, ...body);
    for (const box of $("long").querySelectorAll(".scroll")) tellsScrolling(box);
  }

  designed(job) {
    const { result, structures } = job;
    const rows = result.designs.map((one, i) => ({ ...one, i }));
    const columns = [
      { key: "rank", label: "Rank", numeric: true, value: (d) => d.rank },
      { key: "formula", label: "Electrode", value: (d) => d.formula, show: (d) => formula(d.formula) },
      { key: "change", label: "Change", value: (d) => d.substitutions.join(", "), show: (d) => d.substitutions.join(", ") || "the host itself" },
      { key: "voltage", label: "V", numeric: true, value: (d) => d.voltage, show: (d) => fixed(d.voltage, 2) },
      { key: "interval", label: "90 % interval, V", value: (d) => d.voltage_lower ?? -99, show: (d) => (d.voltage_lower === null ? "none" : `${fixed(d.voltage_lower, 2)} to ${fixed(d.voltage_upper, 2)}`) },
      { key: "capacity", label: "mAh/g", numeric: true, value: (d) => d.capacity_grav, show: (d) => fixed(d.capacity_grav, 0) },
      { key: "energy", label: "Wh/kg", numeric: true, value: (d) => d.energy_grav, show: (d) => fixed(d.energy_grav, 0) },
      { key: "domain", label: "In the domain", value: (d) => (d.in_domain ? 1 : 0), show: (d) => (d.in_domain ? "yes" : "no") },
      { key: "use", label: "Structure", value: () => "", show: ({ i, formula: name }) => el("button", { type: "button", on: { click: () => this.give({ name: `${name}, not relaxed`, text: structures[i].cif }) } }, "Predict this one") },
    ];
    const caption = "Substitutions, the best first";
    const misses = result.settings.voltage ? rows.filter((d) => d.missed.includes("voltage")).length : 0;
    return [
      el("p", {}, `${result.proposed} substitutions were tried; ${rows.length} with balanced charges were predicted, none relaxed.${misses ? ` ${misses} miss the voltage asked for.` : ""} Ranked by Pareto fronts of specific energy and energy density.`),
      el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, sortableTable(columns, { caption, rows, sort: { key: "rank", descending: false } }).node),
      ...notes(result.refused.slice(0, 5)),
    ];
  }

  ordered(job) {
    const { result, structures } = job;
    const lowest = Math.min(...result.orderings.map(({ energy }) => energy));
    const rows = result.orderings.map((one, i) => ({ ...one, i, above: (1000 * (one.energy - lowest)) / one.n_atoms }));
    const columns = [
      { key: "i", label: "Ordering", numeric: true, value: ({ i }) => i + 1 },
      { key: "n_atoms", label: "Atoms", numeric: true, value: ({ n_atoms: n }) => n },
      { key: "above", label: "meV/atom above the lowest", numeric: true, value: ({ above }) => above, show: ({ above }) => fixed(above, 1) },
      { key: "weight", label: "Weight", numeric: true, value: ({ weight }) => weight, show: ({ weight }) => fixed(weight, 3) },
      { key: "use", label: "Structure", value: () => "", show: ({ i }) => el("button", { type: "button", on: { click: () => this.give({ name: `${result.source}, ordering ${i + 1}`, text: structures[i].cif }) } }, "Predict this one") },
    ];
    const voltages = [
      { key: "working_ion", label: "Ion", value: (p) => p.working_ion },
      { key: "voltage", label: "Voltage over the orderings, V", numeric: true, value: (p) => p.voltage, show: (p) => `${fixed(p.voltage, 2)} ± ${fixed(p.voltage_std, 2)}` },
      { key: "spread", label: "Spread between orderings, V", numeric: true, value: (p) => p.spread, show: (p) => fixed(p.spread, 2) },
    ];
    const table = (cells, list, caption) => el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, sortableTable(cells, { caption, rows: list, sort: { key: cells[0].key, descending: false } }).node);
    return [
      el("p", {}, formula(result.formula), ` in ${result.primitive_cells} primitive cells: ${result.distinct_found} distinct orderings ${result.complete ? "" : "found by annealing "}compared, weighted at ${fixed(result.temperature, 0)} K.`),
      ...notes(result.warnings),
      table(columns, rows, "Orderings"),
      result.predictions.length ? table(voltages, result.predictions, "Voltages over the orderings") : "",
    ];
  }
}

const STATUS = { running: "under way", done: "done", cancelled: "cancelled", failed: "failed" };

function computed({ result: r, structures }) {
  const fact = (label, value, unit) => (value === "" ? null : el("div", {}, el("dt", {}, label), el("dd", {}, value, el("small", {}, ` ${unit}`))));
  const facts = [
    r.voltage_lower === null ? null : fact("90 % interval", `${fixed(r.voltage_lower, 2)} to ${fixed(r.voltage_upper, 2)}`, "V"),
    fact("From the potential alone", fixed(r.voltage_potential, 2), "V"),
    fact("Volume change on discharge", fixed(100 * r.volume_change, 1), "%"),
    fact("Capacity", fixed(r.capacity_grav, 0), "mAh/g"),
    fact("per volume", fixed(r.capacity_vol, 0), "mAh/cm³"),
    fact("Energy", fixed(r.energy_grav, 0), "Wh/kg"),
    fact("per volume", fixed(r.energy_vol, 0), "Wh/L"),
    fact("Took", seconds(r.seconds), `${r.steps} steps${r.converged === false ? ", not converged" : ""}`),
  ];
  return [
    el("p", { class: "what" }, formula(r.formula_charged), " → ", formula(r.formula_discharged)),
    el("p", { class: "voltage" }, el("span", { class: "number" }, fixed(r.voltage, 2)), el("span", { class: "unit" }, "V"), el("span", { class: "against" }, `against ${r.working_ion} metal, by ${r.model}`)),
    expectation(r) ?? "",
    el("dl", { class: "facts" }, facts),
    ...notes(r.warnings),
    r.profile ? profile(r) : "",
    el("div", { class: "actions files" }, structures.flatMap((structure) => [
      el("span", { class: "note" }, `${structure.role === "charged" ? "Charged" : "Discharged"}, as computed:`),
      ...Object.entries(FILES).map(([format, [label, ending, type]]) => el("button", { type: "button", on: { click: () => download(`${structure.formula}-${structure.role}.${ending}`, structure[format], type) } }, label)),
    ])),
  ];
}

const notes = (warnings) => (warnings.length ? [el("ul", { class: "warnings", "aria-label": "Caveats" }, warnings.map((text) => el("li", {}, sentence(text))))] : []);

/** The voltage against filling, as steps, and the same as a table. */
function profile({ profile: { steps, average }, working_ion: ion }) {
  const [width, height, left, bottom, top] = [520, 260, 44, 38, 10];
  const voltages = steps.map(({ voltage }) => voltage);
  const ticks = niceTicks(Math.min(0, ...voltages), Math.max(0.5, ...voltages));
  const [low, high] = [ticks[0], ticks[ticks.length - 1]];
  const x = (filling) => left + filling * (width - left - 10);
  const y = (voltage) => top + ((high - voltage) / (high - low)) * (height - top - bottom);
  const ordered = [...steps].sort((a, b) => a.filling_charged - b.filling_charged);
  const path = ordered.map((step, i) => `${i ? "L" : "M"}${x(step.filling_charged)} ${y(step.voltage)}L${x(step.filling_discharged)} ${y(step.voltage)}`).join("");
  const plot = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Voltage profile of ${steps.length} steps; the table beside it holds the numbers` },
    ticks.map((t) => svg("g", { class: t === 0 ? "zero" : "grid" }, svg("line", { x1: left, x2: width - 10, y1: y(t), y2: y(t) }), svg("text", { x: left - 6, y: y(t) + 4, "text-anchor": "end" }, fixed(t, ticks[1] - ticks[0] < 1 ? 1 : 0)))),
    [0, 0.25, 0.5, 0.75, 1].map((t) => svg("text", { x: x(t), y: height - bottom + 16, "text-anchor": "middle" }, String(t))),
    svg("text", { x: (left + width) / 2, y: height - 4, "text-anchor": "middle" }, `share of the ${ion} that is in`),
    svg("text", { x: 12, y: height / 2 - 10, "text-anchor": "middle", transform: `rotate(-90 12 ${height / 2 - 10})` }, "voltage, V"),
    svg("path", { class: "step", d: path }),
  );
  const columns = [
    { key: "from", label: "From", value: (s) => s.filling_charged, show: (s) => formula(s.formula_charged) },
    { key: "to", label: "To", value: (s) => s.filling_discharged, show: (s) => formula(s.formula_discharged) },
    { key: "voltage", label: "V", numeric: true, value: (s) => s.voltage, show: (s) => fixed(s.voltage, 2) },
    ...(ordered.some((s) => typeof s.voltage_lower === "number")
      ? [{ key: "interval", label: "90 % interval, V", value: (s) => s.voltage_lower, show: (s) => `${fixed(s.voltage_lower, 2)} to ${fixed(s.voltage_upper, 2)}` }]
      : []),
    ...(ordered.some((s) => typeof s.voltage_measured === "number")
      ? [{ key: "measured", label: "Expected in a cell, V", numeric: true, value: (s) => s.voltage_measured, show: (s) => `${fixed(s.voltage_measured, 2)} ± ${fixed(s.voltage_measured_upper - s.voltage_measured, 2)}` }]
      : []),
    { key: "volume", label: "Volume, %", numeric: true, value: (s) => s.volume_change, show: (s) => fixed(100 * s.volume_change, 1) },
  ];
  const table = sortableTable(columns, { caption: "Steps of the voltage profile", rows: ordered, sort: { key: "from", descending: false } });
  return el("div", { class: "profile" },
    el("figure", { class: "scatter", id: "profile-plot" }, el("figcaption", { class: "note" }, `Voltage profile; its average is ${fixed(average, 2)} V, from the potential's energies without correction`), plot),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Steps of the voltage profile" }, table.node));
}

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(STORE) ?? "[]").filter(({ id, label }) => typeof id === "string" && typeof label === "string").slice(0, MOST);
  } catch {
    return [];
  }
}

function remember(jobs) {
  try {
    localStorage.setItem(STORE, JSON.stringify(jobs));
  } catch {
    // Storage is off: the list holds for this visit.
  }
}
