// What is asked of the server, and what has come: each structure and ion by itself, the ion that is looked at first.

import * as api from "./api.js";

const MOST_STRUCTURES = 200;
const MOST_CHARACTERS = 4_000_000;

/**
 * One structure: {id, input, name, facts, problem, answers, stale, waiting}.
 * `answers` and `stale` (under other settings before) hold {prediction} or {problem} by ion; `waiting` the ions asked for.
 */
export function newItem(id, input) {
  return {
    id,
    input: input.problem ? null : input,
    name: input.name ?? input.mp_id ?? input.example,
    problem: input.problem ?? null,
    facts: null,
    answers: new Map(),
    stale: new Map(),
    waiting: new Set(),
    settings: null,
  };
}

/** Whether nothing would come of asking again. */
const known = (answer) => answer && (answer.prediction || !api.mayPass(answer.problem));

/** Predictions of an item in the order of some ions. */
export const predictionsOf = (item, ions) => ions.map((ion) => item.answers.get(ion)?.prediction).filter(Boolean);

export class Run {
  /** changed(item or null) is called whenever something has come; ended() when nothing is under way any more. */
  constructor(changed, ended) {
    Object.assign(this, { changed, ended, jobs: new Map(), abort: null, done: 0, total: 0, left: null });
  }

  get busy() {
    return this.abort !== null;
  }

  /** Ask for all that is not known of some items. Rejects with the problem that stopped all of it. */
  async start(items, { ions, first, ...asked }) {
    this.stop();
    const abort = (this.abort = new AbortController());
    const settings = JSON.stringify(asked);
    const groups = new Map();
    for (const item of items) {
      if (!item.input) continue;
      if (item.settings !== settings) {
        if (item.answers.size) item.stale = item.answers;
        item.answers = new Map();
        item.problem = null;
        item.settings = settings;
      }
      if (item.problem && !api.mayPass(item.problem)) continue;
      const missing = ions.filter((ion) => !known(item.answers.get(ion)));
      item.waiting = new Set(missing);
      if (!missing.length) continue;
      for (const ion of missing) item.answers.delete(ion);
      item.problem = null;
      // Items that lack the same ions go together.
      const key = missing.join(" ");
      groups.set(key, [...(groups.get(key) ?? []), item]);
    }
    this.done = 0;
    this.total = [...groups].reduce((sum, [key, some]) => sum + key.split(" ").length * some.length, 0);
    this.left = null;
    if (!this.total) {
      this.finish(abort);
      return;
    }
    this.changed(null);
    try {
      for (const [key, some] of groups) {
        for (const part of parts(some)) {
          await this.ask(part, { ...asked, ions: key.split(" "), first: first ?? undefined }, abort);
        }
      }
    } catch (error) {
      if (error.name === "AbortError") return;
      for (const item of items) this.leave(item, error);
      this.finish(abort);
      throw error;
    }
    this.finish(abort);
  }

  async ask(items, settings, abort) {
    const before = this.done;
    const job = await api.startPrediction(items.map(({ input }) => input), settings, abort.signal);
    if (abort.signal.aborted) {
      api.giveUp(job.id);
      throw new DOMException("given up", "AbortError");
    }
    this.jobs.set(job.id, items);
    try {
      const end = await api.follow(job.id, (kind, content) => {
        this.done = before + content.done;
        this.left = content.seconds_left;
        this.take(items[content.index], kind, content);
      }, abort.signal);
      if (end.problem) for (const item of items) this.leave(item, end.problem);
    } catch (error) {
      if (error.name === "AbortError") api.giveUp(job.id);
      throw error;
    } finally {
      this.jobs.delete(job.id);
    }
  }

  take(item, kind, content) {
    // An answer that came before stays: nobody waits for another.
    if (content.working_ion && !item.waiting.has(content.working_ion)) return;
    if (kind === "structure") item.facts = content;
    if (kind === "doubts") checked(item, content.predictions);
    if (kind === "prediction") item.answers.set(content.working_ion, { prediction: content.prediction });
    if (kind === "refused") item.answers.set(content.working_ion, { problem: content.problem });
    if (kind === "problem") {
      item.problem = content.problem;
      item.waiting.clear();
    }
    item.waiting.delete(content.working_ion);
    this.changed(item);
  }

  /** Nothing more comes for an item; what it waited for has a problem. */
  leave(item, problem) {
    for (const ion of item.waiting) item.answers.set(ion, { problem });
    item.waiting.clear();
  }

  /** Give up what is under way, as the user wishes: what has come stays. */
  cancel(items) {
    if (!this.busy) return;
    this.stop();
    const problem = { type: "urn:ionvolt:problem:cancelled", title: "Cancelled", rule: "you cancelled it", remedy: "Ask again when you want it" };
    for (const item of items) this.leave(item, problem);
    this.changed(null);
    this.ended();
  }

  stop() {
    this.abort?.abort();
    this.abort = null;
  }

  finish(abort) {
    if (this.abort !== abort) return;
    this.abort = null;
    this.changed(null);
    this.ended();
  }

  /** The page is being left. */
  left_behind() {
    for (const id of this.jobs.keys()) api.giveUp(id);
  }
}

/** What forces and pressure say of voltages that were shown before: wider intervals, doubts. */
function checked(item, predictions) {
  for (const prediction of predictions) {
    if (item.answers.get(prediction.working_ion)?.prediction) item.answers.set(prediction.working_ion, { prediction });
  }
}

function parts(items) {
  const found = [[]];
  let characters = 0;
  for (const item of items) {
    const length = item.input.text?.length ?? 0;
    const last = found[found.length - 1];
    if (last.length === MOST_STRUCTURES || (last.length && characters + length > MOST_CHARACTERS)) {
      found.push([item]);
      characters = length;
    } else {
      last.push(item);
      characters += length;
    }
  }
  return found;
}
