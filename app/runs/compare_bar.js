/* Checked boxes in the list of runs become the link "Compare 3 runs". */

import { element } from "../shell/dom.js";

const checked = new Set(); // run ids, in the order in which they were checked

const update = () => {
  const bar = document.querySelector(".compare-bar");
  if (!bar) return;
  const ids = [...checked];
  const link = () => element("a", { class: "button primary", href: `/compare?runs=${ids.join(",")}` },
    `Compare ${ids.length} runs`);
  const hint = () => element("p", {}, "Select another run to compare.");
  bar.replaceChildren(...(ids.length > 1 ? [link()] : ids.length ? [hint()] : []));
};

document.addEventListener("change", (event) => {
  const box = event.target.closest("[data-compare]");
  if (!box) return;
  checked[box.checked ? "add" : "delete"](+box.dataset.compare);
  update();
});
document.addEventListener("studio:shown", () => { // a redrawn list keeps its checked boxes
  for (const box of document.querySelectorAll("[data-compare]")) box.checked = checked.has(+box.dataset.compare);
  update();
});
