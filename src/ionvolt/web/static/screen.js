// The page of a screen. The server counts points in the cells of a grid; the page draws cells, never points.

import { $, el, fixed, formula } from "./dom.js";
import { CrystalView } from "./viewer.js";

const LEFT = 46;
const RIGHT = 12;
const TOP = 12;
const BOTTOM = 40;
const CELL = 5;
const WORDS = { energy_grav: "Wh/kg", energy_vol: "Wh/L", voltage_std: "uncertainty, V", volume_change: "volume change" };
// Viridis, in eleven steps.
const RAMP = ["#440154", "#482576", "#414487", "#35608d", "#2a788e", "#21918c", "#22a884", "#43bf71", "#7ad151", "#bddf26", "#fde725"];
const PAINT = { H: "#cccccc", C: "#777777", N: "#4b6fd6", O: "#d2423c", F: "#6bbf4a", S: "#d8b520", P: "#e08a2e", Cl: "#43b34a", Mg: "#3f9b6b", Ca: "#5fb0a8", Zn: "#7d80b0", Al: "#b89a9a" };

const canvas = $("plot");
let run = null;
let region = null;
let cells = [];
let marked = null;
let drag = null;
let asked = 0;
let view = null;

async function get(path, params = {}) {
  const answer = await fetch(`/api/v1/run${path}?${new URLSearchParams(params)}`);
  const content = await answer.json();
  if (!answer.ok) throw new Error(`${content.rule ?? content.title}. ${content.remedy ?? ""}`);
  return content;
}

const size = () => ({ width: canvas.clientWidth, height: canvas.clientHeight });
const px = (x) => LEFT + ((x - region.x[0]) / (region.x[1] - region.x[0])) * (size().width - LEFT - RIGHT);
const py = (y) => TOP + ((region.y[1] - y) / (region.y[1] - region.y[0])) * (size().height - TOP - BOTTOM);
const ux = (p) => region.x[0] + ((p - LEFT) / (size().width - LEFT - RIGHT)) * (region.x[1] - region.x[0]);
const uy = (p) => region.y[1] - ((p - TOP) / (size().height - TOP - BOTTOM)) * (region.y[1] - region.y[0]);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function choice() {
  return { ion: $("ion").value, kept: $("kept").checked };
}

async function refresh() {
  const mine = ++asked;
  const { width, height } = size();
  const nx = Math.max(1, Math.min(600, Math.round((width - LEFT - RIGHT) / CELL)));
  const ny = Math.max(1, Math.min(600, Math.round((height - TOP - BOTTOM) / CELL)));
  const colour = $("colour").value;
  try {
    const found = await get("/density", { x0: region.x[0], x1: region.x[1], y0: region.y[0], y1: region.y[1], nx, ny, colour, ...choice() });
    if (mine !== asked) return;
    cells = { nx, ny, found: found.cells, colour };
    draw();
    await list(mine);
  } catch (error) {
    $("about").textContent = error.message;
  }
}

async function list(mine = asked) {
  const box = marked ?? region;
  const { n, rows } = await get("/rows", { x0: box.x[0], x1: box.x[1], y0: box.y[0], y1: box.y[1], ...choice() });
  if (mine !== asked) return;
  $("count").textContent = `${n.toLocaleString("en")} rows ${marked ? "in the region" : "in the picture"}${n > rows.length ? `, the ${rows.length} of highest energy` : ""}`;
  $("rows").replaceChildren(...rows.map((row) => el("tr", {},
    el("td", { title: row.id }, el("button", { type: "button", class: "link", on: { click: () => open(row) } }, row.id)),
    el("td", {}, formula(row.formula ?? "")), el("td", {}, row.ion), el("td", {}, fixed(row.voltage, 2)),
    el("td", {}, row.voltage_lower === null ? "" : `${fixed(row.voltage_lower, 2)} to ${fixed(row.voltage_upper, 2)}`),
    el("td", {}, fixed(row.capacity_grav, 0)), el("td", {}, fixed(row.energy_grav, 0)))));
}

function draw() {
  const { width, height } = size();
  const scale = window.devicePixelRatio || 1;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const ink = canvas.getContext("2d");
  ink.scale(scale, scale);
  ink.clearRect(0, 0, width, height);
  ink.font = "12px system-ui, sans-serif";
  ink.fillStyle = css("--muted");
  ink.strokeStyle = css("--line");
  ink.textAlign = "center";
  for (const x of ticks(...region.x)) {
    ink.fillText(String(x), px(x), height - BOTTOM + 16);
  }
  ink.fillText("capacity, mAh/g", (LEFT + width - RIGHT) / 2, height - 6);
  ink.textAlign = "right";
  for (const y of ticks(...region.y)) {
    ink.fillText(String(y).replace("-", "−"), LEFT - 6, py(y) + 4);
    ink.beginPath();
    ink.moveTo(LEFT, py(y));
    ink.lineTo(width - RIGHT, py(y));
    ink.stroke();
  }
  ink.save();
  ink.translate(12, (TOP + height - BOTTOM) / 2);
  ink.rotate(-Math.PI / 2);
  ink.textAlign = "center";
  ink.fillText("voltage, V", 0, 0);
  ink.restore();
  const [low, high] = run.colours[cells.colour] ?? [0, 1];
  const w = (width - LEFT - RIGHT) / cells.nx;
  const h = (height - TOP - BOTTOM) / cells.ny;
  for (const [column, row, count, value] of cells.found) {
    const step = value === null ? 0 : Math.max(0, Math.min(10, Math.round((10 * (value - low)) / (high - low || 1))));
    ink.fillStyle = RAMP[step];
    ink.globalAlpha = Math.min(1, 0.75 + 0.1 * Math.log10(count));
    ink.fillRect(LEFT + column * w, height - BOTTOM - (row + 1) * h, Math.max(w, 2.5), Math.max(h, 2.5));
  }
  ink.globalAlpha = 1;
  const box = drag ?? marked;
  if (box) {
    ink.strokeStyle = css("--accent");
    ink.lineWidth = 1.5;
    ink.strokeRect(px(box.x[0]), py(box.y[1]), px(box.x[1]) - px(box.x[0]), py(box.y[0]) - py(box.y[1]));
  }
  $("legend").textContent = `Colour: ${WORDS[cells.colour]}, ${fixed(low, 1)} (dark) to ${fixed(high, 1)} (bright). Drag to mark a region; double-click, or press Enter, to zoom into it.`;
}

function ticks(low, high) {
  const raw = (high - low) / 7;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * unit).find((s) => s >= raw);
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high + 1e-9; k++) found.push(Number((k * step).toPrecision(6)));
  return found;
}

function spot(event) {
  const frame = canvas.getBoundingClientRect();
  const clamp = (value, a, b) => Math.max(a, Math.min(b, value));
  return [ux(clamp(event.clientX - frame.left, LEFT, frame.width - RIGHT)), uy(clamp(event.clientY - frame.top, TOP, frame.height - BOTTOM))];
}

const between = ([a, b], [c, d]) => ({ x: [Math.min(a, c), Math.max(a, c)], y: [Math.min(b, d), Math.max(b, d)] });

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  drag = { from: spot(event), ...between(spot(event), spot(event)) };
});
canvas.addEventListener("pointermove", (event) => {
  if (!drag) return;
  drag = { from: drag.from, ...between(drag.from, spot(event)) };
  draw();
});
canvas.addEventListener("pointerup", () => {
  if (!drag) return;
  const small = px(drag.x[1]) - px(drag.x[0]) < 4 || py(drag.y[0]) - py(drag.y[1]) < 4;
  if (small) {
    // A click marks what is near.
    const [dx, dy] = [(6 * (region.x[1] - region.x[0])) / size().width, (6 * (region.y[1] - region.y[0])) / size().height];
    drag = { x: [drag.x[0] - dx, drag.x[0] + dx], y: [drag.y[0] - dy, drag.y[0] + dy] };
  }
  marked = { x: drag.x, y: drag.y };
  drag = null;
  draw();
  list(++asked);
});
function zoom() {
  if (!marked) return;
  region = marked;
  marked = null;
  refresh();
}
canvas.addEventListener("dblclick", zoom);
canvas.addEventListener("keydown", (event) => {
  if (event.key === "Enter") zoom();
});
$("reset").addEventListener("click", () => {
  region = { x: run.x, y: run.y };
  marked = null;
  refresh();
});
for (const name of ["ion", "colour", "kept"]) $(name).addEventListener("change", refresh);

async function open(row) {
  $("crystal").hidden = false;
  $("crystal-name").replaceChildren(formula(row.formula ?? ""), ` ${row.id}`);
  $("crystal-note").textContent = "";
  try {
    const found = await get(`/crystal/${row.unit}/${row.part}`);
    $("cif").href = URL.createObjectURL(new Blob([found.cif], { type: "chemical/x-cif" }));
    $("cif").download = `${(row.formula ?? "crystal").replace(/[^A-Za-z0-9().]/g, "_")}.cif`;
    view ??= new CrystalView({ stage: $("stage"), box: $("viewer"), tip: $("tip"), onPick: () => {} });
    await view.ready();
    view.show({
      lattice: found.lattice, sites: found.sites, cells: 1, polyhedra: true, keep: false,
      colour: ({ element }) => PAINT[element] ?? "#8a63b8", describe: (site) => [found.sites[site].element],
    });
  } catch (error) {
    $("crystal-note").textContent = error.message;
  }
}

async function begin() {
  try {
    run = await get("");
    $("about").textContent = `${run.name}: ${run.points.toLocaleString("en")} rows with a voltage, ${run.units.toLocaleString("en")} inputs${run.complete ? "" : ", not complete"}`;
    $("ion").append(...run.ions.map((ion) => el("option", { value: ion }, ion)));
    $("colour").append(...Object.keys(run.colours).map((name) => el("option", { value: name }, WORDS[name])));
    if (!run.kept) $("kept").checked = false;
    region = { x: run.x, y: run.y };
    await refresh();
    new ResizeObserver(() => refresh()).observe(canvas);
    document.body.dataset.ready = "yes";
  } catch (error) {
    $("about").textContent = error.message;
  }
}
begin();
