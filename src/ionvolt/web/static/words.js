// What predictions are called: the host that a voltage belongs to, and the state of the structure given.

/** Whether the structure given is the discharged electrode. */
export const isDischarged = (p) => p.end_members !== "charged";

/** The host that takes the ion up: {key, words, text}. Voltages of one host can be compared with each other. */
export function reaction(p) {
  const host = p.host_formula || p.formula;
  return { key: host, words: ["ion in ", { formula: host }], text: `${p.working_ion} in ${host}` };
}

/** Refusals that differ only in the ion, together: {ions, problem}. */
export function grouped(refusals) {
  const found = new Map();
  for (const { ion, problem } of refusals) {
    const plain = (problem.rule ?? problem.title ?? "").replaceAll(new RegExp(`\\b${ion}\\b`, "g"), "·");
    const entry = found.get(plain) ?? { ions: [], problem };
    entry.ions.push(ion);
    found.set(plain, entry);
  }
  return [...found.values()];
}
