// The result of one structure for one ion, and what is said where there is none.

import { el, fixed, formula } from "./dom.js";

/** Draw the card of a prediction. `actions` are nodes (links, downloads) for its foot. */
export function drawCard(card, name, p, actions) {
  const held = p.end_members === "discharged";
  const fact = (label, value, unit, missing) =>
    el("div", {}, el("dt", {}, label), value === "" ? el("dd", { class: "none" }, missing) : el("dd", {}, value, el("small", {}, ` ${unit}`)));
  const reservations = p.warnings.filter((warning) => !warning.startsWith("taken as discharged"));
  card.replaceChildren(
    el("p", { class: "what" }, el("b", {}, formula(p.formula)), name && name !== p.formula ? el("span", { class: "note file", title: name }, name) : null),
    el("h3", { id: "card-heading", class: "voltage" },
      el("span", { class: "number" }, fixed(p.voltage, 2)),
      p.voltage_std === null ? null : el("span", { class: "pm" }, `± ${fixed(p.voltage_std, 2)}`),
      el("span", { class: "unit" }, "V"),
      el("span", { class: "against" }, `against ${p.working_ion} metal`),
    ),
    el("p", { class: "host" },
      el("span", { class: `state ${p.end_members}` }, held ? "Discharged" : "Charged host"),
      held
        ? ` It holds ${p.working_ion}: taken as discharged. ${p.working_ion} was removed, the rest left unrelaxed.`
        : p.warnings.some((w) => w.startsWith("the host holds")) || !new RegExp(`${p.working_ion}(?![a-z])`).test(p.formula)
          ? ` Taken as the host into which ${p.working_ion} goes.`
          : ` Taken as the host as it is, its own ${p.working_ion} included.`,
    ),
    el("dl", { class: "facts" },
      p.voltage_lower === null || p.voltage_lower === undefined ? null : fact("90 % interval", `${fixed(p.voltage_lower, 2)} to ${fixed(p.voltage_upper, 2)}`, "V", ""),
      fact("Capacity", fixed(p.capacity_grav, 0), "mAh/g", "unknown for a charged host"),
      fact("Specific energy", fixed(p.energy_grav, 0), "Wh/kg", "unknown for a charged host"),
      el("div", {}, el("dt", {}, "Model"), el("dd", { class: "plain" }, p.model)),
    ),
    reservations.length
      ? el("ul", { class: "warnings", "aria-label": "Reservations" }, reservations.map((text) => el("li", {}, sentence(text))))
      : el("p", { class: "fine" }, "No reservations about this structure."),
    el("div", { class: "actions" }, actions),
  );
}

/** Draw a refusal or a failure: what, why, and what to do. */
export function drawProblem(box, problem, retry) {
  const heading = /:refused$/.test(problem.type) ? "This structure was refused" : problem.title || "That did not work";
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
