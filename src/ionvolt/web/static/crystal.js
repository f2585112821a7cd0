// The crystal of the ion shown: atoms in 3D and in tables, coloured by what is wanted, and files of the structure.

import * as api from "./api.js";
import { $, el, fixed, formula, plusMinus } from "./dom.js";
import { download, toCsv } from "./files.js";
import { drawPeriodic, swatch } from "./periodic.js";
import { divergingScale, sequentialScale } from "./scale.js";
import { sortableTable } from "./table.js";
import { CrystalView } from "./viewer.js";
import { isDischarged } from "./words.js";

const FILES = { cif: ["cif", "chemical/x-cif"], poscar: ["vasp", "text/plain"], extxyz: ["xyz", "text/plain"], pymatgen: ["json", "application/json"] };

export class Crystal {
  constructor() {
    this.view = new CrystalView({ stage: $("stage"), box: $("viewer"), tip: $("tip"), onPick: (site) => this.mark(site, true) });
    Object.assign(this, { known: new Map(), files: new Map(), asking: null, key: null, shown: null, table: null, item: null, prediction: null });
    for (const radio of document.querySelectorAll("[name=colour]")) radio.addEventListener("change", () => this.recolour());
    $("cells").addEventListener("change", () => this.draw(false));
    $("beyond").addEventListener("change", () => this.draw(true));
    $("polyhedra").addEventListener("change", () => this.draw(true));
    $("view-reset").addEventListener("click", () => this.view.view && this.view.reset());
    $("view-png").addEventListener("click", () => {
      const bytes = Uint8Array.from(atob(this.view.png().split(",")[1]), (character) => character.charCodeAt(0));
      download("ionvolt-crystal.png", bytes, "image/png");
    });
    $("sites-csv").addEventListener("click", () => {
      const rows = this.shown.explanation.sites.map((s) => ({ ...s, x: s.frac_coords[0], y: s.frac_coords[1], z: s.frac_coords[2] }));
      download("ionvolt-sites.csv", toCsv(["index", "element", "local_voltage", "local_voltage_std", "coordination", "neighbours", "x", "y", "z"], rows), "text/csv");
    });
    $("sites-cif").addEventListener("click", () => download("ionvolt.cif", this.shown.cif, "chemical/x-cif"));
    for (const button of document.querySelectorAll("[data-format]")) button.addEventListener("click", () => this.give(button.dataset.format));
  }

  /** Show the host of a prediction, once its local voltages have come. */
  async show(item, prediction, settings) {
    const key = `${item.id} ${prediction.working_ion} ${JSON.stringify(settings)}`;
    if (key === this.key) return;
    this.asking?.abort();
    const abort = (this.asking = new AbortController());
    Object.assign(this, { key, item, prediction, settings });
    $("why").setAttribute("aria-busy", "true");
    let found;
    try {
      found = this.known.get(key) ?? (await api.explain(item.input, prediction.working_ion, settings, abort.signal));
    } catch (error) {
      if (error.name !== "AbortError") this.none(`No local voltages: ${error.detail ?? error.message}`);
      return;
    } finally {
      if (this.asking === abort) $("why").removeAttribute("aria-busy");
    }
    if (abort.signal.aborted) return;
    this.known.set(key, found);
    if (this.known.size > 60) this.known.delete(this.known.keys().next().value);
    this.take(item, found);
  }

  /** The prediction is still to come: what is shown is that of before. */
  wait() {
    this.asking?.abort();
    this.key = null;
    $("why").setAttribute("aria-busy", "true");
  }

  /** There is nothing to show, and why. */
  none(why) {
    this.asking?.abort();
    this.key = null;
    $("why").removeAttribute("aria-busy");
    $("why").hidden = $("sites-panel").hidden = true;
    $("explain-problem").hidden = false;
    $("explain-problem").textContent = why;
  }

  take(item, { explanation, cif }) {
    const sameHost = this.shown && this.shown.item === item.id && this.shown.explanation.sites.length === explanation.sites.length;
    const scale = divergingScale(explanation.sites.map(({ local_voltage }) => local_voltage));
    this.shown = { item: item.id, explanation, cif, scale, site: null, oxidation: null };
    $("why").hidden = $("sites-panel").hidden = false;
    $("explain-problem").hidden = true;
    const { sites, elements, mean_local_voltage: mean, prediction: theirs, remainder, remainder_share: share } = explanation;
    const other = theirs.model !== this.prediction.model;
    // Where another model explains than the one that answered, every number here is that model's.
    const whose = other ? `Explained by ${theirs.model}, which gives ${fixed(theirs.voltage, 2)} V here; the voltage above is ${this.prediction.model}'s.` : "";
    const rest = Math.abs(remainder) > 0.005 ? `${fixed(remainder, 2)} V (${fixed(100 * share, 0)} %) belong to no atom: ${explanation.remainder_is}.` : "";
    for (const id of ["explained-by", "elements-by"]) $(id).textContent = [whose, rest].filter(Boolean).join(" ");
    $("explained-by").title = explanation.notes.join(" ");
    drawPeriodic($("periodic"), $("element-table"), elements, scale, this.prediction.working_ion);
    $("sites-note").textContent = `${sites.length} ${sites.length === 1 ? "atom" : "atoms"}; the mean of their local voltages, ${fixed(mean, 2)} V, is the voltage of ${theirs.model}`;
    this.drawSites();
    if (!sameHost) $("cells").value = sites.length < 8 ? "2" : "1";
    const charged = $("file-role").querySelector("[value=charged]");
    charged.disabled = !isDischarged(this.prediction);
    if (charged.disabled) $("file-role").value = "given";
    this.draw(sameHost);
  }

  drawSites() {
    const { explanation, scale } = this.shown;
    const columns = [
      { key: "index", label: "Atom", title: "Place in the host, from 1", numeric: true, value: (s) => s.index, show: (s) => el("button", { type: "button", class: "link", "aria-label": `Show atom ${s.index + 1}` }, String(s.index + 1)) },
      { key: "element", label: "Element", value: (s) => s.element },
      { key: "local_voltage", label: "Local voltage, V", numeric: true, descendingFirst: true, value: (s) => s.local_voltage, show: (s) => [swatch(scale.colour(s.local_voltage)), plusMinus(s.local_voltage, s.local_voltage_std, scale.digits)] },
      { key: "coordination", label: "Coordination", title: "Effective coordination number (Hoppe)", numeric: true, value: (s) => s.coordination, show: (s) => fixed(s.coordination, 1) },
      { key: "neighbours", label: "Shell", value: (s) => s.neighbours, show: (s) => shell(s.neighbours) },
      ...["x", "y", "z"].map((axis, i) => ({ key: axis, label: axis, title: "Fractional coordinate", numeric: true, value: (s) => s.frac_coords[i], show: (s) => fixed(s.frac_coords[i], 4) })),
    ];
    this.table = sortableTable(columns, { caption: "Sites of the host", rows: explanation.sites, key: (s) => s.index, onRow: (s) => this.mark(s.index, false) });
    $("site-table").replaceChildren(this.table.node);
  }

  /** Light up a site in the table and in the crystal; once more puts it out. */
  mark(site, scroll) {
    if (!this.shown) return;
    this.shown.site = this.shown.site === site ? null : site;
    this.table.highlight(this.shown.site, scroll);
    this.view.mark(this.shown.site);
  }

  async recolour() {
    if (!this.shown) return;
    const { shown } = this;
    if (colouring() === "oxidation" && !shown.oxidation) {
      try {
        const structures = await this.structures();
        const host = structures.find(({ role }) => role === "charged") ?? structures[0];
        shown.oxidation = host.oxidation ?? {};
      } catch (error) {
        $("file-note").textContent = error.detail ?? error.message;
        shown.oxidation = {};
      }
      if (shown !== this.shown) return;
    }
    this.draw(true);
  }

  async draw(keep) {
    if (!this.shown) return;
    const { explanation } = this.shown;
    try {
      await this.view.ready();
    } catch (error) {
      $("viewer-note").textContent = error.message;
      $("viewer-note").hidden = false;
      for (const id of ["view-reset", "view-png", "cells", "beyond", "polyhedra"]) $(id).disabled = true;
      this.legend();
      return;
    }
    this.view.show({
      lattice: explanation.lattice,
      sites: explanation.sites,
      colour: this.painter(),
      describe: (at) => this.describe(explanation.sites[at]),
      cells: Number($("cells").value),
      beyond: $("beyond").checked,
      polyhedra: $("polyhedra").checked,
      keep,
    });
    if (this.shown.site !== null) this.view.mark(this.shown.site);
    this.legend();
  }

  painter() {
    const { explanation, scale, oxidation } = this.shown;
    const by = colouring();
    if (by === "element") return (site) => elementColour(site.element);
    if (by === "coordination") {
      const levels = sequentialScale(explanation.sites.map(({ coordination }) => coordination));
      return (site) => levels.colour(site.coordination);
    }
    if (by === "oxidation" && oxidation) return (site) => oxidationColour(oxidation[site.element]);
    return (site) => scale.colour(site.local_voltage);
  }

  describe(site) {
    const { scale, oxidation } = this.shown;
    const state = oxidation?.[site.element];
    return [
      el("b", {}, `${site.element} `),
      el("span", { class: "note" }, `atom ${site.index + 1}`),
      el("div", {}, swatch(scale.colour(site.local_voltage)), `${plusMinus(site.local_voltage, site.local_voltage_std, scale.digits)} V`),
      el("div", {}, `coordination ${fixed(site.coordination, 1)}: `, shell(site.neighbours)),
      ...(state === undefined ? [] : [el("div", {}, `oxidation state ${signed(state)} (guess from the formula)`)]),
    ];
  }

  legend() {
    const { explanation, scale, oxidation } = this.shown;
    const by = colouring();
    const box = $("legend");
    if (by === "element" && window.$3Dmol) {
      const symbols = Object.keys(explanation.elements);
      box.replaceChildren(el("ul", { class: "keys" }, symbols.map((symbol) => el("li", {}, swatch(elementColour(symbol)), symbol))));
      return;
    }
    if (by === "oxidation" && oxidation) {
      const symbols = Object.keys(explanation.elements);
      const known = symbols.filter((symbol) => oxidation[symbol] !== undefined);
      box.replaceChildren(known.length
        ? el("ul", { class: "keys" }, known.map((symbol) => el("li", {}, swatch(oxidationColour(oxidation[symbol])), `${symbol} ${signed(oxidation[symbol])}`)), el("li", { class: "note" }, "guessed from the host's formula"))
        : el("span", { class: "note" }, "No oxidation states balance the host's formula, or it is too large to guess them."));
      return;
    }
    if (by === "coordination") {
      const { low, high } = sequentialScale(explanation.sites.map(({ coordination }) => coordination));
      box.replaceChildren(ramp("levels", [fixed(low, 1), "effective coordination number", fixed(high, 1)]));
      return;
    }
    const { mean, reach, digits } = scale;
    if (scale.flat) {
      box.replaceChildren(el("ul", { class: "keys" }, el("li", {}, swatch(scale.colour(mean)), explanation.sites.length === 1 ? `the one atom: ${fixed(mean, digits)} V` : `all atoms alike: ${fixed(mean, digits)} V`)));
      return;
    }
    box.replaceChildren(
      el("span", { class: "ends" }, "lowers the voltage"),
      ramp("", [fixed(mean - reach, digits), `mean ${fixed(mean, digits)} V`, fixed(mean + reach, digits)]),
      el("span", { class: "ends" }, "raises it"),
    );
  }

  async structures() {
    const { item, prediction, settings } = this;
    const key = `${item.id} ${prediction.working_ion} ${settings.assume}`;
    if (!this.files.has(key)) this.files.set(key, await api.structureFiles(item.input, prediction.working_ion, settings.assume));
    return this.files.get(key);
  }

  /** Hand out the structure in a format. */
  async give(format) {
    const note = $("file-note");
    note.textContent = "";
    try {
      const structures = await this.structures();
      const role = $("file-role").value;
      const found = structures.find((structure) => structure.role === role);
      const structure = found ?? structures[0];
      const [ending, type] = FILES[format];
      const name = structure.formula.replaceAll(/[^A-Za-z0-9.]/g, "_") + (structure.role === "charged" ? "-charged" : "");
      download(`${name}.${ending}`, structure[format], type);
    } catch (error) {
      note.textContent = error.detail ?? error.message;
    }
  }

  repaint() {
    this.view.repaint();
    if (this.view.view && this.shown) this.draw(true);
  }
}

const colouring = () => document.querySelector("[name=colour]:checked").value;
const shell = (text) => text.split(" ").flatMap((part, i) => [i ? " " : "", formula(part)]);
const signed = (state) => (Number.isInteger(state) ? String(Math.abs(state)) : Math.abs(state).toFixed(2)) + (state < 0 ? "−" : "+");

const ramp = (kind, words) => el("div", { class: "scale" }, el("i", { class: `ramp ${kind}`, "aria-hidden": "true" }), el("div", { class: "ticks" }, words.map((word) => el("span", {}, word))));

/** Anions red to yellow, cations green to violet; in steps that are told apart. */
const STATES = { "-4": "#7f0000", "-3": "#a63603", "-2": "#d94801", "-1": "#fd8d3c", 0: "#bdbdbd", 1: "#c7e9c0", 2: "#74c476", 3: "#2a9d8f", 4: "#2171b5", 5: "#54278f", 6: "#7a0177", 7: "#49006a" };
const oxidationColour = (state) => (state === undefined ? "#999999" : STATES[Math.max(-4, Math.min(7, Math.round(state)))]);

function elementColour(symbol) {
  const colours = window.$3Dmol?.elementColors.Jmol ?? {};
  const found = Object.keys(colours).find((key) => key.toLowerCase() === symbol.toLowerCase());
  return "#" + (found ? colours[found] : 0x999999).toString(16).padStart(6, "0");
}
