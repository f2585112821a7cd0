// Points in two dimensions, as SVG: many grey ones, some marked, one or more that stand out.

import { el, fixed, svg } from "./dom.js";
import { niceTicks } from "./chart.js";

const LEFT = 44;
const BOTTOM = 38;
const TOP = 12;
const RIGHT = 12;

/**
 * Draw into a box. `points`: {x, y, kind, title, key}; kinds are classes: "known", "measured", "near", "own", "chosen".
 * `lines`: {y, low, high, title} for what has no x. `choose(key)` makes points with a key clickable.
 */
export function drawScatter(box, { points, lines = [], xLabel, yLabel, label, choose }) {
  const width = Math.max(260, box.clientWidth || 520);
  const height = Math.round(Math.min(340, Math.max(230, width * 0.6)));
  const xs = points.map(({ x }) => x);
  const ys = [...points.map(({ y }) => y), ...lines.flatMap(({ low, high, y }) => [low ?? y, high ?? y])];
  const xTicks = niceTicks(Math.min(0, ...xs), Math.max(1, ...xs));
  const yTicks = niceTicks(Math.min(0, ...ys), Math.max(1, ...ys));
  const [x0, x1] = [xTicks[0], xTicks[xTicks.length - 1]];
  const [y0, y1] = [yTicks[0], yTicks[yTicks.length - 1]];
  const px = (x) => LEFT + ((x - x0) / (x1 - x0)) * (width - LEFT - RIGHT);
  const py = (y) => TOP + ((y1 - y) / (y1 - y0)) * (height - TOP - BOTTOM);
  const digits = (ticks) => (ticks[1] - ticks[0] < 1 ? 1 : 0);
  const order = ["known", "measured", "near", "point", "chosen", "own"];
  const sorted = [...points].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  const chart = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    yTicks.map((t) => svg("g", { class: t === 0 ? "zero" : "grid" }, svg("line", { x1: LEFT, x2: width - RIGHT, y1: py(t), y2: py(t) }), svg("text", { x: LEFT - 6, y: py(t) + 4, "text-anchor": "end" }, fixed(t, digits(yTicks))))),
    xTicks.map((t) => svg("g", { class: "grid" }, svg("text", { x: px(t), y: height - BOTTOM + 16, "text-anchor": "middle" }, fixed(t, digits(xTicks))))),
    svg("text", { class: "axis", x: (LEFT + width - RIGHT) / 2, y: height - 4, "text-anchor": "middle" }, xLabel),
    svg("text", { class: "axis", x: 12, y: (TOP + height - BOTTOM) / 2, "text-anchor": "middle", transform: `rotate(-90 12 ${(TOP + height - BOTTOM) / 2})` }, yLabel),
    lines.map(({ y, low, high, title }) => svg("g", { class: "band" },
      low !== undefined && low !== null && svg("rect", { x: LEFT, width: width - LEFT - RIGHT, y: py(high), height: Math.max(1, py(low) - py(high)) }),
      svg("line", { x1: LEFT, x2: width - RIGHT, y1: py(y), y2: py(y) }), svg("title", {}, title))),
    sorted.map(({ x, y, kind, title, key }) => svg(kind === "measured" ? "path" : "circle", {
      class: `dot ${kind}`, "data-key": choose ? key : undefined,
      ...(kind === "measured" ? { d: diamond(px(x), py(y), 5) } : { cx: px(x), cy: py(y), r: { known: 2.2, near: 4, own: 6.5, chosen: 5.5 }[kind] ?? 4 }),
    }, title ? svg("title", {}, title) : null)),
  );
  if (choose) chart.addEventListener("click", (event) => {
    const key = event.target.closest("[data-key]")?.dataset.key;
    if (key !== undefined) choose(key);
  });
  box.replaceChildren(chart);
}

const diamond = (x, y, r) => `M${x} ${y - r}L${x + r} ${y}L${x} ${y + r}L${x - r} ${y}Z`;

/** Keys of the kinds of points. */
export const keys = (entries) => el("ul", { class: "keys" }, entries.map(([kind, text]) =>
  el("li", {}, svg("svg", { class: "scatter-key", width: 14, height: 12, "aria-hidden": "true" }, kind === "measured" ? svg("path", { class: "dot measured", d: diamond(7, 6, 5) }) : svg("circle", { class: `dot ${kind}`, cx: 7, cy: 6, r: kind === "known" ? 2.5 : 4.5 })), text)));
