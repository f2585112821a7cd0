// The page: input on one side, the result on the other, and the link that reopens it.

import * as api from "./api.js";
import { droppedFiles, opened } from "./archives.js";
import { Batch, COLUMNS } from "./batch.js";
import { drawCard, drawProblem, seconds, sentence } from "./card.js";
import { drawBars } from "./chart.js";
import { Crystal } from "./crystal.js";
import { $, el, fixed, plusMinus, formula } from "./dom.js";
import { download, readStructure, toCsv } from "./files.js";
import { Landscape } from "./landscape.js";
import { Long } from "./long.js";
import { newItem, predictionsOf, Run } from "./run.js";
import { fromFragment, toFragment } from "./state.js";
import { sortableTable, tellsScrolling } from "./table.js";
import { grouped, reaction } from "./words.js";

const IONS = ["Li", "Na", "K", "Rb", "Cs", "Mg", "Ca", "Zn", "Al", "Y"];
const FORMULAS = { "discharged-formula": "discharged_formula", "charged-formula": "charged_formula" };
const MOST_FILES = 500;
const BATCH_PAUSE = 400; // ms between drawings of a long table that fills
const DISORDERED = /occupan|disorder|partly|partially/i;
const SAY_PAUSE = 5000; // ms between announcements of progress

const state = {
  items: [], // see run.js
  selected: null, // id of the item shown
  chosen: false, // whether the user chose it
  ion: null, // the ion shown
  ions: [...IONS],
  assume: "auto",
  model: null,
  fresh: false, // new structures: the ion shown is still to be found
  more: {}, // charged structure, formulas, exchange, relax
  charged: null, // the charged structure given
  failure: null, // what stopped everything
  wanted: null, // the ion that a link asks for
  models: [],
};
let nextId = 0;

const run = new Run(changed, ended);
const batch = new Batch((item, ion) => choose(item.id, ion));
const crystal = new Crystal();
const landscape = new Landscape();
const long = new Long((input) => give([input]), say);

// ---- Input ----

/** Take new structures; `ion` is the one to show, by default the one that the crystal holds. */
function give(inputs, ion = null) {
  state.items = inputs.slice(0, MOST_FILES).map((input) => newItem(nextId++, input));
  state.selected = (state.items.find(({ problem }) => !problem) ?? state.items[0])?.id ?? null;
  state.chosen = false;
  state.fresh = true;
  state.wanted = ion;
  state.ion = ion ?? state.ion;
  for (const id of ["batch-filter", "batch-low", "batch-high", "batch-capacity"]) $(id).value = "";
  $("batch-domain").checked = false;
  if (inputs.length > MOST_FILES) say(`Only the first ${MOST_FILES} of ${inputs.length} files are taken.`);
  markExample();
  return ask();
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

/** An id is fetched; a formula is searched for. */
async function findMaterial() {
  const text = $("mp").value.trim();
  $("mp-note").textContent = "";
  $("mp-found").replaceChildren();
  if (!text) $("mp").focus();
  else if (/^(mp|mvc)-/i.test(text)) give([{ mp_id: text }]);
  else {
    $("mp-note").textContent = "Searching…";
    try {
      const found = await api.materials(text);
      $("mp-note").textContent = found.length ? `${found.length} ${found.length === 1 ? "material" : "materials"}, the most stable first` : "No material of this formula.";
      $("mp-found").replaceChildren(...found.map((material) => el("li", {}, materialButton(material))));
    } catch (error) {
      $("mp-note").textContent = error.detail ?? error.message;
    }
  }
}

function materialButton({ id, formula: text, space_group: group, n_atoms: atoms, above_hull: above }) {
  const facts = [group, atoms === null ? "" : `${atoms} atoms`, above === null ? "" : `${fixed(1000 * above, 0)} meV/atom above the hull`];
  return el("button", { type: "button", class: "link", on: { click: () => give([{ mp_id: id }]) } }, formula(text || id), ` ${id}: ${facts.filter(Boolean).join(", ")}`);
}

// ---- Asking ----

/** How structures are read and which model answers, as the server takes it. */
function asked() {
  const { charged, ...more } = state.more;
  const fits = charged && state.items.length === 1;
  return { assume: state.assume, model: state.model ?? undefined, ...more, ...(fits ? { charged } : {}) };
}

/** Ask for what is not known yet. */
async function ask() {
  if (!state.items.length) return;
  $("no-ion").hidden = state.ions.length > 0;
  if (!state.ions.length) {
    run.stop();
    busy(false);
    return;
  }
  const first = state.fresh ? state.wanted : state.ion;
  const began = state.items;
  state.failure = null;
  busy(true);
  if (state.fresh && matchMedia("(max-width: 760px)").matches) $("result").scrollIntoView({ block: "start" });
  try {
    await run.start(began, { ...asked(), ions: state.ions, first: state.ions.includes(first) ? first : null });
  } catch (error) {
    if (began === state.items) failed(error);
  }
}

let drawnBatch = 0;
let later = null;
let lastSaid = 0;

/** Something has come for an item, or (null) for any. */
function changed(item) {
  busy(run.busy);
  const awaited = state.fresh;
  findIon();
  // On a phone the page was too short to bring the first answer into view before it came.
  if (awaited && !state.fresh && matchMedia("(max-width: 760px)").matches)
    requestAnimationFrame(() => requestAnimationFrame(() => $("result").scrollIntoView({ block: "start" })));
  if (!state.chosen && current()?.problem) {
    const better = state.items.find(({ answers, problem }) => answers.size && !problem);
    if (better) state.selected = better.id;
  }
  clearTimeout(later);
  const wait = state.items.length > 20 ? Math.max(0, drawnBatch + BATCH_PAUSE - performance.now()) : 0;
  if (wait && item !== current()) later = setTimeout(render, wait);
  else requestAnimationFrame(render);
}

function ended() {
  busy(false);
  state.fresh = false;
  render();
  remember();
}

/** The ion to show: the one wanted, else the one that the structure holds, else the first. */
function findIon() {
  const item = current();
  if (!item) return;
  if (state.fresh && (item.facts || item.answers.size)) {
    const held = (item.facts?.holds ?? []).filter((ion) => state.ions.includes(ion));
    state.ion = [state.wanted, ...held].find((ion) => state.ions.includes(ion)) ?? state.ions[0];
    state.fresh = false;
  }
  if (!state.ions.includes(state.ion) && !state.fresh) state.ion = state.ions[0];
}

const current = () => state.items.find(({ id }) => id === state.selected);

/** Show one structure, and one ion of it: the one given, else the one shown before. */
function choose(id, ion) {
  state.selected = id;
  state.chosen = true;
  if (ion) state.ion = ion;
  state.fresh = false;
  findIon();
  render();
  remember();
}

// ---- Drawing ----

let drawn = {};

/** Call `draw` where its key has changed since the last time. */
function once(name, key, draw) {
  const text = JSON.stringify(key);
  if (drawn[name] === text) return;
  drawn[name] = text;
  draw();
}

const slotsOf = (item) => state.ions.map((ion) => {
  const answer = item.answers.get(ion);
  return { ion, prediction: answer?.prediction, problem: answer?.problem, stale: item.waiting.has(ion) ? item.stale.get(ion)?.prediction : undefined, waiting: item.waiting.has(ion) };
});

function render() {
  clearTimeout(later);
  const item = current();
  $("empty").hidden = state.items.length > 0 || state.failure !== null;
  drawnBatch = performance.now();
  if (state.failure) {
    $("single").hidden = true;
    batch.show([], state.ions, state.ion, null);
    drawProblem($("problem"), state.failure, state.items.length ? ask : null);
    return;
  }
  batch.show(state.items, state.ions, state.ion, state.selected);
  if (!item) return;
  $("problem").hidden = !item.problem;
  $("single").hidden = Boolean(item.problem) || !(item.facts || item.stale.size || item.answers.size || item.waiting.size);
  if (item.problem) {
    once("problem", [item.id, item.problem, run.busy], () => {
      drawProblem($("problem"), item.problem, item.input && api.mayPass(item.problem) && !run.busy ? ask : null);
      if (item.input?.text && DISORDERED.test(item.problem.rule)) {
        $("problem").append(orderButton(item));
      }
    });
    $("problem").hidden = false;
    once("said", [item.id, item.problem], () => say(`${item.name}: ${item.problem.rule ?? item.problem.title}`));
    return;
  }
  if ($("single").hidden) return;
  const slots = slotsOf(item);
  const slot = slots.find(({ ion }) => ion === state.ion) ?? { ion: state.ion };
  const p = slot.prediction;
  once("card", [item.id, item.facts?.formula, slot, p ? null : Math.ceil(run.left ?? 0), run.busy], () => {
    const errors = state.models.find(({ name }) => name === (p ?? slot.stale)?.model)?.errors?.[state.ion];
    const retry = !run.busy && slot.problem && api.mayPass(slot.problem) ? ask : null;
    drawCard($("card"), { item, ...slot, left: run.left, errors }, actions(item), retry);
  });
  drawChart();
  once("refused", [item.id, slots.map(({ ion, problem }) => [ion, problem])], () => drawRefused(item, slots));
  once("ions", [item.id, state.ion, slots], () => drawIonTable(item, slots));
  if (p) {
    once("said", [item.id, p], () => say(`${p.formula}, ${p.working_ion}: ${fixed(p.voltage, 2)} volts${p.voltage_std === null ? "" : ` plus or minus ${fixed(p.voltage_std, 2)}`}, ${reaction(p).text}.`));
    once("known", [item.id, p], () => landscape.show(p));
    crystal.show(item, p, asked());
    long.offer(item, p, state.more.charged);
  } else {
    once("known", [item.id, null], () => landscape.show(null));
    long.offer(null);
    if (slot.problem && !slot.waiting) crystal.none("There are no local voltages without a voltage.");
    else crystal.wait();
  }
}

function actions(item) {
  const act = (label, does) => el("button", { type: "button", on: { click: does } }, label);
  const rows = () => predictionsOf(item, state.ions).map((p) => ({ ...p, source: item.name }));
  return [
    el("button", { type: "button", id: "copy-link", on: { click: copyLink } }, "Copy link"),
    act("CSV", () => download("ionvolt.csv", toCsv(COLUMNS, rows()), "text/csv")),
    act("JSON", () => download("ionvolt.json", JSON.stringify(rows(), null, 1) + "\n", "application/json")),
    el("span", { class: "note", id: "link-note", role: "status" }),
  ];
}

function drawChart() {
  const item = current();
  if (!item || $("single").hidden) return;
  const slots = slotsOf(item);
  once("chart", [item.id, slots, state.ion, $("chart").clientWidth], () =>
    drawBars($("chart"), $("chart-kinds"), slots, state.ion, (ion) => ion !== state.ion && choose(item.id, ion)));
}

const orderButton = (item) => el("button", { type: "button", id: "order", on: { click: () => long.order(item, state) } }, "Order it (minutes)");

/** Why some ions have no bar. */
function drawRefused(item, slots) {
  const refusals = slots.filter(({ problem, waiting }) => problem && !waiting);
  const disordered = item.input?.text && refusals.some(({ problem }) => DISORDERED.test(problem.rule ?? ""));
  const again = refusals.some(({ problem }) => api.mayPass(problem));
  $("chart-refused").replaceChildren(...grouped(refusals).map(({ ions, problem }) =>
    el("p", { class: "note" }, el("b", {}, `No voltage for ${ions.join(", ")}: `), sentence(problem.rule ?? problem.title ?? "no answer came"), problem.remedy ? ` ${sentence(problem.remedy)}` : "")),
  ...(again ? [el("button", { type: "button", id: "retry", on: { click: ask } }, "Ask again")] : []),
  ...(disordered ? [orderButton(item)] : []));
}

function drawIonTable(item, slots) {
  const columns = [
    { key: "working_ion", label: "Ion", value: ({ ion }) => ion },
    { key: "voltage", label: "Voltage, V", numeric: true, descendingFirst: true, value: ({ prediction: p }) => p?.voltage ?? null, show: ({ prediction: p, waiting }) => (p ? plusMinus(p.voltage, p.voltage_std) : waiting ? "…" : "–") },
    { key: "reaction", label: "Ion and host", value: ({ prediction: p }) => (p ? reaction(p).text : null) },
    { key: "capacity_grav", label: "mAh/g", numeric: true, value: ({ prediction: p }) => p?.capacity_grav ?? null, show: ({ prediction: p }) => fixed(p?.capacity_grav, 0) },
    { key: "energy_grav", label: "Wh/kg", numeric: true, value: ({ prediction: p }) => p?.energy_grav ?? null, show: ({ prediction: p }) => fixed(p?.energy_grav, 0) },
  ];
  const table = sortableTable(columns, { caption: "Predictions for each ion", rows: slots, sort: { key: "none", descending: false }, key: ({ ion }) => ion, onRow: ({ ion }) => choose(item.id, ion) });
  $("ion-table").replaceChildren(table.node);
  table.highlight(state.ion);
}

// ---- Words, waiting, links ----

function say(text) {
  $("live").textContent = text;
}

function busy(on) {
  $("result").setAttribute("aria-busy", String(on));
  $("running").hidden = !on;
  const { done, total, left } = run;
  const share = total ? done / total : 0;
  const bar = $("progress");
  bar.firstElementChild.style.width = `${Math.max(4, 100 * share)}%`;
  bar.setAttribute("aria-valuenow", String(Math.round(100 * share)));
  const words = on && total ? `${done} of ${total} ${state.items.length > 1 ? "voltages" : total === 1 ? "ion" : "ions"}${left ? `, about ${seconds(left)} left` : ""}` : "";
  $("progress-text").textContent = words;
  bar.setAttribute("aria-valuetext", words);
  $("cancel").hidden = !run.busy;
  if (!on) {
    if ($("live-progress").textContent) $("live-progress").textContent = total ? `${done} of ${total} answered` : "";
    lastSaid = performance.now();
  } else if (words && performance.now() - lastSaid > SAY_PAUSE) {
    lastSaid = performance.now();
    $("live-progress").textContent = words;
  }
}

/** Everything was stopped: told in the place of the result, but where some of it is there. */
function failed(error) {
  busy(false);
  if (state.items.some((item) => predictionsOf(item, IONS).length)) return;
  state.failure = error;
  render();
}

/** The fragment whose state is shown: written here, or opened. */
let written = "";

async function remember() {
  const items = state.items;
  const inputs = state.items.filter(({ input }) => input).map(({ input }) => input);
  const fragment = await toFragment({
    inputs, ions: state.ions.length === IONS.length ? null : state.ions, ion: state.ion, assume: state.assume, model: state.model,
    more: state.more,
  });
  // A link opened, or structures given, while these were packed: theirs is the state.
  if (location.hash !== written || items !== state.items) return;
  history.replaceState(null, "", fragment ?? location.pathname);
  written = location.hash;
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
  written = location.hash;
  let opened;
  try {
    opened = await fromFragment(written);
  } catch {
    state.items = [];
    failed({ title: "This link is damaged", rule: "the part after # does not unpack to a structure", remedy: "Ask for the link again, or give the structure's file" });
    return;
  }
  if (!opened) return;
  state.ions = opened.ions ? IONS.filter((ion) => opened.ions.includes(ion)) : [...IONS];
  state.assume = ["auto", "emptied", "charged", "discharged"].includes(opened.assume) ? opened.assume : "auto";
  state.model = opened.model ?? state.model;
  state.more = opened.more;
  state.charged = opened.more.charged ?? null;
  showSettings();
  await give(opened.inputs, opened.ion);
}

function showSettings() {
  for (const box of document.querySelectorAll("[name=ion]")) box.checked = state.ions.includes(box.value);
  $("all-ions").checked = state.ions.length === IONS.length;
  $("all-ions").indeterminate = state.ions.length > 0 && state.ions.length < IONS.length;
  document.querySelector(`[name=assume][value=${state.assume}]`).checked = true;
  if (state.model) $("model").value = state.model;
  for (const [id, name] of Object.entries(FORMULAS)) $(id).value = state.more[name] ?? "";
  for (const id of ["exchange", "relax"]) $(id).checked = Boolean(state.more[id]);
  showCharged();
  if (Object.keys(state.more).length) $("more").open = true;
}

function showCharged() {
  $("charged-clear").hidden = !state.charged;
  $("charged-clear").textContent = state.charged ? `Clear ${state.charged.name ?? ""}` : "Clear";
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
  soon = setTimeout(ask, 180);
});
$("assume").addEventListener("change", (event) => {
  if (event.target.name !== "assume") return; // of what stands below: see "more"
  state.assume = event.target.value;
  ask();
});
$("more").addEventListener("change", async (event) => {
  const more = {};
  const file = $("charged-file").files[0];
  if (event.target.id === "charged-file" && file) {
    const read = await readStructure(file);
    if (read.problem) say(`${read.name}: ${read.problem.rule}`);
    else state.charged = read;
  }
  showCharged();
  if (state.charged) more.charged = state.charged;
  for (const [id, name] of Object.entries(FORMULAS)) if ($(id).value.trim()) more[name] = $(id).value.trim();
  for (const id of ["exchange", "relax"]) if ($(id).checked) more[id] = true;
  state.more = more;
  ask();
});
$("charged-clear").addEventListener("click", () => {
  state.charged = null;
  $("charged-file").value = "";
  $("more").dispatchEvent(new Event("change"));
});
$("files").addEventListener("change", async (event) => {
  await giveFiles(await opened([...event.target.files]));
  event.target.value = "";
});
$("text-go").addEventListener("click", giveText);
$("text").addEventListener("keydown", (event) => (event.ctrlKey || event.metaKey) && event.key === "Enter" && giveText());
$("mp-go").addEventListener("click", findMaterial);
$("mp").addEventListener("keydown", (event) => event.key === "Enter" && (event.preventDefault(), findMaterial()));
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
  droppedFiles(event.dataTransfer).then(giveFiles);
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
$("cancel").addEventListener("click", () => run.cancel(state.items));
addEventListener("pagehide", () => run.left_behind());
for (const box of document.querySelectorAll(".scroll")) tellsScrolling(box);
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
  crystal.repaint();
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
  state.models = models.status === "fulfilled" ? models.value.models ?? [] : [];
  $("mp-panel").hidden = !models.value?.materials_project;
  const names = state.models.map(({ name }) => name);
  $("model").replaceChildren(...state.models.map((model) => el("option", { value: model.name, title: model.description }, model.default && names.length > 1 ? `${model.name} (default)` : model.name)));
  const standard = state.models.find((model) => model.default)?.name;
  if (!names.includes(state.model)) state.model = null;
  if (state.model ?? standard) $("model").value = state.model ?? standard;
  $("model-label").hidden = names.length < 2;
}
$("model").addEventListener("change", (event) => {
  state.model = event.target.value;
  ask();
});

// The models first: a link that names none is answered by the default.
start().finally(reopen);
