// Building the page: every text goes in as text, never as HTML.

export const $ = (id) => document.getElementById(id);

/** An element with attributes and children; strings become text nodes, `on` holds listeners. */
export function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for SVG. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** A formula with its numbers lowered: Fe2O3 as Fe₂O₃. */
export function formula(text) {
  return el("span", { class: "formula" }, text.split(/(\d+(?:\.\d+)?)/).map((part, i) => (i % 2 ? el("sub", {}, part) : part)));
}

/** A number with a true minus sign; an empty string for a missing one. */
export function fixed(value, digits) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "";
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
}

/** `3.42 ± 0.21`, or without the deviation where there is none. */
export function plusMinus(value, deviation, digits = 2) {
  return deviation === null || deviation === undefined ? fixed(value, digits) : `${fixed(value, digits)} ± ${fixed(deviation, digits)}`;
}
