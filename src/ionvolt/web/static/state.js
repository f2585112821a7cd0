// What a link holds: the structures themselves (packed), the ions, the ion shown, and how the structures are read.
// Everything is in the fragment, which browsers do not send to the server.

const MOST_PACKED = 60_000;
const MOST_UNPACKED = 6_000_000;

/** Of what is told about an electrode: names of the API, and in the link. */
const TEXTS = { discharged_formula: "discharged", charged_formula: "charged" };
const FLAGS = ["exchange", "relax"];

/** The fragment for a state, or null where the structures are too long for a link or the browser too old to pack. */
export async function toFragment({ inputs, ions, ion, assume, model, more = {} }) {
  const fields = new URLSearchParams();
  if (inputs.length === 1 && inputs[0].example) fields.set("example", inputs[0].example);
  else if (inputs.length === 1 && inputs[0].mp_id) fields.set("mp", inputs[0].mp_id);
  else if (!globalThis.CompressionStream) return null;
  else {
    const packed = await pack(JSON.stringify(inputs));
    if (packed.length > MOST_PACKED) return null;
    fields.set("z", packed);
  }
  if (ions) fields.set("ions", ions.join("."));
  if (ion) fields.set("ion", ion);
  if (assume !== "auto") fields.set("assume", assume);
  if (model) fields.set("model", model);
  for (const [name, short] of Object.entries(TEXTS)) if (more[name]) fields.set(short, more[name]);
  for (const name of FLAGS) if (more[name]) fields.set(name, "1");
  if (more.charged) {
    if (!globalThis.CompressionStream) return null;
    fields.set("zc", await pack(JSON.stringify(more.charged)));
    if (fields.get("zc").length > MOST_PACKED) return null;
  }
  return "#" + fields.toString();
}

/** The state that a fragment holds; null where it holds none. Throws where it is damaged. */
export async function fromFragment(fragment) {
  const fields = new URLSearchParams(fragment.replace(/^#/, ""));
  let inputs;
  if (fields.has("example")) inputs = [{ example: fields.get("example") }];
  else if (fields.has("mp")) inputs = [{ mp_id: fields.get("mp") }];
  else if (fields.has("z")) inputs = JSON.parse(await unpack(fields.get("z"))).map(checked);
  else return null;
  const more = {};
  for (const [name, short] of Object.entries(TEXTS)) if (fields.has(short)) more[name] = fields.get(short).slice(0, 100);
  for (const name of FLAGS) if (fields.get(name) === "1") more[name] = true;
  if (fields.has("zc")) more.charged = checked(JSON.parse(await unpack(fields.get("zc"))));
  return {
    inputs,
    ions: fields.has("ions") ? fields.get("ions").split(".") : null,
    ion: fields.get("ion"),
    assume: fields.get("assume") || "auto",
    model: fields.get("model"),
    more,
  };
}

function checked(input) {
  for (const keys of [["name", "text"], ["mp_id"], ["example"]]) {
    if (keys.every((key) => typeof input[key] === "string")) return Object.fromEntries(keys.map((key) => [key, input[key]]));
  }
  throw new Error("no structure in the link");
}

async function pack(text) {
  const packed = await new Response(new Blob([text]).stream().pipeThrough(new CompressionStream("deflate-raw"))).arrayBuffer();
  let binary = "";
  for (const byte of new Uint8Array(packed)) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

async function unpack(packed) {
  const binary = atob(packed.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new TextDecoder().decode(await bounded(stream, MOST_UNPACKED));
}

/** All bytes of a stream, refused beyond a limit: a short link or file may unpack to very much. */
export async function bounded(stream, most) {
  const reader = stream.getReader();
  const parts = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > most) {
      await reader.cancel();
      throw new Error(`more than ${most} bytes`);
    }
    parts.push(value);
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
