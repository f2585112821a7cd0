// One diverging scale for local voltages: blue below the mean, grey at it, orange above. Blue and orange stay apart
// for every common colour blindness, and the ends differ in lightness from the middle.

const STOPS = ["#08519c", "#3787c0", "#9ecae1", "#dcdcdc", "#fdb97d", "#e6701a", "#9c3203"];
const RGB = STOPS.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));

/** A scale about the mean of the values: {mean, reach, flat, digits, colour(value)}. */
export function divergingScale(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const reach = Math.max(...values.map((value) => Math.abs(value - mean)), 1e-3);
  const flat = reach <= 1e-3; // one atom, or all alike: there is nothing to scale
  const colour = (value) => {
    const at = (Math.max(-1, Math.min(1, (value - mean) / reach)) + 1) * ((STOPS.length - 1) / 2);
    const i = Math.min(Math.floor(at), STOPS.length - 2);
    const mixed = RGB[i].map((from, channel) => Math.round(from + (RGB[i + 1][channel] - from) * (at - i)));
    return "#" + mixed.map((channel) => channel.toString(16).padStart(2, "0")).join("");
  };
  return { mean, reach, flat, digits: flat || reach >= 0.1 ? 2 : 3, colour };
}

const LEVELS = ["#fff7bc", "#addd8e", "#41ab5d", "#006837"];
const LEVELS_RGB = LEVELS.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));

/** A scale from the lowest to the highest value: {low, high, colour(value)}. */
export function sequentialScale(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const colour = (value) => {
    const at = (high > low ? (value - low) / (high - low) : 0.5) * (LEVELS.length - 1);
    const i = Math.min(Math.floor(at), LEVELS.length - 2);
    return "#" + LEVELS_RGB[i].map((from, channel) => Math.round(from + (LEVELS_RGB[i + 1][channel] - from) * (at - i)).toString(16).padStart(2, "0")).join("");
  };
  return { low, high, colour };
}

/** Black or white, whichever reads better on a colour. */
export function inkOn(hex) {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255).map((c) => (c <= 0.04 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.3 ? "#111" : "#fff";
}
