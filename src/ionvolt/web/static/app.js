// The page: input on one side, the result on the other, and the link that reopens it.

import * as api from "./api.js";
import { Batch, COLUMNS } from "./batch.js";
import { drawCard, drawProblem } from "./card.js";
import { drawBars } from "./chart.js";
import { $, el, fixed, formula, plusMinus } from "./dom.js";
import { download, readStructure, toCsv } from "./files.js";
import { drawPeriodic, swatch } from "./periodic.js";
import { divergingScale } from "./scale.js";
import { fromFragment, toFragment } from "./state.js";
import { sortableTable } from "./table.js";
import { CrystalView } from "./viewer.js";

const IONS = ["Li", "Na", "K", "Rb", "Cs", "Mg", "Ca", "Zn", "Al", "Y"];
const MOST_FILES = 500;
const AT_ONCE = 8;
const AT_ONCE_CHARACTERS = 1_000_000;

const state = {
  items: [], // {id, input, name, predictions or problem or pending}
  selected: null, // id of the item shown
  ion: null, // the ion shown
  ions: [...IONS],
  assume: "auto",
  model: null,
  fresh: false, // new structures: the ion shown may change
  wanted: null, // the ion that a link asks for
};
let nextId = 0;
let running = null;
let explaining = null;
let explanations = new Map();
let shown = null; // {explanation, cif, scale} on the screen
let siteTable = null;

const view = new CrystalView({ stage: $("stage"), box: $("viewer"), tip: $("tip"), onPick: (site) => mark(site, true) });
const batch = new Batch((item, ion) => select(item.id, ion));

// ---- Input ----

/** Take new structures; `ion` is the one to show, by default the one that the crystal holds. */
function give(inputs, ion = null) {
  state.items = inputs.slice(0, MOST_FILES).map((input) => ({
    id: nextId++,
    input: input.problem ? null : input,
    name: input.name ?? input.mp_id ?? input.example,
    problem: input.problem,
    pending: !input.problem,
  }));
  state.selected = null;
  state.fresh = true;
  state.wanted = ion;
  for (const id of ["batch-filter", "batch-low", "batch-high"]) $(id).value = "";
  if (inputs.length > MOST_FILES) say(`Only the first ${MOST_FILES} of ${inputs.length} files are taken.`);
  markExample();
  return run();
}

async function giveFiles(files) {
  if (!files.length) return;
  busy(true);
  const inputs = [];
  for (const file of [...files].slice(0, MOST_FILES + 1)) inputs.push(await readStructure(file));
  await give(inputs);
}

function giveText() {
  const text = $("text").value;
  // One line is not a structure, but a name: it stays text here, never a path.
  if (text.trim()) give([{ name: "pasted text", text: text.endsWith("\n") ? text : text + "\n" }]);
  else $("text").focus();
}

function giveId() {
  const id = $("mp").value.trim();
  if (id) give([{ mp_id: id }]);
  else $("mp").focus();
}

// ---- Prediction ----

async function run() {
  running?.abort();
  explaining?.abort();
  explanations = new Map();
  if (!state.items.length) return;
  $("no-ion").hidden = state.ions.length > 0;
  if (!state.ions.length) return;
  const abort = (running = new AbortController());
  const settings = { ions: state.ions, every: state.ions.length === IONS.length, assume: state.assume, model: state.model ?? undefined };
  busy(true, 0);
  const waiting = state.items.filter(({ input }) => input);
  let done = 0;
  try {
    while (done < waiting.length) {
      const part = [];
      let length = 0;
      for (const item of waiting.slice(done, done + AT_ONCE)) {
        length += item.input.text?.length ?? 0;
        if (part.length && length > AT_ONCE_CHARACTERS) break;
        part.push(item);
      }
      const results = await api.predict(part.map(({ input }) => input), settings, abort.signal);
      part.forEach((item, i) => {
        const { predictions, problem } = results[i] ?? { problem: { title: "No answer for this structure" } };
        Object.assign(item, { predictions, problem, pending: false });
      });
      done += part.length;
      busy(true, done / waiting.length);
      if (waiting.length > AT_ONCE) batch.show(state.items, state.ions, state.ion, state.selected);
    }
  } catch (error) {
    if (error.name === "AbortError") return;
    busy(false);
    failed(error);
    return;
  }
  busy(false);
  const first = current() ?? state.items.find(({ predictions }) => predictions) ?? state.items[0];
  const wanted = state.fresh ? state.wanted ?? heldIon(first) : null;
  const bring = state.fresh && matchMedia("(max-width: 760px)").matches;
  state.fresh = false;
  select(first.id, wanted);
  if (bring) $("result").scrollIntoView({ block: "start" });
}

const current = () => state.items.find(({ id }) => id === state.selected);
const prediction = () => current()?.predictions?.find(({ working_ion }) => working_ion === state.ion);

/** Show one structure, and one ion of it: the one given, else the one shown before, else the first. */
function select(id, ion) {
  state.selected = id;
  const choices = current().predictions?.map(({ working_ion }) => working_ion) ?? [];
  state.ion = [ion, state.ion].find((choice) => choices.includes(choice)) ?? choices[0] ?? state.ion;
  render();
  remember();
}

const heldIon = ({ predictions }) => predictions?.find(({ end_members }) => end_members === "discharged")?.working_ion;

// ---- Drawing ----

function render() {
  const item = current();
  $("empty").hidden = state.items.length > 0;
  batch.show(state.items, state.ions, state.ion, state.selected);
  $("problem").hidden = true;
  $("single").hidden = !item?.predictions;
  if (item?.problem) {
    drawProblem($("problem"), item.problem, null);
    say(`${item.name} was refused.`);
    return;
  }
  if (!item?.predictions) return;
  const p = prediction();
  drawCard($("card"), item.name, p, actions(item));
  drawChart();
  drawIonTable(item);
  say(`${p.formula}, ${p.working_ion}: ${fixed(p.voltage, 2)} volts${p.voltage_std === null ? "" : ` plus or minus ${fixed(p.voltage_std, 2)}`}, taken as ${p.end_members}.`);
  explainShown();
}

function actions(item) {
  const act = (label, run) => el("button", { type: "button", on: { click: run } }, label);
  const rows = item.predictions.map((p) => ({ ...p, source: item.name }));
  return [
    el("button", { type: "button", id: "copy-link", on: { click: copyLink } }, "Copy link"),
    act("CSV", () => download("ionvolt.csv", toCsv(COLUMNS, rows), "text/csv")),
    act("JSON", () => download("ionvolt.json", JSON.stringify(rows, null, 1) + "\n", "application/json")),
    el("span", { class: "note", id: "link-note", role: "status" }),
  ];
}

function drawChart() {
  const item = current();
  if (item?.predictions) drawBars($("chart"), item.predictions, state.ion, (ion) => ion !== state.ion && select(item.id, ion));
}

function drawIonTable(item) {
  const columns = [
    { key: "working_ion", label: "Ion", value: (p) => p.working_ion },
    { key: "voltage", label: "Voltage, V", numeric: true, descendingFirst: true, value: (p) => p.voltage, show: (p) => plusMinus(p.voltage, p.voltage_std) },
    { key: "end_members", label: "Taken as", value: (p) => p.end_members },
    { key: "capacity_grav", label: "mAh/g", numeric: true, value: (p) => p.capacity_grav, show: (p) => fixed(p.capacity_grav, 0) },
    { key: "energy_grav", label: "Wh/kg", numeric: true, value: (p) => p.energy_grav, show: (p) => fixed(p.energy_grav, 0) },
  ];
  const table = sortableTable(columns, { caption: "Predictions for each ion", rows: item.predictions, sort: { key: "none", descending: false }, key: (p) => p.working_ion, onRow: (p) => select(item.id, p.working_ion) });
  $("ion-table").replaceChildren(table.node);
  table.highlight(state.ion);
}

async function explainShown() {
  explaining?.abort();
  const abort = (explaining = new AbortController());
  const item = current();
  const key = `${item.id} ${state.ion}`;
  $("why").setAttribute("aria-busy", "true");
  try {
    if (!explanations.has(key)) {
      explanations.set(key, await api.explain(item.input, state.ion, { assume: state.assume, model: state.model ?? undefined }, abort.signal));
    }
  } catch (error) {
    if (error.name === "AbortError") return;
    $("why").hidden = $("sites-panel").hidden = true;
    $("explain-problem").hidden = false;
    $("explain-problem").textContent = `No local voltages: ${error.detail ?? error.message}`;
    return;
  } finally {
    if (explaining === abort) $("why").removeAttribute("aria-busy");
  }
  if (abort.signal.aborted) return;
  const sameHost = shown && shown.item === item.id && shown.explanation.sites.length === explanations.get(key).explanation.sites.length;
  const { explanation, cif } = explanations.get(key);
  shown = { item: item.id, explanation, cif, scale: divergingScale(explanation.sites.map(({ local_voltage }) => local_voltage)), site: null };
  $("why").hidden = $("sites-panel").hidden = false;
  $("explain-problem").hidden = true;
  const { sites, elements, mean_local_voltage: mean } = explanation;
  drawPeriodic($("periodic"), $("element-table"), elements, shown.scale, state.ion);
  $("sites-note").textContent = `${sites.length} atoms; the mean of their local voltages, ${fixed(mean, 2)} V, is the voltage that ${explanation.prediction.model} gives the crystal`;
  drawSites();
  if (!sameHost) $("cells").value = sites.length < 8 ? "2" : "1";
  drawView(sameHost);
}

function drawSites() {
  const { explanation, scale } = shown;
  const columns = [
    { key: "index", label: "Atom", title: "Place in the host, from 1", numeric: true, value: (s) => s.index, show: (s) => el("button", { type: "button", class: "link", "aria-label": `Show atom ${s.index + 1}` }, String(s.index + 1)) },
    { key: "element", label: "Element", value: (s) => s.element },
    { key: "local_voltage", label: "Local voltage, V", numeric: true, descendingFirst: true, value: (s) => s.local_voltage, show: (s) => [swatch(scale.colour(s.local_voltage)), plusMinus(s.local_voltage, s.local_voltage_std, scale.digits)] },
    { key: "coordination", label: "Coordination", title: "Effective coordination number (Hoppe)", numeric: true, value: (s) => s.coordination, show: (s) => fixed(s.coordination, 1) },
    { key: "neighbours", label: "Shell", value: (s) => s.neighbours, show: (s) => shell(s.neighbours) },
    ...["x", "y", "z"].map((axis, i) => ({ key: axis, label: axis, title: "Fractional coordinate", numeric: true, value: (s) => s.frac_coords[i], show: (s) => fixed(s.frac_coords[i], 4) })),
  ];
  siteTable = sortableTable(columns, { caption: "Sites of the host", rows: explanation.sites, key: (s) => s.index, onRow: (s) => mark(s.index, false) });
  $("site-table").replaceChildren(siteTable.node);
}

const shell = (text) => text.split(" ").flatMap((part, i) => [i ? " " : "", formula(part)]);

/** Light up a site in the table and in the crystal; once more puts it out. */
function mark(site, scroll) {
  if (!shown) return;
  shown.site = shown.site === site ? null : site;
  siteTable.highlight(shown.site, scroll);
  view.mark(shown.site);
}

async function drawView(keep) {
  const { explanation, scale } = shown;
  try {
    await view.ready();
  } catch (error) {
    $("viewer-note").textContent = error.message;
    $("viewer-note").hidden = false;
    for (const id of ["view-reset", "view-png", "cells"]) $(id).disabled = true;
    drawLegend();
    return;
  }
  const byElement = document.querySelector("[name=colour]:checked").value === "element";
  view.show({
    lattice: explanation.lattice,
    sites: explanation.sites,
    colour: byElement ? (site) => elementColour(site.element) : (site) => scale.colour(site.local_voltage),
    describe: (at) => describe(explanation.sites[at], scale),
    cells: Number($("cells").value),
    keep,
  });
  if (shown.site !== null) view.mark(shown.site);
  drawLegend();
}

function describe(site, scale) {
  return [
    el("b", {}, `${site.element} `),
    el("span", { class: "note" }, `atom ${site.index + 1}`),
    el("div", {}, swatch(scale.colour(site.local_voltage)), `${plusMinus(site.local_voltage, site.local_voltage_std, scale.digits)} V`),
    el("div", {}, `coordination ${fixed(site.coordination, 1)}: `, shell(site.neighbours)),
  ];
}

function elementColour(symbol) {
  const colours = window.$3Dmol.elementColors.Jmol;
  const found = Object.keys(colours).find((key) => key.toLowerCase() === symbol.toLowerCase());
  return "#" + (found ? colours[found] : 0x999999).toString(16).padStart(6, "0");
}

function drawLegend() {
  const { explanation, scale } = shown;
  if (document.querySelector("[name=colour]:checked").value === "element" && window.$3Dmol) {
    const symbols = Object.keys(explanation.elements);
    $("legend").replaceChildren(el("ul", { class: "keys" }, symbols.map((symbol) => el("li", {}, swatch(elementColour(symbol)), symbol))));
    return;
  }
  const { mean, reach, digits } = scale;
  $("legend").replaceChildren(
    el("span", { class: "ends" }, "lowers the voltage"),
    el("div", { class: "scale" }, el("i", { class: "ramp", "aria-hidden": "true" }),
      el("div", { class: "ticks" }, el("span", {}, fixed(mean - reach, digits)), el("span", {}, `mean ${fixed(mean, digits)} V`), el("span", {}, fixed(mean + reach, digits)))),
    el("span", { class: "ends" }, "raises it"),
  );
}

// ---- Words, waiting, links ----

function say(text) {
  $("live").textContent = text;
}

function busy(on, share = null) {
  $("result").setAttribute("aria-busy", String(on));
  $("progress").hidden = !on;
  $("progress").firstElementChild.style.width = share === null ? "15%" : `${Math.max(8, share * 100)}%`;
}

function failed(error) {
  $("empty").hidden = $("single").hidden = true;
  batch.show(state.items.some(({ predictions }) => predictions) ? state.items : [], state.ions, state.ion, null);
  drawProblem($("problem"), error, run);
}

let written = "";

async function remember() {
  const inputs = state.items.filter(({ input }) => input).map(({ input }) => input);
  const fragment = await toFragment({
    inputs, ions: state.ions.length === IONS.length ? null : state.ions, ion: state.ion, assume: state.assume, model: state.model,
  });
  written = fragment ?? "";
  history.replaceState(null, "", fragment ?? location.pathname);
}

async function copyLink() {
  await remember();
  const note = $("link-note");
  if (!written) {
    note.textContent = "These structures do not fit into a link; download the results instead.";
    return;
  }
  try {
    await navigator.clipboard.writeText(location.href);
    note.textContent = "Copied. The link holds the structure itself.";
  } catch {
    const field = el("input", { type: "text", readonly: true, "aria-label": "Link to this result", value: location.href });
    note.replaceChildren("Copy this: ", field);
    field.select();
  }
}

async function reopen() {
  if (location.hash === written || location.hash.length < 2) return;
  let opened;
  try {
    opened = await fromFragment(location.hash);
  } catch {
    failed({ title: "This link is damaged", rule: "the part after # does not unpack to a structure", remedy: "Ask for the link again, or give the structure's file" });
    return;
  }
  if (!opened) return;
  state.ions = opened.ions ? IONS.filter((ion) => opened.ions.includes(ion)) : [...IONS];
  state.assume = ["auto", "charged", "discharged"].includes(opened.assume) ? opened.assume : "auto";
  state.model = opened.model ?? state.model;
  showSettings();
  await give(opened.inputs, opened.ion);
}

function showSettings() {
  for (const box of document.querySelectorAll("[name=ion]")) box.checked = state.ions.includes(box.value);
  $("all-ions").checked = state.ions.length === IONS.length;
  $("all-ions").indeterminate = state.ions.length > 0 && state.ions.length < IONS.length;
  document.querySelector(`[name=assume][value=${state.assume}]`).checked = true;
  if (state.model) $("model").value = state.model;
}

function markExample() {
  const name = state.items.length === 1 ? state.items[0].input?.example : null;
  for (const chip of $("examples").children) chip.setAttribute("aria-pressed", String(chip.dataset.id === name));
}

// ---- Wiring ----

$("ion-list").append(...IONS.map((ion) => el("label", { class: "toggle" }, el("input", { type: "checkbox", name: "ion", value: ion, checked: true }), el("span", {}, ion))));
let soon = null;
$("ions").addEventListener("change", (event) => {
  if (event.target.id === "all-ions") state.ions = event.target.checked ? [...IONS] : [];
  else state.ions = IONS.filter((ion) => document.querySelector(`[name=ion][value=${ion}]`).checked);
  showSettings();
  $("no-ion").hidden = state.ions.length > 0;
  clearTimeout(soon);
  soon = setTimeout(run, 180);
});
$("assume").addEventListener("change", (event) => {
  state.assume = event.target.value;
  run();
});
$("files").addEventListener("change", async (event) => {
  await giveFiles(event.target.files);
  event.target.value = "";
});
$("text-go").addEventListener("click", giveText);
$("text").addEventListener("keydown", (event) => (event.ctrlKey || event.metaKey) && event.key === "Enter" && giveText());
$("mp-go").addEventListener("click", giveId);
$("mp").addEventListener("keydown", (event) => event.key === "Enter" && (event.preventDefault(), giveId()));
$("form").addEventListener("submit", (event) => event.preventDefault());

let inside = 0;
const carries = (event) => event.dataTransfer?.types.includes("Files");
addEventListener("dragenter", (event) => carries(event) && ((inside += 1), ($("veil").hidden = false)));
addEventListener("dragleave", (event) => carries(event) && (inside -= 1) <= 0 && ((inside = 0), ($("veil").hidden = true)));
addEventListener("dragover", (event) => carries(event) && event.preventDefault());
addEventListener("drop", (event) => {
  inside = 0;
  $("veil").hidden = true;
  if (!carries(event)) return;
  event.preventDefault();
  giveFiles(event.dataTransfer.files);
});
addEventListener("paste", (event) => {
  if (/^(INPUT|TEXTAREA)$/.test(event.target.tagName)) return;
  const files = event.clipboardData?.files;
  if (files?.length) giveFiles(files);
  else {
    const text = event.clipboardData?.getData("text") ?? "";
    if (text.includes("\n")) give([{ name: "pasted text", text }]);
  }
});
for (const radio of document.querySelectorAll("[name=colour]")) radio.addEventListener("change", () => shown && drawView(true));
$("cells").addEventListener("change", () => shown && drawView(false));
$("view-reset").addEventListener("click", () => view.view && view.reset());
$("view-png").addEventListener("click", () => {
  const bytes = Uint8Array.from(atob(view.png().split(",")[1]), (character) => character.charCodeAt(0));
  download("ionvolt-crystal.png", bytes, "image/png");
});
$("sites-csv").addEventListener("click", () => {
  const rows = shown.explanation.sites.map((s) => ({ ...s, x: s.frac_coords[0], y: s.frac_coords[1], z: s.frac_coords[2] }));
  download("ionvolt-sites.csv", toCsv(["index", "element", "local_voltage", "local_voltage_std", "coordination", "neighbours", "x", "y", "z"], rows), "text/csv");
});
$("sites-cif").addEventListener("click", () => download("ionvolt.cif", shown.cif, "chemical/x-cif"));
addEventListener("hashchange", reopen);
let width = 0;
new ResizeObserver(([entry]) => {
  if (Math.abs(entry.contentRect.width - width) < 2) return;
  width = entry.contentRect.width;
  drawChart();
}).observe($("chart"));

const THEMES = { system: "dark", dark: "light", light: "system" };
function theme(choice) {
  const names = { system: "as the system", dark: "dark", light: "light" };
  if (choice === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
  try {
    if (choice === "system") localStorage.removeItem("ionvolt-theme");
    else localStorage.setItem("ionvolt-theme", choice);
  } catch {
    // Storage is off: the choice holds for this visit.
  }
  $("theme").title = `Colours: ${names[choice]}`;
  $("theme").setAttribute("aria-label", `Colours: ${names[choice]}`);
  repaint();
}
function repaint() {
  view.repaint();
  if (view.view && shown) drawView(true);
}
$("theme").addEventListener("click", () => theme(THEMES[document.documentElement.dataset.theme ?? "system"]));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
if (document.documentElement.dataset.theme) theme(document.documentElement.dataset.theme);

async function start() {
  const [examples, models] = await Promise.allSettled([api.examples(), api.models()]);
  if (examples.status === "fulfilled") {
    $("examples").replaceChildren(...examples.value.examples.map(({ id, formula: text, title }) =>
      el("button", { type: "button", class: "chip", title, "data-id": id, "aria-pressed": "false", on: { click: () => give([{ example: id }]) } }, formula(text ?? id))));
    markExample();
  } else {
    $("examples").replaceChildren(el("span", { class: "note" }, examples.reason.rule ?? examples.reason.message));
  }
  const names = models.status === "fulfilled" ? (models.value.models ?? []).map((model) => model.name) : [];
  $("model").replaceChildren(...names.map((name) => el("option", { value: name }, name)));
  // The best model answers here unless another is chosen; the atoms are explained by the network that can.
  if (!state.model && names.includes("auto")) state.model = "auto";
  if (state.model) $("model").value = state.model;
  $("model-label").hidden = names.length < 2;
}
$("model").addEventListener("change", (event) => {
  state.model = event.target.value;
  run();
});

// The models first: a link that names none is answered by the best one.
start().finally(reopen);
