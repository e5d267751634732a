/* The color of each point, and the entries of the legend that explains the colors. */

import { classColor, GRAY, TEN } from "../shell/class_colors.js";
import { pixel } from "../shell/scatter.js";
import { SPLITS } from "./state.js";

const SPLIT = ["#4f6fe0", "#15977f", "#e07a33"]; // train, val, test, as on the Data page
const CORRECT = "#2f9e68", WRONG = "#e0483a";
const RAMP = ["#3b2f8f", "#31688e", "#1f9e89", "#6cce59", "#f2d43b"]; // low to high (viridis)
const UNKNOWN = "#8d8a84";

const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const hex = (rgb) => `#${rgb.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
const categories = (state, index, entries) => {
  const table = Uint32Array.from(entries, (entry) => pixel(entry.css));
  const counts = new Uint32Array(entries.length);
  const colors = new Uint32Array(state.n);
  for (let i = 0; i < state.n; i++) {
    const at = index(i);
    colors[i] = table[at];
    counts[at]++;
  }
  entries.forEach((entry, at) => (entry.count = counts[at]));
  return { colors, entries: entries.filter((entry) => entry.count) };
};

/* A gradient over the middle 98% of the values: one extreme value must not give all others the same color. */
const gradient = (state, values, title) => {
  const known = Float32Array.from(values).filter((value) => !Number.isNaN(value)).sort();
  const at = (share) => known[Math.min(known.length - 1, Math.floor(share * known.length))] ?? 0;
  const [low, high] = [at(0.01), at(0.99)];
  const steps = Uint32Array.from({ length: 256 }, (_, i) => {
    const place = (i / 255) * (RAMP.length - 1);
    const [a, b] = [rgb(RAMP[Math.floor(place)]), rgb(RAMP[Math.ceil(place)])];
    return pixel(hex(a.map((part, k) => Math.round(part + (b[k] - part) * (place % 1)))));
  });
  const unknown = pixel(UNKNOWN);
  const colors = new Uint32Array(state.n);
  for (let i = 0; i < state.n; i++) {
    const share = (values[i] - low) / (high - low || 1);
    colors[i] = Number.isNaN(share) ? unknown : steps[Math.max(0, Math.min(255, Math.round(share * 255)))];
  }
  const missing = state.n - known.length;
  return {
    colors, ramp: { css: `linear-gradient(90deg, ${RAMP.join(", ")})`, low, high, title },
    entries: missing ? [{ name: "unknown", css: UNKNOWN, count: missing }] : [],
  };
};

/* Entries of the legend that hide or show their images; `hint` says what a click does. */
const toggles = (state, name, at) => ({
  hint: "Click to hide or show. Alt-click or double-click to show only this.",
  hidden: () => Boolean(state.filters[name][at]),
  toggle: (alone) => {
    const hidden = state.filters[name];
    if (alone) { // show only this entry; if it is already alone, show all
      const single = !hidden[at] && hidden.every((value, k) => k === at || value);
      hidden.fill(single ? 0 : 1);
      hidden[at] = 0;
    } else hidden[at] = hidden[at] ? 0 : 1;
    state.refilter();
  },
});
const choice = (state, name, value) => ({
  hint: "Click to show only this. Click again to show all.",
  hidden: () => state.filters[name] !== "any" && state.filters[name] !== value,
  toggle: () => state.filter({ [name]: state.filters[name] === value ? "any" : value }),
});

/* Color modes: `needs` names the values that a mode colors by; `paint` returns {colors, entries, ramp?}. */
export const MODES = [
  { name: "class", title: "Class", paint: (state) => categories(state, (i) => state.labels[i] + 1,
    [-1, ...state.classes.keys()].map((label) => ({
      name: state.className(label), css: classColor(label), ...toggles(state, "hiddenClasses", label + 1),
    }))) },
  { name: "split", title: "Split", paint: (state) => categories(state, (i) => state.splits[i],
    SPLITS.map((name, at) => ({ name, css: SPLIT[at], ...toggles(state, "hiddenSplits", at) }))) },
  { name: "prediction", title: "Prediction", needs: "predicted", paint: (state) => {
    const { predicted } = state.values;
    const entries = [
      { name: "wrong", css: WRONG, ...choice(state, "prediction", "wrong") },
      { name: "correct", css: CORRECT, ...choice(state, "prediction", "correct") },
      { name: "no label or prediction", css: UNKNOWN },
    ];
    return categories(state, (i) => (state.labels[i] < 0 || predicted[i] < 0 ? 2 : predicted[i] === state.labels[i] ? 1 : 0), entries);
  } },
  { name: "loss", title: "Loss", needs: "loss", paint: (state) => gradient(state, state.values.loss, "loss (nats)") },
  { name: "confidence", title: "Confidence", needs: "confidence",
    paint: (state) => gradient(state, state.values.confidence, "confidence (0 to 1)") },
  { name: "round", title: "Selection round", needs: "round", paint: (state) => {
    const { round } = state.values;
    const last = round.reduce((most, value) => Math.max(most, value), 0);
    const entries = [{ name: "not selected", css: GRAY }];
    for (let k = 1; k <= last; k++)
      entries.push({ name: `round ${k}`, css: TEN[(k - 1) % 10], ...choice(state, "round", String(k)) });
    return categories(state, (i) => round[i], entries);
  } },
  { name: "match", title: "Caption match", needs: "match", paint: (state) => gradient(state, state.values.match, "cosine similarity of image and caption") },
  { name: "score", title: "Search score", needs: "score", paint: (state) => gradient(state, state.values.score, "similarity to the search") },
];

/* Paint by the mode of the state; by class if the values for that mode are missing. */
export const paint = (state) => {
  const mode = MODES.find(({ name }) => name === state.color);
  const able = mode && (!mode.needs || state.values[mode.needs]);
  return (able ? mode : MODES[0]).paint(state);
};
