/* The head of a labeling task: its progress, what the model has learned, and the choice of view. */

import { element } from "../shell/dom.js";
import { count, percent } from "../shell/words.js";

export const head = (labeler) => {
  const { task, queue } = labeler;
  const total = task.images.length;
  const done = total - task.unlabeled;
  const state = queue.waiting.length ? `Saving ${queue.waiting.length} …` : done ? "Saved" : "";
  return element("div", { class: "label-head" },
    element("div", { class: "progress" },
      element("div", { class: "progress-words" },
        element("span", {}, `${done} of ${total} labeled${task.pace()}`),
        element("span", { class: "num" }, state)),
      element("progress", { max: total, value: done, "aria-label": "Labeled images" })),
    labeler.kind === "selection" && !labeler.isGrid ? order(labeler) : null,
    tab(labeler, "Single image", false), tab(labeler, "Grid", true),
    learned(labeler));
};

const tab = (labeler, name, isGrid) => element("button", {
  type: "button", name: `tab-${isGrid}`, class: "quiet", "aria-pressed": labeler.isGrid === isGrid,
  onclick: () => labeler.setView(isGrid),
}, name);

/* The switch between the learned order and that of the selection. */
const order = (labeler) => {
  const field = element("select", {
    name: "order", "aria-label": "Order of the images", onchange: () => labeler.setOrder(field.value === "given"),
    title: "Most useful first: starts with images that the model is least sure about and that differ most from the labeled ones.",
  }, element("option", { value: "learned" }, "Most useful first"), element("option", { value: "given" }, "Selection order"));
  field.value = labeler.keepsOrder ? "given" : "learned";
  return field;
};

/* What the suggestions learned from, and how accurate they are. */
const learned = (labeler) => {
  const { task } = labeler;
  if (!task.suggestions.size) return null;
  const source = task.learned ? `Learned from ${count(task.learned, "label")}` : "Suggested from the class names";
  const isOld = labeler.isGrid && labeler.gridLearned >= 0 && labeler.gridLearned !== task.learned && task.unlabeled;
  return element("p", { class: "label-learned muted" },
    element("span", {}, source), accuracy(labeler),
    isOld ? element("button", { type: "button", name: "update", class: "quiet", onclick: () => labeler.updateGrid() }, "Update suggestions") : null);
};

const accuracy = ({ task, tests, dataset, kind }) => {
  if (task.accuracy) {
    const { value, low, high, total } = task.accuracy;
    return element("span", { title: "Share of the labeled test sample that the suggestions get right. The model is not trained on these labels." },
      `Accuracy ${percent(value)} on ${count(total, "test image")} (95% interval ${percent(low)} to ${percent(high)})`);
  }
  return tests && kind !== "evaluation" ? element("a", { href: `/label?dataset=${dataset}`, "data-go": "" }, "Label a test sample to measure the accuracy") : null;
};
