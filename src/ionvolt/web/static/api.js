// The server, as functions. Every failure is a Problem with the sentences that the command line prints.

const BASE = "/api/v1";

export class Problem extends Error {
  constructor({ title, detail, source, rule, remedy, status, type } = {}) {
    super(detail || title || "The request failed");
    Object.assign(this, { title, detail, source, rule, remedy, status, type });
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
    throw new Problem({ title: response.statusText || "Unexpected answer", status: response.status, ...content });
  }
  return content;
}

const post = (path, body, signal) =>
  request(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });

export const models = () => request("/models");
export const examples = () => request("/examples");
export const ions = () => request("/ions");

/** Kinds of problems that lie in the structure: they are its result. Others stop the whole run. */
const OF_STRUCTURES = ["refused", "unavailable", "too-large", "time-limit", "worker-lost"];
const kindOf = (problem) => problem.type?.split(":").pop();
const MOST_TRIES = 4;
const PAUSE = 1500;

/** POST; a busy server is asked again after a while. */
async function patient(path, body, signal) {
  for (let tries = 1; ; tries++) {
    try {
      return await post(path, body, signal);
    } catch (problem) {
      if (kindOf(problem) !== "overloaded" || tries === MOST_TRIES) throw problem;
      await new Promise((resolve) => setTimeout(resolve, PAUSE * tries));
    }
  }
}

/** Models that try each ion in the host: many ions take seconds, so two workers share them. */
const TRY_IONS = ["auto", "foundation-mp2025"];

/** A structure's predictions or its problem, for each structure in order. */
export async function predict(structures, settings, signal) {
  const { ions } = settings;
  if (structures.length === 1 && ions.length > 3 && TRY_IONS.includes(settings.model)) {
    const half = Math.ceil(ions.length / 2);
    const parts = [ions.slice(0, half), ions.slice(half)];
    const [[one], [two]] = await Promise.all(parts.map((part) => ask(structures, { ...settings, ions: part }, signal)));
    const refused = [one, two].find(({ predictions }) => !predictions);
    return [refused ?? { ...one, predictions: [...one.predictions, ...two.predictions] }];
  }
  const every = settings.every ? "all" : ions;
  return ask(structures, { ...settings, ions: every }, signal);
}

async function ask(structures, { ions, assume, model }, signal) {
  const settings = { ions, assume, model };
  try {
    return (await patient("/predict", { structures, ...settings }, signal)).results;
  } catch (problem) {
    if (structures.length === 1 && OF_STRUCTURES.includes(kindOf(problem))) return [{ index: 0, problem }];
    throw problem;
  }
}

/** Atom by atom: {explanation, cif} for one ion. */
export async function explain(structure, ion, { assume, model }, signal) {
  const content = await patient("/explain", { structure, ions: [ion], assume, model }, signal);
  return { explanation: content.explanations[0], cif: content.cif };
}
