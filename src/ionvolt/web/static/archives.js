// Folders and zip archives that are dropped or chosen: the files in them that may be structures.

import { bounded } from "./state.js";

const MOST_FILES = 500;
const MOST_BYTES = 5_000_000;
const MOST_ARCHIVE = 60_000_000;
const STRUCTURE = /\.(cif|vasp|poscar|xyz|extxyz|res|json)(\.gz)?$|(^|\/)(POSCAR|CONTCAR)[^/]*$/i;

/** All files of what was dropped: folders are walked through, archives are opened. Order is that of names. */
export async function droppedFiles(transfer) {
  // Entries must be taken at once: the list is empty as soon as this function waits.
  const files = [...transfer.files];
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return opened(files);
  const found = [];
  for (const entry of entries) await walk(entry, found);
  return opened(found);
}

async function walk(entry, files) {
  if (files.length > MOST_FILES) return;
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    // A folder holds all kinds of files; one that was dropped by itself is meant.
    if (entry.fullPath.split("/").length <= 2 || STRUCTURE.test(file.name) || /\.zip$/i.test(file.name)) files.push(file);
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const child of some.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }))) await walk(child, files);
  }
}

/** Files, with archives replaced by the structures in them. */
export async function opened(files) {
  const found = [];
  for (const file of files) {
    const inside = /\.zip$/i.test(file.name) ? await unzipped(file) : null;
    found.push(...(inside ?? [file]));
  }
  return found;
}

/** Structure files of a zip archive; null where it cannot be read as one. */
async function unzipped(file) {
  if (file.size > MOST_ARCHIVE) return null;
  const bytes = new Uint8Array(await file.arrayBuffer());
  const view = new DataView(bytes.buffer);
  // The directory stands at the end, behind a comment of up to 64 kB.
  let end = bytes.length - 22;
  while (end >= Math.max(0, bytes.length - 65_557) && view.getUint32(end, true) !== 0x06054b50) end -= 1;
  if (end < 0 || view.getUint32(end, true) !== 0x06054b50) return null;
  const found = [];
  try {
    const count = view.getUint16(end + 10, true);
    let at = view.getUint32(end + 16, true);
    for (let i = 0; i < count && found.length <= MOST_FILES; i++) {
      if (view.getUint32(at, true) !== 0x02014b50) return null;
      const [method, packed, size] = [view.getUint16(at + 10, true), view.getUint32(at + 20, true), view.getUint32(at + 24, true)];
      const [nameLength, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
      const start = view.getUint32(at + 42, true);
      const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
      at += 46 + nameLength + extra + comment;
      if (!STRUCTURE.test(name) || name.startsWith("__MACOSX/") || size > MOST_BYTES) continue;
      const data = start + 30 + view.getUint16(start + 26, true) + view.getUint16(start + 28, true);
      const part = bytes.subarray(data, data + packed);
      const content = method === 0 ? part : method === 8 ? await inflated(part) : null;
      if (content) found.push(new File([content], name.split("/").pop()));
    }
  } catch {
    return null; // damaged: told as a file that is no structure
  }
  return found;
}

const inflated = (part) => bounded(new Blob([part]).stream().pipeThrough(new DecompressionStream("deflate-raw")), MOST_BYTES);
