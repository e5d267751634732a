/* The workbench: filters, grid and map side by side, and the bar above them. */

import { element } from "../shell/dom.js";
import { chooser, tabs } from "./choosers.js";
import { follow } from "./follow.js";
import { gridCard } from "./grid_card.js";
import { mapCard } from "./map_card.js";
import { keepView } from "./saved_view.js";
import { searchForm, searchStatus } from "./search.js";
import { PANELS, sidePanel } from "./side_panel.js";
import { State } from "./state.js";
import { toast } from "./toast.js";

const PARTS = [["map", "Map"], ["grid", "Grid"], ...PANELS]; // a narrow screen shows one of them
const narrow = matchMedia("(max-width: 860px)");

/* The state, the grid and the map of the open workbench; null before it opens. */
export let state = null, grid = null, map = null;

/* Fill `root` with the workbench of a dataset. */
export const openWorkbench = (root, start, columns, data) => {
  state = new State(start, columns);
  const datasets = chooser("Dataset", (id) => location.assign(`/explore?dataset=${id}`));
  datasets.fill(start.datasets.map(([id, name]) => [String(id), name]), String(start.dataset.id));
  const side = sidePanel(state);
  const openPart = (name) => {
    const inSide = PANELS.some(([panel]) => panel === name);
    root.dataset.part = inSide ? "side" : name;
    parts.mark(name);
    if (inSide) side.open(name);
  };
  const parts = tabs("Part of the workbench", PARTS, openPart);
  parts.classList.add("x-parts");
  openPart("map");
  state.on("pin", () => {
    if (state.pinned >= 0 && narrow.matches) openPart("image");
  });
  const { attribution } = start.dataset;
  const [gridPart, mapPart] = [gridCard(state), mapCard(state)];
  root.replaceChildren(
    element("header", { class: "x-top" }, element("h1", { class: "x-title" }, "Explore"), datasets,
      searchForm(state, root), searchStatus, attribution ? element("p", { class: "attribution" }, attribution) : null),
    parts, element("div", { class: "x-body" }, side, gridPart, mapPart), toast);
  grid = gridPart.start();
  map = mapPart.start();
  follow(state, data);
  keepView(state);
};
