// Bars of the voltages with whiskers, as SVG; the bars are a radio group: arrow keys choose the ion.

import { el, fixed, formula, svg } from "./dom.js";
import { reaction } from "./words.js";

const TOP = 24;
const BOTTOM = 42;
const LEFT = 34;
const GAP = 0.55; // between reactions of different kinds, in bars

/**
 * Draw slots, one for each ion, into a box: {ion, prediction, stale, problem, waiting}. Ions whose reactions are of one
 * kind stand together; `legend` names the kinds. `choose(ion)` is called for a click or an arrow key.
 */
export function drawBars(box, legend, slots, chosen, choose) {
  const had = box.contains(document.activeElement);
  const kinds = [...new Map(slots.filter((s) => s.prediction).map((s) => [reaction(s.prediction).key, reaction(s.prediction)])).values()];
  const kindOf = (slot) => (slot.prediction ? kinds.findIndex(({ key }) => key === reaction(slot.prediction).key) : kinds.length);
  const ordered = slots.map((slot, at) => ({ ...slot, kind: kindOf(slot), at })).sort((a, b) => a.kind - b.kind || a.at - b.at);
  const gaps = ordered.filter((slot, i) => i > 0 && slot.kind !== ordered[i - 1].kind).length;

  const width = Math.max(260, box.clientWidth || 600);
  const height = 232;
  const known = ordered.map((slot) => slot.prediction ?? slot.stale).filter(Boolean);
  const spread = known.flatMap(({ voltage: v, voltage_std: s }) => [v - (s ?? 0), v + (s ?? 0)]);
  const ticks = niceTicks(Math.min(0, ...spread), spread.length ? Math.max(0.5, ...spread) : 4);
  const [low, high] = [Math.min(0, ...spread) * 1.05, ticks[ticks.length - 1]];
  const y = (value) => TOP + ((high - value) / (high - low)) * (height - TOP - BOTTOM);
  const step = (width - LEFT - 4) / (ordered.length + gaps * GAP);
  const wide = Math.min(step * 0.62, 54);

  const grid = ticks.filter((tick) => tick >= low).map((tick) =>
    svg("g", { class: tick === 0 ? "zero" : "grid" },
      svg("line", { x1: LEFT, x2: width, y1: y(tick), y2: y(tick) }),
      svg("text", { x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, fixed(tick, ticks[1] - ticks[0] < 1 ? 1 : 0)),
    ),
  );
  let shift = 0;
  const bars = ordered.map((slot, i) => {
    if (i > 0 && slot.kind !== ordered[i - 1].kind) shift += GAP;
    const middle = LEFT + step * (i + shift + 0.5);
    const p = slot.prediction ?? slot.stale;
    const on = slot.ion === chosen;
    const label = labelOf(slot);
    const shape = p ? barOf(p, middle, wide, y) : emptyBar(slot, middle, wide, y, high);
    return svg("g", {
      class: `bar kind-${slot.kind % 4}${on ? " on" : ""}${slot.prediction ? "" : slot.stale ? " stale" : ""}${slot.waiting ? " waiting" : ""}`,
      role: "radio", tabindex: on ? 0 : -1, "aria-checked": String(on), "aria-label": label, "data-ion": slot.ion,
    },
      svg("title", {}, label),
      svg("rect", { class: "hit", x: middle - step / 2, y: 0, width: step, height }),
      svg("rect", { class: "focus", x: middle - step / 2 + 2, y: 2, width: step - 4, height: height - 4, rx: 6 }),
      shape,
      svg("text", { class: "ion", x: middle, y: height - BOTTOM + 18, "text-anchor": "middle" }, slot.ion),
      svg("text", { class: "value", x: middle, y: height - BOTTOM + 35, "text-anchor": "middle" }, p ? fixed(p.voltage, 2) : slot.waiting ? "…" : "–"),
    );
  });
  const chart = svg("svg", {
    width, height, viewBox: `0 0 ${width} ${height}`, role: "radiogroup", "aria-label": "Voltage in volts against each ion",
  },
    svg("text", { class: "unit", x: LEFT - 6, y: 11, "text-anchor": "end" }, "V"), grid, bars,
  );
  const pick = (ion) => {
    choose(ion);
    box.querySelector(`[data-ion="${ion}"]`)?.focus();
  };
  chart.addEventListener("click", (event) => {
    const bar = event.target.closest("[data-ion]");
    if (bar) pick(bar.dataset.ion);
  });
  chart.addEventListener("keydown", (event) => {
    const bar = event.target.closest("[data-ion]");
    const at = ordered.findIndex(({ ion }) => ion === bar?.dataset.ion);
    const moves = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: ordered.length - 1 };
    let to = event.key in moves ? moves[event.key] : event.key === " " || event.key === "Enter" ? at : null;
    if (at < 0 || to === null) return;
    event.preventDefault();
    to = (to + ordered.length) % ordered.length;
    pick(ordered[to].ion);
  });
  box.replaceChildren(chart);
  if (had) box.querySelector(`[data-ion="${chosen}"]`)?.focus();
  legend.replaceChildren(...kinds.map(({ words }, i) =>
    el("li", { class: `kind-${i % 4}` }, el("i", { class: "swatch", "aria-hidden": "true" }), ...words.map((word) => (word.formula ? formula(word.formula) : word)))));
}

function labelOf({ ion, prediction, stale, problem, waiting }) {
  const p = prediction ?? stale;
  const number = p && `${fixed(p.voltage, 2)} volts${p.voltage_std === null ? "" : ` plus or minus ${fixed(p.voltage_std, 2)}`}`;
  if (prediction) return `${ion}: ${number}, ${reaction(prediction).text}`;
  if (stale) return `${ion}: ${number} under the settings before; being computed again`;
  if (waiting) return `${ion}: being computed`;
  return `${ion}: no answer${problem ? `, ${problem.rule ?? problem.title}` : ""}`;
}

function barOf(p, middle, wide, y) {
  const [from, to] = [y(Math.max(0, p.voltage)), y(Math.min(0, p.voltage))];
  const s = p.voltage_std;
  const top = y(p.voltage + (s ?? 0));
  return [
    svg("rect", { class: "fill", x: middle - wide / 2, y: from, width: wide, height: Math.max(1, to - from), rx: 2 }),
    s !== null && svg("path", { class: "whisker", d: `M${middle} ${top}V${y(p.voltage - s)}M${middle - 5} ${top}h10M${middle - 5} ${y(p.voltage - s)}h10` }),
  ];
}

function emptyBar({ waiting }, middle, wide, y, high) {
  if (!waiting) return [];
  const top = y(high * 0.35);
  return [svg("rect", { class: "ghost", x: middle - wide / 2, y: top, width: wide, height: Math.max(1, y(0) - top), rx: 2 })];
}

/** Round values that span a range, zero among them. */
export function niceTicks(low, high) {
  const rough = (high - low) / 5 || 0.2;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const ticks = [];
  for (let i = Math.floor(low / step); i <= Math.ceil(high / step); i++) ticks.push(Number((i * step).toFixed(6)));
  return ticks;
}
