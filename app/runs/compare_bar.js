/* Checked boxes in the list of runs become "Compare 3 runs", tags to add, "Delete 3 runs" and, for one
   run, its name and tags to change. Buttons and forms with data-act go to the server through the list, which is a live piece. */

import { element } from "../shell/dom.js";
import { count } from "../shell/words.js";

const checked = new Map(); // run id → { name, tags }, in the order in which they were checked

const described = ({ dataset: { name, tags } }) => ({ name, tags });
const compare = (ids) => element("a", { class: "button primary", href: `/compare?runs=${ids.join(",")}` },
  `Compare ${ids.length} runs`);
const hint = () => element("p", {}, "Select another run to compare.");
const rename = (id, name) => element("form", { class: "run-edit", "data-act": "rename", "data-run": id },
  element("input", { name: "name", value: name, maxlength: 200, required: true, "aria-label": `Name of run ${id}` }),
  element("button", { type: "submit" }, "Rename run"));
const tag = (ids, value = "") => element("form", { class: "run-edit", "data-act": "tag", "data-runs": ids.join(",") },
  element("input", { name: "tags", value, placeholder: "Tags, separated by commas",
    "aria-label": ids.length > 1 ? `Tags to add to ${ids.length} runs` : `Tags of run ${ids[0]}` }),
  element("button", { type: "submit" }, ids.length > 1 ? "Add tags" : "Save tags"));
const remove = (ids) => element("button", {
  type: "button", class: "danger", "data-act": "delete", "data-runs": ids.join(","),
  "data-sure": `Delete ${count(ids.length, "run")} with ${ids.length > 1 ? "their models, selections" : "its model, selections"} and results? The images and labels of the dataset are kept. You can’t undo this.`,
  "data-yes": ids.length > 1 ? "Delete runs" : "Delete run",
}, ids.length > 1 ? `Delete ${ids.length} runs…` : "Delete run…");

let shown = "";
const update = () => {
  const bar = document.querySelector(".compare-bar");
  if (!bar) return;
  const ids = [...checked.keys()];
  const key = JSON.stringify([...checked]);
  if (key === shown && bar.children.length) return; // what is being typed stays
  shown = key;
  bar.replaceChildren(...(ids.length > 1 ? [compare(ids), tag(ids), remove(ids)]
    : ids.length ? [hint(), rename(ids[0], checked.get(ids[0]).name), tag(ids, checked.get(ids[0]).tags), remove(ids)] : []));
};

document.addEventListener("change", ({ target }) => {
  const box = target.closest("[data-compare]");
  if (!box) return;
  if (box.checked) checked.set(+box.dataset.compare, described(box));
  else checked.delete(+box.dataset.compare);
  update();
});
document.addEventListener("studio:shown", () => { // a redrawn list keeps its checked boxes
  const boxes = [...document.querySelectorAll("[data-compare]")];
  const listed = new Map(boxes.map((box) => [+box.dataset.compare, box]));
  for (const id of checked.keys()) { // a deleted run is no longer listed; a renamed one has another name
    if (boxes.length && !listed.has(id)) checked.delete(id);
    else if (listed.has(id)) checked.set(id, described(listed.get(id)));
  }
  for (const [id, box] of listed) box.checked = checked.has(id);
  update();
});
