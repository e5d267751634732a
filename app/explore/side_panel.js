/* The left side: the panels Filters, Image and Findings. */

import { element } from "../shell/dom.js";
import { tabs } from "./choosers.js";
import { filterPanel } from "./filters.js";
import { findingsPanel } from "./findings.js";
import { imagePanel } from "./image_panel.js";
import { pin } from "./pin.js";

const REST = 90; // milliseconds without another arrow key until the image panel follows
export const PANELS = [["filters", "Filters"], ["image", "Image"], ["findings", "Findings"]];

export const sidePanel = (state) => {
  const panels = { filters: filterPanel(state), image: imagePanel(state), findings: findingsPanel(state) };
  for (const [name, panel] of Object.entries(panels))
    Object.assign(panel, { id: `x-panel-${name}` }).setAttribute("role", "tabpanel");
  const open = (name) => {
    bar.mark(name);
    for (const [key, panel] of Object.entries(panels)) panel.hidden = key !== name;
  };
  const bar = tabs("Panels on the left", PANELS, open);
  open("filters");
  state.on("pin", () => {
    if (state.pinned >= 0) open("image");
  });
  let timer = 0;
  state.on("cursor", () => { // an open image panel follows the arrow keys of the grid
    clearTimeout(timer);
    if (panels.image.checkVisibility()) timer = setTimeout(() => pin(state, state.cursor, "replace"), REST);
  });
  const aside = element("aside", { class: "x-side card", "aria-label": "Filters, image, findings" }, bar,
    element("div", { class: "x-panels" }, Object.values(panels)));
  return Object.assign(aside, { open });
};
