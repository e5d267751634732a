/* The Select page: links with data-replace keep the scroll position, arrow keys move through the
   gallery, and each [data-select-map] shows its map. */

import { go } from "../shell/address.js";
import { opensElsewhere } from "../shell/dom.js";
import { SelectionMap } from "./map.js";

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-replace]");
  if (!link || opensElsewhere(event)) return;
  event.preventDefault();
  go(link.getAttribute("href"), true);
});

const SIBLING = { ArrowLeft: "previousElementSibling", ArrowRight: "nextElementSibling" };
document.addEventListener("keydown", (event) => {
  const image = event.target.closest?.("a.gallery-image")?.[SIBLING[event.key]];
  if (!image) return;
  event.preventDefault();
  image.focus();
  image.click();
});

const maps = new WeakMap(); // element → its map
const each = (method) => () => {
  for (const host of document.querySelectorAll("[data-select-map]")) {
    if (!maps.has(host)) maps.set(host, new SelectionMap(host));
    maps.get(host)[method]();
  }
};
document.addEventListener("studio:shown", each("load"));
addEventListener("studio:back", each("load"));
document.addEventListener("studio:theme", each("draw"));
addEventListener("resize", each("draw"));
