// The crystal in 3D by 3Dmol.js. Without its script or without WebGL the page says so and goes on.

import { covalentRadius, isMetal } from "./elements.js";

const SCRIPT = "/vendor/3Dmol-min.js";
const HALO = "#f5d000";
const MOST_ATOMS = 6000;
const MOST_BONDED = 2500;
const MOST_COMPLETED = 120;
const MOST_GROUPED = 400;

let loading = null;

function library() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = SCRIPT;
    script.onload = () => (window.$3Dmol ? resolve(window.$3Dmol) : reject(new Error(MISSING)));
    script.onerror = () => reject(new Error(MISSING));
    document.head.append(script);
  });
  return loading;
}

const MISSING = "The 3D view is not installed on this server (run make vendor). The tables hold every number of it.";
const NO_WEBGL = "This browser shows no 3D (WebGL is off). The tables hold every number of the view.";

export class CrystalView {
  /** stage: focusable box; box: where the canvas goes; tip: tooltip; onPick(site or null). */
  constructor({ stage, box, tip, onPick }) {
    Object.assign(this, { stage, box, tip, onPick, view: null, shown: null, halo: null });
    stage.addEventListener("keydown", (event) => this.key(event));
    stage.addEventListener("pointermove", (event) => {
      const frame = stage.getBoundingClientRect();
      this.pointer = [event.clientX - frame.left, event.clientY - frame.top];
      if (!tip.hidden) this.placeTip();
    });
    stage.addEventListener("pointerleave", () => (tip.hidden = true));
  }

  /** Make the canvas. Rejects with a sentence for the user where that cannot be. */
  async ready() {
    const $3Dmol = await library();
    if (this.view) return;
    // 3Dmol.js would go on without, and draw nothing.
    const probe = document.createElement("canvas");
    const context = probe.getContext("webgl2") ?? probe.getContext("webgl");
    if (!context) throw new Error(NO_WEBGL);
    context.getExtension("WEBGL_lose_context")?.loseContext();
    try {
      this.view = $3Dmol.createViewer(this.box, {
        antialias: true, orthographic: true, disableFog: true, backgroundColor: background(), cartoonQuality: 1,
      });
    } catch {
      this.view = null;
    }
    if (!this.view) throw new Error(NO_WEBGL);
    this.view.setHoverDuration(60);
    new ResizeObserver(() => this.view.resize()).observe(this.box);
  }

  /**
   * Show a host: sites of an explanation, its lattice, a colour and a text for each site.
   * `beyond` completes the shells of atoms with neighbours beyond the faces; `polyhedra` draws them. The view is kept as
   * it is turned if `keep` is true.
   */
  show({ lattice, sites, colour, describe, cells, beyond = true, polyhedra = false, keep }) {
    const { view } = this;
    const before = keep && this.shown ? view.getView() : null;
    while (sites.length * cells ** 3 > MOST_ATOMS && cells > 1) cells -= 1;
    const atoms = images(sites, lattice, cells, beyond);
    if (atoms.length <= MOST_BONDED) bond(atoms, centres(sites, lattice));
    view.removeAllModels();
    view.removeAllShapes();
    view.removeAllLabels();
    this.halo = null;
    const model = view.addModel();
    model.addAtoms(atoms);
    for (const atom of model.selectedAtoms({})) {
      const paint = colour(sites[atom.site]);
      atom.style = {
        sphere: { radius: 0.28 + 0.16 * covalentRadius(atom.elem), color: paint },
        stick: { radius: 0.09, color: paint },
      };
    }
    this.frame(lattice);
    if (polyhedra) for (const shape of shells(atoms, (atom) => colour(sites[atom.site]))) view.addCustom(shape);
    view.setHoverable({}, true, (atom) => this.enter(atom, describe), () => (this.tip.hidden = true));
    view.setClickable({}, true, (atom) => this.onPick(atom.site));
    this.shown = { lattice, cells, atoms };
    if (before) view.setView(before);
    else this.reset();
    view.render();
    this.stage.dataset.atoms = String(atoms.length);
  }

  /** Edges of the cell and the names of its axes. */
  frame(lattice) {
    const ink = textColour();
    for (let axis = 0; axis < 3; axis++) {
      const [u, v] = [0, 1, 2].filter((other) => other !== axis);
      for (let i = 0; i <= 1; i++) {
        for (let j = 0; j <= 1; j++) {
          const start = [0, 0, 0];
          start[u] = i;
          start[v] = j;
          const end = [...start];
          end[axis] = 1;
          this.view.addCylinder({ start: xyz(start, lattice), end: xyz(end, lattice), radius: 0.025, color: ink, fromCap: 1, toCap: 1 });
        }
      }
      const tipAt = [0, 0, 0];
      tipAt[axis] = 1 + 0.7 / Math.hypot(...lattice[axis]);
      this.view.addLabel("abc"[axis], {
        position: xyz(tipAt, lattice), fontSize: 13, fontColor: ink, showBackground: false, alignment: "center", inFront: true,
      });
    }
  }

  reset() {
    const { view } = this;
    view.setView([0, 0, 0, 0, 0, 0, 0, 1]);
    view.zoomTo();
    // c upwards, a to the right and a little to the front.
    view.rotate(-90, "vx");
    view.rotate(-28, "vy");
    view.rotate(14, "vx");
    this.fit();
    view.render();
  }

  /** Zoom until the crystal fills the stage. */
  fit() {
    const { lattice, cells, atoms } = this.shown;
    const corners = [0, 1].flatMap((a) => [0, 1].flatMap((b) => [0, 1].map((c) => xyz([a * cells, b * cells, c * cells], lattice))));
    const { left, top, width, height } = this.box.getBoundingClientRect();
    for (let turn = 0; turn < 3; turn++) {
      this.view.render();
      const reach = this.view.modelToScreen([...corners, ...atoms]).reduce(
        (most, { x, y }) => Math.max(most, Math.abs(x - scrollX - left - width / 2) / width, Math.abs(y - scrollY - top - height / 2) / height), 0);
      if (reach > 0) this.view.zoom(0.44 / reach);
    }
  }

  /** Put a ring of light about the atoms of one site (null: about none). */
  mark(site) {
    if (!this.view || !this.shown) return;
    if (this.halo) for (const shape of this.halo) this.view.removeShape(shape);
    this.halo = this.shown.atoms
      .filter((atom) => atom.site === site)
      .map(({ x, y, z, elem }) =>
        this.view.addSphere({ center: { x, y, z }, radius: 0.5 + 0.2 * covalentRadius(elem), color: HALO, opacity: 0.55 }),
      );
    this.view.render();
  }

  enter(atom, describe) {
    this.tip.replaceChildren(...describe(atom.site));
    this.tip.hidden = false;
    this.placeTip();
  }

  placeTip() {
    const [x, y] = this.pointer ?? [20, 20];
    const { offsetWidth: w, offsetHeight: h } = this.tip;
    this.tip.style.left = `${Math.max(4, Math.min(x + 14, this.stage.clientWidth - w - 4))}px`;
    this.tip.style.top = `${y + h + 22 > this.stage.clientHeight ? Math.max(4, y - h - 12) : y + 16}px`;
  }

  key(event) {
    if (!this.view || event.ctrlKey || event.metaKey || event.altKey) return;
    const acts = {
      ArrowLeft: () => this.view.rotate(-8, "vy"), ArrowRight: () => this.view.rotate(8, "vy"),
      ArrowUp: () => this.view.rotate(-8, "vx"), ArrowDown: () => this.view.rotate(8, "vx"),
      "+": () => this.view.zoom(1.15), "=": () => this.view.zoom(1.15), "-": () => this.view.zoom(1 / 1.15), 0: () => this.reset(),
    };
    if (!(event.key in acts)) return;
    event.preventDefault();
    acts[event.key]();
    this.view.render();
  }

  repaint() {
    if (this.view) this.view.setBackgroundColor(background(), 1);
  }

  png() {
    this.view.render();
    return this.view.pngURI();
  }
}

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const background = () => css("--panel");
const textColour = () => css("--muted");

function xyz([a, b, c], lattice) {
  const [x, y, z] = [0, 1, 2].map((i) => a * lattice[0][i] + b * lattice[1][i] + c * lattice[2][i]);
  return { x, y, z };
}

/**
 * The atoms of some cells; those on a face stand on the opposite face too, and the shells of the atoms are completed
 * with the neighbours beyond the faces.
 */
function images(sites, lattice, cells, completed) {
  const atoms = [];
  const inside = sites.map(({ frac_coords }) => frac_coords.map((f) => {
    const g = f - Math.floor(f);
    return g > 0.995 ? 0 : g;
  }));
  const add = (at, frac) => atoms.push({
    elem: sites[at].element, ...xyz(frac, lattice), site: at, serial: atoms.length, bonds: [], bondOrder: [], hetflag: true,
  });
  const beyond = [];
  sites.forEach((_, at) => {
    const [f, g, h] = inside[at];
    for (let a = -1; a <= cells; a++) for (let b = -1; b <= cells; b++) for (let c = -1; c <= cells; c++) {
      const frac = [f + a, g + b, h + c];
      if (frac.every((x) => x > -0.005 && x < cells + 0.005)) add(at, frac);
      else if (completed && sites.length <= MOST_COMPLETED) beyond.push([at, frac]);
    }
  });
  const own = [...atoms];
  const heads = centres(sites, lattice);
  for (const [at, frac] of beyond) {
    const place = { elem: sites[at].element, ...xyz(frac, lattice) };
    if (own.some((atom) => pull(place.elem) > pull(atom.elem) && joined(atom, { ...place, site: at }, heads))) add(at, frac);
  }
  return atoms;
}

/** How strongly an element pulls electrons, by rank; metals do not. */
const pull = (symbol) => RANKS.indexOf(symbol);
const RANKS = "H Si B As P Te C Se S I Br N Cl O F".split(" ");

const reachOf = (p, q) => 1.18 * (covalentRadius(p.elem) + covalentRadius(q.elem));
const bonded = (p, q) => (p.x - q.x) ** 2 + (p.y - q.y) ** 2 + (p.z - q.z) ** 2 < reachOf(p, q) ** 2;

/** Sites of the non-metals in the middle of a group, such as the P of a phosphate: no bonds to metals are drawn. */
function centres(sites, lattice) {
  const found = new Set();
  const light = sites.map((site, at) => ({ at, elem: site.element, frac: site.frac_coords })).filter(({ elem }) => pull(elem) >= 0);
  if (light.length > MOST_GROUPED || new Set(light.map(({ elem }) => elem)).size < 2) return found;
  const steps = [-1, 0, 1].flatMap((a) => [-1, 0, 1].flatMap((b) => [-1, 0, 1].map((c) => [a, b, c])));
  for (const p of light) {
    const inner = { elem: p.elem, ...xyz([0, 0, 0], lattice) };
    for (const q of light) {
      if (pull(q.elem) <= pull(p.elem) || found.has(p.at)) continue;
      const apart = q.frac.map((f, i) => f - p.frac[i] - Math.round(f - p.frac[i]));
      if (steps.some((step) => bonded(inner, { elem: q.elem, ...xyz(apart.map((f, i) => f + step[i]), lattice) }))) found.add(p.at);
    }
  }
  return found;
}

/** Whether a bond is drawn between two atoms. */
function joined(p, q, heads) {
  if (isMetal(p.elem) !== isMetal(q.elem) && heads.has(isMetal(p.elem) ? q.site : p.site)) return false;
  return bonded(p, q);
}

/** Bonds between atoms no farther apart than their covalent radii and a little more; none between metals. */
function bond(atoms, heads) {
  const alloy = atoms.every(({ elem }) => isMetal(elem));
  for (let i = 0; i < atoms.length; i++) {
    for (let j = i + 1; j < atoms.length; j++) {
      const [p, q] = [atoms[i], atoms[j]];
      if ((!alloy && isMetal(p.elem) && isMetal(q.elem)) || !joined(p, q, heads)) continue;
      p.bonds.push(j);
      p.bondOrder.push(1);
      q.bonds.push(i);
      q.bondOrder.push(1);
    }
  }
}

/** Polyhedra about atoms with four to twelve bonds to atoms that pull electrons more, as shapes of 3Dmol.js. */
function shells(atoms, colour) {
  return atoms.flatMap((atom) => {
    const corners = atom.bonds.map((i) => atoms[i]).filter(({ elem }) => pull(elem) > pull(atom.elem));
    if (corners.length < 4 || corners.length > 12) return [];
    const faces = hull(corners);
    if (!faces.length) return [];
    const vertexArr = faces.flatMap((face) => face.map((i) => ({ x: corners[i].x, y: corners[i].y, z: corners[i].z })));
    const normalArr = faces.flatMap((face) => {
      const normal = outwards(face.map((i) => corners[i]), atom);
      return [normal, normal, normal];
    });
    return [{ vertexArr, normalArr, faceArr: vertexArr.map((_, i) => i), color: colour(atom), opacity: 0.45 }];
  });
}

/** Triangles of the convex hull of a few points: those that have all others on one side. */
function hull(points) {
  const faces = [];
  for (let i = 0; i < points.length; i++) for (let j = i + 1; j < points.length; j++) for (let k = j + 1; k < points.length; k++) {
    const normal = cross(minus(points[j], points[i]), minus(points[k], points[i]));
    const sides = points.map((point, at) => (at === i || at === j || at === k ? 0 : dot(normal, minus(point, points[i]))));
    const flat = 1e-3 * Math.hypot(normal.x, normal.y, normal.z);
    if (flat > 1e-6 && (sides.every((side) => side <= flat) || sides.every((side) => side >= -flat))) faces.push([i, j, k]);
  }
  return faces;
}

function outwards([p, q, r], centre) {
  const normal = cross(minus(q, p), minus(r, p));
  const length = Math.hypot(normal.x, normal.y, normal.z) * (dot(normal, minus(p, centre)) < 0 ? -1 : 1);
  return { x: normal.x / length, y: normal.y / length, z: normal.z / length };
}

const minus = (p, q) => ({ x: p.x - q.x, y: p.y - q.y, z: p.z - q.z });
const dot = (p, q) => p.x * q.x + p.y * q.y + p.z * q.z;
const cross = (p, q) => ({ x: p.y * q.z - p.z * q.y, y: p.z * q.x - p.x * q.z, z: p.x * q.y - p.y * q.x });
