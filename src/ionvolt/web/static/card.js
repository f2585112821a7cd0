// The result of one structure for one ion, and what is said where there is none.

import { el, fixed, formula } from "./dom.js";
import { isDischarged } from "./words.js";

/**
 * Draw the card of one ion. `shown` is {item, ion, prediction, stale, problem, waiting, left, errors}; `actions` are
 * nodes for its foot; `retry` asks again.
 */
export function drawCard(card, shown, actions, retry) {
  const { item, ion, prediction, stale, problem, waiting, left } = shown;
  const p = prediction ?? stale;
  const name = p?.formula ?? item.facts?.formula ?? item.name;
  const head = el("p", { class: "what" }, el("b", {}, formula(name)), item.name && item.name !== name ? el("span", { class: "note file", title: item.name }, item.name) : null);
  if (!p) {
    card.replaceChildren(...[head, ...(waiting ? pending(ion, left) : missing(ion, problem, retry)), el("div", { class: "actions" }, actions)].filter(Boolean));
    card.classList.remove("stale");
    return;
  }
  card.classList.toggle("stale", !prediction);
  const parts = [
    head,
    el("h3", { id: "card-heading", class: "voltage" },
      el("span", { class: "number" }, fixed(p.voltage, 2)),
      p.voltage_std === null ? null : el("span", { class: "pm" }, `± ${fixed(p.voltage_std, 2)}`),
      el("span", { class: "unit" }, "V"),
      el("span", { class: "against" }, `against ${p.working_ion} metal`),
    ),
    expectation(p),
    prediction ? null : el("p", { class: "note renewing" }, waiting ? "Under the settings before; being computed again…" : "Under the settings before. "),
    state(p, p.end_members === "charged" && item.facts?.holds?.includes(p.working_ion) && p.warnings.some((text) => / fills .* sites /.test(text))),
    el("dl", { class: "facts" }, facts(p, shown.errors)),
    caveats(p),
    el("div", { class: "actions" }, actions),
  ];
  card.replaceChildren(...parts.filter(Boolean));
}

/** What a cell is expected to show, in a sentence; `voltage` is the calculated one. */
export function expectation(r) {
  if (r.voltage_measured === null || r.voltage_measured === undefined) return null;
  const half = r.voltage_measured_upper - r.voltage_measured;
  const [basis, reasons] = [r.measured_basis.split(":")[0], r.measured_basis.split(": ").slice(1).join(": ")];
  const title = basis === "corrected" ? "Corrected by measured electrodes; 90 of 100 measurements are to lie within" : "No measured electrode is near, so that the calculated voltage stands";
  return el("p", { class: "expectation", title }, `Calculated ${fixed(r.voltage, 2)} V; expect ${fixed(r.voltage_measured, 2)} ± ${fixed(half, 2)} V in a cell`, reasons ? el("span", { class: "note" }, ` (${reasons})`) : null);
}

function pending(ion, left) {
  return [
    el("h3", { id: "card-heading", class: "voltage pending" }, el("span", { class: "number", "aria-hidden": "true" }, "…"), el("span", { class: "against" }, `Computing the voltage against ${ion} metal`)),
    el("p", { class: "note" }, left ? `About ${seconds(left)} for all ions chosen` : "A few seconds"),
  ];
}

function missing(ion, problem, retry) {
  return [
    el("h3", { id: "card-heading", class: "voltage none" }, el("span", { class: "number" }, "–"), el("span", { class: "against" }, `No voltage against ${ion} metal`)),
    problem ? el("p", { class: "rule" }, sentence(problem.rule ?? problem.detail ?? problem.title)) : null,
    problem?.remedy ? el("p", { class: "remedy" }, sentence(problem.remedy)) : null,
    retry ? el("p", {}, el("button", { type: "button", id: "retry-ion", on: { click: retry } }, "Ask again")) : null,
  ].filter(Boolean);
}

/** `held`: whether the structure given holds the ion. */
function state(p, held) {
  const inside = p.in_domain;
  const removed = Object.keys(p.removed ?? {}).join(", ");
  const label = p.end_members === "both" ? "Both ends" : isDischarged(p) ? "Discharged" : removed || held ? "Emptied host" : "Charged host";
  const words = p.end_members === "both"
    ? [` The voltage between the discharged structure and the charged one, `, formula(p.host_formula), "."]
    : isDischarged(p)
      ? [` It contains ${p.working_ion}. The charged host, `, formula(p.host_formula), `, is the structure without ${p.working_ion}, not relaxed.`]
      : removed
        ? [` ${removed} was removed first: ${p.working_ion} is inserted into `, formula(p.host_formula), "."]
        : held
          ? [` ${p.working_ion} on partly filled sites was removed first; as much is inserted into `, formula(p.host_formula), "."]
          : [` ${p.working_ion} is inserted into `, formula(p.host_formula), ", the structure as given."];
  return el("p", { class: "host" },
    el("span", { class: `state ${isDischarged(p) ? "discharged" : "charged"}` }, label), words,
    inside === null || inside === undefined ? null : el("span", { class: `domain ${inside ? "inside" : "outside"}` }, inside ? "In the applicability domain" : "Outside the applicability domain"),
  );
}

function facts(p, errors) {
  const fact = (label, value, unit, none, title) =>
    el("div", { title }, el("dt", {}, label), value === "" ? el("dd", { class: "none" }, none) : el("dd", {}, value, el("small", {}, ` ${unit}`)));
  const both = p.end_members === "both";
  const named = Object.entries(errors ?? {});
  const [protocol, error] = named.find(([name]) => /framework 5-fold$/.test(name) && /^both/.test(name) === both) ?? named[0] ?? [];
  const about = p.capacity_is_estimate ? "≈ " : "";
  const estimate = p.capacity_is_estimate ? "Estimate: as many ions as the host's voids and electrons allow" : undefined;
  const none = p.capacity_grav === null ? "unknown" : "not given: not all ions come out";
  return [
    p.voltage_lower === null || p.voltage_lower === undefined ? null : fact("90 % interval", `${fixed(p.voltage_lower, 2)} to ${fixed(p.voltage_upper, 2)}`, "V"),
    fact("Capacity", p.capacity_grav === null ? "" : about + fixed(p.capacity_grav, 0), "mAh/g", "unknown", estimate),
    fact("per volume", p.capacity_vol === null ? "" : about + fixed(p.capacity_vol, 0), "mAh/cm³", "unknown", estimate),
    fact("Energy", p.energy_grav === null ? "" : about + fixed(p.energy_grav, 0), "Wh/kg", none, estimate),
    fact("per volume", p.energy_vol === null ? "" : about + fixed(p.energy_vol, 0), "Wh/L", none, estimate),
    p.full_extraction === null || p.full_extraction === undefined ? null : fact("All ions come out", fixed(100 * p.full_extraction, 0), "%", "", "Probability that the electrode gives up all of its ions"),
    error ? fact(`Held-out error, ${p.working_ion}`, fixed(error.mae, 2), "V MAE", "", `Mean absolute error of ${p.model} on ${error.n} ${p.working_ion} electrodes of frameworks that it was not trained on (${protocol})`) : null,
    el("div", {}, el("dt", {}, "Model"), el("dd", { class: "plain" }, p.model)),
  ];
}

function caveats(p) {
  const told = p.warnings.filter((warning) => !warning.startsWith("taken as discharged"));
  if (!told.length) return el("p", { class: "fine" }, "No caveats for this structure.");
  return el("ul", { class: "warnings", "aria-label": "Caveats" }, told.map((text) => el("li", {}, caveat(text))));
}

/** A caveat in one sentence; the numbers behind it stand in a detail. */
function caveat(text) {
  const [, words, numbers] = /^(.*?) \((.*\d.*)\)(?:: .*)?$/.exec(text) ?? [null, text, null];
  if (!numbers) return sentence(text);
  return [sentence(words), el("details", { class: "why" }, el("summary", {}, "Details"), el("p", { class: "note" }, sentence(numbers)))];
}

/** Draw a refusal or a failure of a whole structure or of everything: what, why, and what to do. */
export function drawProblem(box, problem, retry) {
  const kind = problem.type?.split(":").pop();
  const heading = kind === "refused" ? "This structure was refused" : problem.title || "That did not work";
  box.replaceChildren(...[
    el("h3", {}, heading),
    problem.source ? el("p", { class: "source" }, problem.source) : null,
    el("p", { class: "rule" }, sentence(problem.rule || problem.detail || problem.message || "No reason was given")),
    problem.remedy ? el("p", { class: "remedy" }, el("b", {}, "What to do: "), sentence(problem.remedy)) : null,
    retry ? el("button", { type: "button", on: { click: retry } }, "Try again") : null,
  ].filter(Boolean));
  box.hidden = false;
}

export function sentence(text) {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(first) ? first : first + ".";
}

/** Seconds as people say them. */
export function seconds(number) {
  if (number < 1.5) return "1 s";
  if (number < 90) return `${Math.round(number)} s`;
  return `${Math.round(number / 60)} min`;
}
