/* Findings: near-duplicates, outliers and likely label errors, each with its evidence and a button
   that fixes it. A finding that is fixed is no longer listed. */

import { element } from "../shell/dom.js";
import { fetchJson } from "../shell/http.js";
import { count } from "../shell/words.js";
import { change, post } from "./changes.js";
import { thumbnail } from "./thumbnail.js";
import { say } from "./toast.js";

const SHOWN = 30; // of each kind at first
const percent = (share) => `${Math.round(100 * share)}%`;

const button = (text, act, kind = null) => element("button", { type: "button", class: kind, onclick: act }, text);
const strip = (state, rows, text = () => null) =>
  element("div", { class: "x-strip" }, rows.map((row) => thumbnail(state, row, text(row))));
const isTraining = (state, row) => state.split(row) === "train"; // only these can leave the pool
/* Duplicates that are still used, and those of them to exclude: each training image that is also in
   another split, otherwise all but the first. */
const remaining = (state, item) => item.all.filter((row) => !state.excluded[row] || !isTraining(state, row));
const surplus = (state, item) => {
  const rows = remaining(state, item);
  const training = rows.filter((row) => isTraining(state, row));
  return training.length < rows.length ? training : training.slice(1);
};

const excludeExtra = (crossing, number) => {
  if (crossing) return number > 1 ? `Exclude ${count(number, "training image")}` : "Exclude the training image";
  return number > 1 ? `Keep the first, exclude ${number}` : "Exclude the second";
};

/* The kinds of findings: `open` says whether an item is not fixed yet. */
const KINDS = [
  {
    name: "labels", title: "Likely label errors",
    hint: "For each of these images, a model that was trained without the image's label gives another class a much higher probability. Among the nearest images, that class is at least four times as frequent as the image's class.",
    open: (state, item) => state.labels[item.row] === item.label && !state.excluded[item.row],
    draw: (state, item) => {
      const [label, suggested] = [state.className(item.label), state.className(item.suggested)];
      return [
        element("div", { class: "x-versus" }, thumbnail(state, item.row),
          element("p", {}, "Label: ", element("b", {}, label), ` (model probability ${percent(item.own)}). Suggested: `,
            element("b", {}, suggested), ` (${percent(item.confidence)}). ${percent(item.agreeing)} of the labeled neighbors are labeled ${suggested}.`,
            item.confirmed ? ` Run ${state.findingsRun} also predicts ${suggested}.` : "", ` Nearest images of ${suggested}:`)),
        strip(state, item.near),
        element("div", { class: "x-row" },
          button(`Label as ${suggested}`, () => change(state, "label", [item.row], item.suggested), "primary"),
          button("Exclude", () => change(state, "excluded", [item.row], true))),
      ];
    },
  },
  {
    name: "duplicates", title: "Near-duplicates", class: "is-pair", measure: "Cosine similarity", score: (item) => item.cosine ?? 1,
    more: surplus, noun: "training image",
    hint: "Duplicates waste labels. Duplicates across splits inflate test accuracy. An exclusion affects only training images.",
    open: (state, item) => remaining(state, item).length > 1,
    draw: (state, item) => {
      const [rows, extra] = [remaining(state, item), surplus(state, item)];
      const splits = new Set(rows.map((row) => state.split(row)));
      return [
        element("p", {}, item.exact ? "Identical files" : `Cosine ${item.cosine.toFixed(3)}`, element("span", { class: "muted" },
          splits.size > 1 ? `, in ${[...splits].join(" and ")}` : "")),
        strip(state, rows, (row) => state.label(row)),
        extra.length ? element("div", { class: "x-row" },
          button(excludeExtra(splits.size > 1, extra.length), () => change(state, "excluded", extra, true))) : "",
      ];
    },
  },
  {
    name: "outliers", title: "Outliers", measure: "Distance", score: (item) => item.distance, more: (_, item) => [item.row],
    hint: "Far from all other images: a mistake in the data, or a rare case that may be worth labeling.",
    open: (state, item) => !state.excluded[item.row],
    draw: (state, item, typical) => [
      element("div", { class: "x-versus" }, thumbnail(state, item.row),
        element("p", {}, element("b", {}, state.label(item.row)), `. Distance to its neighbors: ${item.distance.toFixed(2)} (typical: ${typical.toFixed(2)}). Nearest images:`)),
      strip(state, item.near),
      element("div", { class: "x-row" }, button("Exclude", () => change(state, "excluded", [item.row], true))),
    ],
  },
];

/* A slider from the lowest to the highest score of the items; `changed` is called when it moves. */
const threshold = (kind, items, changed) => {
  const scores = items.map(kind.score);
  const [low, high] = [Math.min(...scores), Math.max(...scores)];
  const words = element("span", { class: "num" });
  const input = element("input", { type: "range", min: 0, max: 100, value: 0, "aria-label": `${kind.title}: threshold`, oninput: () => {
    value = low + ((high - low) * input.value) / 100;
    changed();
  } });
  let value = low;
  return {
    field: element("label", { class: "x-field" }, words, input),
    show: (number) => (words.textContent = `${kind.measure} ≥ ${value.toFixed(3)}: ${number.toLocaleString("en")} of ${items.length.toLocaleString("en")}`),
    get value() { return value; },
    get raised() { return value > low; },
  };
};

const section = (state, kind, found, typical) => {
  const rows = (ids) => (ids ?? []).map((id) => state.rowOf(id)).filter((row) => row >= 0);
  const items = found[kind.name].map((item) => ({
    ...item, row: item.id ? state.rowOf(item.id) : -1, all: rows(item.ids),
    near: rows(item.neighbors ?? item.neighbours), // `neighbours` in findings of earlier versions
  }));
  const body = element("div", {});
  const number = element("small", { class: "num" });
  let shown = SHOWN;
  const limit = kind.score && threshold(kind, items, () => fill());
  const fill = () => {
    const open = items.filter((item) => kind.open(state, item) && (!limit || kind.score(item) >= limit.value));
    const more = limit?.raised ? 0 : found.found[kind.name] - items.length; // found, but not listed
    number.textContent = `${(open.length + more).toLocaleString("en")}`;
    if (!details.open) return;
    limit?.show(open.length);
    const extra = kind.more ? open.flatMap((item) => kind.more(state, item)) : [];
    body.replaceChildren(element("p", { class: "muted" }, items.length ? kind.hint : "None found."),
      items.length && limit ? limit.field : "",
      extra.length > 1 ? button(`Exclude ${count(extra.length, kind.noun ?? "image")}`, () => change(state, "excluded", extra, true)) : "",
      ...open.slice(0, shown).map((item) => element("div", { class: `x-finding ${kind.class ?? ""}` }, kind.draw(state, item, typical))),
      open.length > shown ? button(`Show more (${(open.length - shown).toLocaleString("en")} left)`, () => { shown += SHOWN; fill(); }) : "");
  };
  const details = element("details", { class: "x-section", ontoggle: fill, open: kind === KINDS[0] },
    element("summary", {}, element("h3", {}, kind.title), number), body);
  details.fill = fill;
  fill();
  return details;
};

export const findingsPanel = (state) => {
  const panel = element("div", { class: "x-findings" });
  let [key, sections, stale] = [null, [], null];
  const showHint = (text) => panel.replaceChildren(element("p", { class: "muted x-hint" }, text));
  const refresh = async () => {
    try {
      await post(state, "findings", {});
      say("Refreshing the findings. They appear here when they are ready.");
    } catch (error) {
      say(error.message);
    }
  };
  const show = async () => {
    if (!state.map.findings) return showHint("Near-duplicates, outliers and likely label errors appear here when the map is ready.");
    if (key === state.map.findings) return;
    key = state.map.findings;
    try {
      const found = await fetchJson(`/explore/${state.dataset.id}/findings.json`);
      state.findingsRun = found.run;
      sections = KINDS.map((kind) => section(state, kind, found, found.typical_distance));
      stale = element("div", { class: "x-stack" }, element("p", { class: "muted" }, "Out of date: labels or exclusions have changed."), button("Refresh", refresh));
      stale.revision = found.revision;
      panel.replaceChildren(...sections, stale);
      update();
    } catch (error) {
      key = null;
      showHint(error.message);
    }
  };
  const update = () => {
    for (const one of sections) one.fill();
    if (stale) stale.hidden = stale.revision === state.revision;
  };
  state.on("state", show);
  state.on("columns", update);
  show();
  return panel;
};
