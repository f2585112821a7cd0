// The server, as functions. Every failure is a Problem with the sentences that the command line prints.

const BASE = "/api/v1";

export class Problem extends Error {
  constructor({ title, detail, source, rule, remedy, status, type, after } = {}) {
    super(detail || title || "The request failed");
    Object.assign(this, { title, detail, source, rule, remedy, status, type, after });
  }
}

async function request(path, options) {
  let response;
  try {
    response = await fetch(BASE + path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({
      title: "The server does not answer",
      rule: "the connection failed",
      remedy: "See that ionvolt serve is still running, then try again",
    });
  }
  const text = await response.text();
  let content = null;
  try {
    content = JSON.parse(text);
  } catch {
    // No JSON: told below by the status.
  }
  if (!response.ok || content === null) {
    const after = Number(response.headers.get("Retry-After")) || 0;
    throw new Problem({ title: response.statusText || "Unexpected answer", status: response.status, after, ...content });
  }
  return content;
}

const post = (path, body, signal) =>
  request(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });

export const models = () => request("/models");
export const examples = () => request("/examples");
export const ions = () => request("/ions");

export const kindOf = (problem) => problem?.type?.split(":").pop();

/** Kinds of problems that another try may cure. */
const PASSING = ["overloaded", "share", "worker-lost", "time-limit", "cancelled", "internal", "unavailable", "lost"];
export const mayPass = (problem) => PASSING.includes(kindOf(problem)) || !problem?.type;

const MOST_TRIES = 4;
const PAUSE = 1500;

/** POST; a busy server is asked again after the time that it names. */
async function patient(path, body, signal) {
  for (let tries = 1; ; tries++) {
    try {
      return await post(path, body, signal);
    } catch (problem) {
      if (!["overloaded", "share"].includes(kindOf(problem)) || tries === MOST_TRIES) throw problem;
      await new Promise((resolve) => setTimeout(resolve, Math.max(PAUSE * tries, 1000 * (problem.after ?? 0))));
    }
  }
}

/** Ask for predictions as a job; its answers come by `follow`. */
export const startPrediction = (structures, settings, signal) =>
  patient("/jobs", { kind: "predict", attended: true, check_relaxation: true, structures, ...settings }, signal);

/** Ask for long work, which goes on when the page is left: kind "compute" or "order". */
export const startLong = (asked) => patient("/jobs", asked);

/** A job as it stands. */
export const job = (id) => request(`/jobs/${id}`);

/** Give a job up, also when the page is being left. */
export const giveUp = (id) => fetch(`${BASE}/jobs/${id}`, { method: "DELETE", keepalive: true }).catch(() => {});

const EVENTS = ["structure", "prediction", "refused", "problem", "doubts", "progress", "result", "end"];

/** Follow a job: `heard(kind, content)` for each event, until the last. Resolves with that; rejects where it is lost. */
export function follow(id, heard, signal) {
  return new Promise((resolve, reject) => {
    const source = new EventSource(`${BASE}/jobs/${id}/events`);
    let failures = 0;
    const stop = () => source.close();
    for (const kind of EVENTS) {
      source.addEventListener(kind, (event) => {
        failures = 0;
        const content = JSON.parse(event.data);
        if (kind === "end") {
          stop();
          resolve(content);
        } else heard(kind, content);
      });
    }
    source.addEventListener("error", () => {
      // The browser comes back by itself, and says which event it saw last.
      failures += 1;
      if (source.readyState !== EventSource.CLOSED && failures < 5) return;
      stop();
      reject(new Problem({
        title: "The server does not answer", rule: "the connection to the running job was lost",
        remedy: "See that ionvolt serve is still running, then try again",
      }));
    });
    signal?.addEventListener("abort", () => {
      stop();
      reject(new DOMException("given up", "AbortError"));
    });
  });
}

/** Atom by atom: {explanation, cif} for one ion. */
export async function explain(structure, ion, settings, signal) {
  const content = await patient("/explain", { structure, ions: [ion], ...settings }, signal);
  return { explanation: content.explanations[0], cif: content.cif };
}

/** The structure as files, and without the ion: a list of {role, formula, cif, poscar, extxyz, pymatgen, oxidation}. */
export const structureFiles = async (structure, ion, assume, signal) =>
  (await patient("/structures", { structure, ion, assume }, signal)).structures;

/** Materials of a formula in the Materials Project. */
export const materials = async (text) => (await request(`/materials?formula=${encodeURIComponent(text)}`)).materials;

/** Known electrodes of an ion, or null where the server has no table. */
export async function landscape(ion) {
  try {
    return await request(`/landscape/${ion}`);
  } catch (problem) {
    if (problem.status === 404) return null;
    throw problem;
  }
}
