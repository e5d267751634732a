/* The Filters panel. */

import { classColor } from "../shell/class_colors.js";
import { element } from "../shell/dom.js";
import { fetchBundle } from "../shell/http.js";
import { SPLITS } from "./state.js";
import { say } from "./toast.js";

const MANY = 12; // classes; if there are more, a field finds one
const TYPING = 250; // milliseconds between the last key and the search

/* A select that filters by the value of `name`. */
const choice = (state, name, title, options) => {
  const select = element("select", { onchange: () => state.filter({ [name]: select.value }) });
  const field = element("label", { class: "x-field" }, element("span", {}, title), select);
  const update = () => (select.value = state.filters[name]);
  field.fill = (options) => {
    select.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
    update();
  };
  field.fill(options);
  state.on("mask", update);
  return field;
};
/* A box for each entry that hides or shows its images. */
const checks = (state, name, entries) => entries.map(({ at, title, count, css }) => {
  const box = element("input", { type: "checkbox", onchange: () => {
    state.filters[name][at] = box.checked ? 0 : 1;
    state.refilter();
  } });
  const row = element("label", { class: "x-check" }, box, css ? element("i", { style: `background:${css}` }) : null,
    element("span", {}, title), element("small", { class: "num" }, count.toLocaleString("en")));
  row.update = () => (box.checked = !state.filters[name][at]);
  row.update();
  return row;
});
const section = (title, open, ...children) =>
  element("details", { class: "x-section", open }, element("summary", {}, element("h3", {}, title)), ...children);

const counted = (size, values, shift) => {
  const counts = new Uint32Array(size);
  for (const value of values) counts[value + shift]++;
  return counts;
};

const classSection = (state) => {
  const list = element("div", { class: "x-checks" });
  let rows = [];
  const finder = element("input", { type: "search", placeholder: "Find a class", "aria-label": "Find a class", class: "x-input",
    oninput: () => {
      const wish = finder.value.toLowerCase();
      for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wish);
    } });
  const fill = () => {
    const counts = counted(state.classes.length + 1, state.labels, 1);
    rows = checks(state, "hiddenClasses", [-1, ...state.classes.keys()]
      .filter((label) => counts[label + 1])
      .map((label) => ({ at: label + 1, title: state.className(label), count: counts[label + 1], css: classColor(label) })));
    list.replaceChildren(...rows);
    finder.hidden = rows.length <= MANY;
  };
  const all = (hidden) => {
    state.filters.hiddenClasses.fill(hidden);
    state.refilter();
  };
  fill();
  state.on("columns", fill);
  state.on("mask", () => rows.forEach((row) => row.update()));
  return section("Class", true, finder, list, element("div", { class: "x-row" },
    element("button", { type: "button", class: "link", onclick: () => all(0) }, "All"),
    element("button", { type: "button", class: "link", onclick: () => all(1) }, "None")));
};

const splitSection = (state) => {
  const list = element("div", { class: "x-checks" });
  let rows = [];
  const fill = () => {
    const counts = counted(3, state.splits, 0);
    rows = checks(state, "hiddenSplits", SPLITS.map((title, at) => ({ at, title, count: counts[at] })));
    list.replaceChildren(...rows);
  };
  fill();
  state.on("mask", () => rows.forEach((row) => row.update()));
  return section("Split", true, list);
};

const subsetField = (state) => {
  const select = element("select", { onchange: () => choose(Number(select.value)) });
  let asked = 0;
  const choose = async (id) => {
    const mine = ++asked;
    if (!id) return state.filter({ subset: null });
    try {
      const { rows, meta } = await fetchBundle(`/explore/${state.dataset.id}/subset.bin?subset=${id}`);
      if (mine === asked) state.filter({ subset: { id, name: meta.name, rows: state.flags(rows) } });
    } catch (error) {
      if (mine !== asked) return;
      say(error.message);
      fill(); // shows the previous one again
    }
  };
  const field = element("label", { class: "x-field" }, element("span", {}, "Saved selection"), select);
  const fill = () => {
    select.replaceChildren(element("option", { value: "" }, "any"), ...state.subsets.map((subset) =>
      element("option", { value: subset.id }, `${subset.name} (${subset.images.toLocaleString("en")})`)));
    select.value = state.filters.subset?.id ?? "";
    field.hidden = !state.subsets.length;
  };
  fill();
  state.on("subsets mask", fill);
  state.on("cleared", () => asked++); // ignores an answer that is still on its way
  return field;
};

const textField = (state) => {
  let timer;
  let asked = 0;
  const stop = () => { // ignores an answer that is still on its way
    clearTimeout(timer);
    asked++;
  };
  const input = element("input", {
    type: "search", class: "x-input", placeholder: "Caption or file name", "aria-label": "Text in caption or file name",
    oninput: () => {
      stop();
      timer = setTimeout(find, TYPING);
    },
  });
  const find = async () => {
    const mine = asked;
    const text = input.value.trim();
    if (!text) return state.filter({ text: null });
    try {
      const { rows } = await fetchBundle(`/explore/${state.dataset.id}/text.bin?text=${encodeURIComponent(text)}`);
      if (mine === asked) state.filter({ text: { text, rows: state.flags(rows) } });
    } catch (error) {
      if (mine === asked) say(error.message);
    }
  };
  state.on("cleared", () => {
    stop();
    input.value = "";
  });
  let known = null;
  state.on("mask", () => {
    if (known === state.filters.text) return;
    known = state.filters.text;
    if (document.activeElement !== input) input.value = known?.text ?? "";
  });
  return input;
};

/* Two fields for the lowest and the highest value. */
const range = (state, name, title) => {
  const number = (end) => element("input", { type: "number", step: "any", min: 0, class: "x-input", placeholder: end,
    "aria-label": `${title} ${end}`, onchange: () => apply() });
  const ends = [number("from"), number("to")];
  const apply = () => {
    const given = ends.map(({ value }) => (value === "" ? null : Number(value)));
    state.filter({ [name]: given.every((value) => value === null) ? null : given });
  };
  state.on("mask", () => ends.forEach((end, k) => {
    if (document.activeElement !== end) end.value = state.filters[name]?.[k] ?? "";
  }));
  return element("div", { class: "x-field" }, element("span", {}, title), element("div", { class: "x-pair" }, ends));
};

const runSection = (state) => {
  const selected = choice(state, "round", "Selected", []);
  const predictions = [
    choice(state, "prediction", "Prediction", [["any", "any"], ["correct", "correct"], ["wrong", "wrong"]]),
    range(state, "loss", "Loss"), range(state, "confidence", "Confidence")];
  const hint = element("p", { class: "muted" });
  const fill = () => {
    const { round, predicted } = state.values;
    // The round of the filter is listed even if this run has fewer rounds.
    const last = round ? round.reduce((most, value) => Math.max(most, value), Number(state.filters.round) || 0) : 0;
    if (last !== selected.last) selected.fill([["any", "any"], ["selected", "in any round"],
      ...Array.from({ length: last }, (_, k) => [String(k + 1), `in round ${k + 1}`])]);
    selected.last = last;
    selected.hidden = !last;
    for (const field of predictions) field.hidden = !predicted;
    hint.hidden = Boolean(last || predicted);
    hint.textContent = state.runs.length
      ? "Choose a run above the map to filter by its selection and predictions."
      : "When a run on this dataset finishes, you can filter by its selection and predictions.";
  };
  fill();
  state.on("values state", fill);
  return section("Run", true, element("div", { class: "x-stack" }, selected, predictions, hint));
};

export const filterPanel = (state) => {
  const clear = element("button", { type: "button", class: "quiet", onclick: () => state.clearFilters() }, "Clear filters");
  const update = () => (clear.disabled = !state.filtered && !state.region);
  state.on("mask region", update);
  update();
  return element("div", { class: "x-filters" }, textField(state), splitSection(state), classSection(state),
    section("Images", true,
      choice(state, "labeled", "Label", [["any", "any"], ["yes", "labeled"], ["no", "not labeled"]]),
      choice(state, "pool", "Pool", [["any", "any"], ["pool", "in the pool"], ["excluded", "excluded from the pool"]]),
      subsetField(state)),
    runSection(state), clear);
};
