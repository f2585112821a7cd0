// Files of the user: read as text, gzipped ones unpacked, within the limits that the server has too.

import { bounded } from "./state.js";

const MOST_BYTES = 5_000_000;
const MOST_NAME = 200;

/** {name, text} of a file, or {name, problem} in the words of the server. */
export async function readStructure(file) {
  const name = file.name.length > MOST_NAME ? file.name.slice(0, MOST_NAME - 1) + "…" : file.name;
  const refused = (rule, remedy) => ({ name, problem: { source: name, title: "This file was not read", rule, remedy } });
  const tooLarge = () => refused(`it is larger than ${MOST_BYTES / 1e6} MB`, "Give a single crystal structure, not a whole data set");
  if (file.size > MOST_BYTES) return tooLarge();
  let bytes;
  try {
    bytes = new Uint8Array(await file.arrayBuffer());
  } catch {
    return refused("it cannot be read", "Choose a file, not a folder");
  }
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      bytes = await bounded(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")), MOST_BYTES);
    } catch (error) {
      if (/bytes/.test(error.message)) return tooLarge();
      return refused("its gzip data is damaged", "Unpack it, or give the plain file");
    }
  }
  return { name, text: new TextDecoder().decode(bytes) };
}

/** Hand the user a file. */
export function download(name, content, type) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function written(value) {
  if (Array.isArray(value)) return value.join("; ");
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "object") return Object.entries(value).map(([symbol, n]) => symbol + n).join(" ");
  return String(value);
}

/** CSV in the form that `ionvolt predict --csv` writes; text that a spreadsheet would run is defused. */
export function toCsv(columns, rows) {
  const cell = (value) => {
    if (value === null || value === undefined) return "";
    let text = written(value);
    if (typeof value !== "number" && /^[=+\-@\t\r]/.test(text)) text = "'" + text;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns.join(","), ...rows.map((row) => columns.map((column) => cell(row[column])).join(","))].join("\n") + "\n";
}
