// Bars of the voltages with whiskers, as SVG; the bars are a radio group: arrow keys choose the ion.

import { fixed, svg } from "./dom.js";

const TOP = 24;
const BOTTOM = 56;
const LEFT = 34;

/** Draw predictions (one for each ion) into a box; `choose(ion)` is called for a click or an arrow key. */
export function drawBars(box, predictions, chosen, choose) {
  const width = Math.max(260, box.clientWidth || 600);
  const height = 242;
  const spread = predictions.flatMap(({ voltage: v, voltage_std: s }) => [v - (s ?? 0), v + (s ?? 0)]);
  const ticks = niceTicks(Math.min(0, ...spread), Math.max(0.5, ...spread));
  const [low, high] = [Math.min(0, ...spread) * 1.05, ticks[ticks.length - 1]];
  const y = (value) => TOP + ((high - value) / (high - low)) * (height - TOP - BOTTOM);
  const step = (width - LEFT - 4) / predictions.length;
  const wide = Math.min(step * 0.62, 54);

  const grid = ticks.filter((tick) => tick >= low).map((tick) =>
    svg("g", { class: tick === 0 ? "zero" : "grid" },
      svg("line", { x1: LEFT, x2: width, y1: y(tick), y2: y(tick) }),
      svg("text", { x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, fixed(tick, ticks[1] - ticks[0] < 1 ? 1 : 0)),
    ),
  );
  const bars = predictions.map((p, i) => {
    const middle = LEFT + step * (i + 0.5);
    const on = p.working_ion === chosen;
    const [from, to] = [y(Math.max(0, p.voltage)), y(Math.min(0, p.voltage))];
    const s = p.voltage_std;
    const label = `${p.working_ion}: ${fixed(p.voltage, 2)} volts${s === null ? "" : ` plus or minus ${fixed(s, 2)}`}, taken as ${p.end_members}`;
    const top = y(p.voltage + (s ?? 0));
    return svg("g", {
      class: `bar${on ? " on" : ""}${p.end_members === "discharged" ? " held" : ""}`, role: "radio", tabindex: on ? 0 : -1,
      "aria-checked": String(on), "aria-label": label, "data-ion": p.working_ion,
    },
      svg("title", {}, label),
      svg("rect", { class: "hit", x: middle - step / 2, y: 0, width: step, height }),
      svg("rect", { class: "focus", x: middle - step / 2 + 2, y: 2, width: step - 4, height: height - 4, rx: 6 }),
      svg("rect", { class: "fill", x: middle - wide / 2, y: from, width: wide, height: Math.max(1, to - from), rx: 2 }),
      s !== null && svg("path", { class: "whisker", d: `M${middle} ${top}V${y(p.voltage - s)}M${middle - 5} ${top}h10M${middle - 5} ${y(p.voltage - s)}h10` }),
      svg("text", { class: "ion", x: middle, y: height - BOTTOM + 18, "text-anchor": "middle" }, p.working_ion),
      svg("text", { class: "value", x: middle, y: height - BOTTOM + 35, "text-anchor": "middle" }, fixed(p.voltage, 2)),
      p.end_members === "discharged" && svg("text", { class: "state", x: middle, y: height - 5, "text-anchor": "middle" }, step < 52 ? "out" : "taken out"),
    );
  });
  const chart = svg("svg", {
    width, height, viewBox: `0 0 ${width} ${height}`, role: "radiogroup", "aria-label": "Voltage in volts against each ion",
  },
    svg("text", { class: "unit", x: LEFT - 6, y: 11, "text-anchor": "end" }, "V"), grid, bars,
  );
  const pick = (ion, focus) => {
    choose(ion);
    if (focus) box.querySelector(`[data-ion="${ion}"]`)?.focus();
  };
  chart.addEventListener("click", (event) => {
    const bar = event.target.closest("[data-ion]");
    if (bar) pick(bar.dataset.ion, true);
  });
  chart.addEventListener("keydown", (event) => {
    const bar = event.target.closest("[data-ion]");
    const at = predictions.findIndex((p) => p.working_ion === bar?.dataset.ion);
    const moves = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: predictions.length - 1 };
    let to = event.key in moves ? moves[event.key] : event.key === " " || event.key === "Enter" ? at : null;
    if (at < 0 || to === null) return;
    event.preventDefault();
    to = (to + predictions.length) % predictions.length;
    pick(predictions[to].working_ion, true);
  });
  box.replaceChildren(chart);
}

/** Round values that span a range, zero among them. */
function niceTicks(low, high) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const ticks = [];
  for (let i = Math.floor(low / step); i <= Math.ceil(high / step); i++) ticks.push(Number((i * step).toFixed(6)));
  return ticks;
}
