/* The active filters: a button for each, which names the filter and removes it. */

import { element } from "../shell/dom.js";
import { clearSearch } from "./search.js";
import { SPLITS } from "./state.js";

const NAMED = 3; // classes that a button names; more are counted
const CHOICES = {
  labeled: { yes: "Labeled", no: "Not labeled" },
  pool: { pool: "In the pool", excluded: "Excluded from the pool" },
  prediction: { correct: "Prediction: correct", wrong: "Prediction: wrong" },
};

/* "Class: cat, dog", "Class: not cat" or "Class: 7 of 18"; null if nothing is hidden. */
const listed = (title, hidden, values, nameOf, shift = 0) => {
  if (!hidden.some(Boolean)) return null;
  const seen = new Uint8Array(hidden.length);
  for (const value of values) seen[value + shift] = 1;
  const present = [...seen.keys()].filter((at) => seen[at]);
  const off = present.filter((at) => hidden[at]).map(nameOf);
  const on = present.filter((at) => !hidden[at]).map(nameOf);
  if (!on.length) return `${title}: none`;
  if (off.length && off.length <= Math.min(NAMED, on.length)) return `${title}: not ${off.join(", ")}`;
  if (on.length <= NAMED) return `${title}: ${on.join(", ")}`;
  return `${title}: ${on.length} of ${present.length}`;
};
const between = (title, [least, most]) =>
  least === null ? `${title}: at most ${most}` : most === null ? `${title}: at least ${least}` : `${title}: ${least} to ${most}`;
const roundName = (round) => (round === "selected" ? "Selected in any round" : `Selected in round ${round}`);

/* [name, how to remove it] of each active filter, in the order of the Filters panel. */
const active = (state) => {
  const { filters: f } = state;
  const showAll = (name) => () => {
    f[name].fill(0);
    state.refilter();
  };
  const set = (name, value) => () => state.filter({ [name]: value });
  return [
    [state.region && "Map selection", () => state.setRegion(null)],
    [state.search?.title, () => clearSearch(state)],
    [f.text && `Text: “${f.text.text}”`, set("text", null)],
    [listed("Split", f.hiddenSplits, state.splits, (at) => SPLITS[at]), showAll("hiddenSplits")],
    [listed("Class", f.hiddenClasses, state.labels, (at) => state.className(at - 1), 1), showAll("hiddenClasses")],
    ...["labeled", "pool"].map((name) => [CHOICES[name][f[name]], set(name, "any")]),
    [f.subset && `Selection: ${f.subset.name}`, set("subset", null)],
    [f.round !== "any" && roundName(f.round), set("round", "any")],
    [CHOICES.prediction[f.prediction], set("prediction", "any")],
    ...[["loss", "Loss"], ["confidence", "Confidence"]].map(([name, title]) => [f[name] && between(title, f[name]), set(name, null)]),
  ].filter(([name]) => name);
};

export const activeFilters = (state) => {
  const row = element("div", { class: "x-chips" });
  const clear = () => {
    clearSearch(state);
    state.clearFilters();
  };
  const update = () => {
    const buttons = active(state).map(([name, remove]) => element("button",
      { type: "button", class: "x-chip", onclick: remove, title: `Remove: ${name}`, "aria-label": `Remove: ${name}` },
      element("span", {}, name), " ✕"));
    if (buttons.length > 1) buttons.push(element("button", { type: "button", class: "link", onclick: clear }, "Clear all"));
    row.replaceChildren(...buttons);
  };
  state.on("order search values columns", update);
  update();
  return row;
};
