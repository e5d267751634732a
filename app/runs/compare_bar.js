/* Checked boxes in the list of runs become the link "Compare 3 runs". */

import { element } from "../shell/dom.js";

const picked = new Set(); // run ids, in the order in which they were checked

const update = () => {
  const place = document.querySelector(".compare-bar");
  if (!place) return;
  const ids = [...picked];
  const link = () => element("a", { class: "button primary", href: `/compare?runs=${ids.join(",")}` },
    `Compare ${ids.length} runs`);
  const hint = () => element("p", {}, "Check another run to compare it with.");
  place.replaceChildren(...(ids.length > 1 ? [link()] : ids.length ? [hint()] : []));
};
document.addEventListener("change", (event) => {
  const box = event.target.closest("[data-pick]");
  if (!box) return;
  picked[box.checked ? "add" : "delete"](+box.dataset.pick);
  update();
});
document.addEventListener("studio:shown", () => {
  for (const box of document.querySelectorAll("[data-pick]")) box.checked = picked.has(+box.dataset.pick);
  update();
});
