/* Keys of the view of a single image. */

import { FEW } from "./views.js";

export const pressKey = (labeler, event) => {
  const { key, target } = event;
  const { task } = labeler;
  const run = (method, ...values) => {
    event.preventDefault();
    labeler[method](...values);
  };
  if (key === "z" && (event.ctrlKey || event.metaKey) && target.value === undefined) return run("undo");
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const filtering = target.name === "filter";
  if (!filtering && target.closest?.("input, select, textarea, a, summary")) return;
  const onButton = target.tagName === "BUTTON";
  if (/^[0-9]$/.test(key) && !filtering) { // in the filter, digits belong to a name
    const match = task.matches[(Number(key) + 9) % 10];
    if (match) run("label", { [task.image.id]: match.index });
  } else if (key === "Escape" && filtering) {
    target.value = "";
    target.blur();
    labeler.setFilter("");
  } else if (key === "Enter" && !onButton) run(...enter(task));
  else if (filtering) return;
  else if (key === "ArrowLeft") run("move", -1);
  else if (key === "ArrowRight") run("move", 1);
  else if (key === " " && !onButton) run("skip");
  else if (task.classes.length > FEW) { // letters search for a class
    if (key.length > 1 || !/\S/.test(key)) return;
    run("setFilter", task.filter + key);
    labeler.host.querySelector("[name=filter]")?.focus();
  } else if (key === "s") run("skip");
  else if (key === "u") run("undo");
};

/* What Enter does: it assigns the first match, creates a class, accepts the suggestion or moves on. */
const enter = (task) => {
  const { image, matches } = task;
  if (task.filter.trim())
    return matches.length ? ["label", { [image.id]: matches[0].index }] : ["labelWithNewClass"];
  const suggested = task.suggestion(image);
  return suggested ? ["label", { [image.id]: suggested.label }] : ["move", 1];
};
