/* The Shift page: each [data-shift-map] shows its map, and actions scroll to their progress. */

import { go, parameters } from "../shell/address.js";
import { expose } from "../shell/gradio.js";
import { ShiftMap } from "./map.js";
import "./upload.js";

const maps = new WeakMap(); // element → its map
const loadAll = () => {
  for (const host of document.querySelectorAll("[data-shift-map]")) {
    if (!maps.has(host)) maps.set(host, new ShiftMap(host));
    maps.get(host).load();
  }
};
document.addEventListener("studio:shown", loadAll);
addEventListener("studio:back", loadAll);
document.addEventListener("studio:theme", () =>
  document.querySelectorAll("[data-shift-map]").forEach((host) => maps.get(host)?.draw()));

/* Scroll only as far as the progress in this element needs. */
const reveal = (selector) => {
  const place = document.querySelector(selector);
  if (place) (place.querySelector(".progress") ?? place).scrollIntoView({ block: "nearest" });
  else document.addEventListener("studio:shown", () => reveal(selector), { once: true });
};

/* Go to the address that shows an action's result; the page keeps its scroll position. */
const showResult = (address) => {
  if (!address) return;
  go(address, false, true);
  const pair = parameters().get("pair");
  reveal(pair ? `[data-key="pair-${pair}"]` : '[data-key^="preview-"]');
};
expose({ showResult });
