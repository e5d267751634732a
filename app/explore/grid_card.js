/* The grid with its bar: how many images, their order, their size. */

import { element } from "../shell/dom.js";
import { count } from "../shell/words.js";
import { activeFilters } from "./active_filters.js";
import { chooser } from "./choosers.js";
import { Grid } from "./grid.js";
import { selectionBar } from "./selection_bar.js";

const SORTS = [ // [name, text, the values that it needs]
  ["file", "File order"], ["class", "Class"], ["loss", "Loss, highest first", "loss"],
  ["confidence", "Confidence, lowest first", "confidence"], ["match", "Caption match, lowest first", "match"],
  ["score", "Search score", "score"], ["random", "Random"],
];

/* Return the card; its `start` makes the grid once the card is in the page and has a size. */
export const gridCard = (state) => {
  const number = element("b", { class: "num", "aria-live": "polite" });
  const sort = chooser("Sort by", (name) => state.sortBy(name));
  const holder = element("div", { class: "x-holder" });
  let grid = null;
  const size = element("input", {
    type: "range", min: 56, max: 260, "aria-label": "Thumbnail size", oninput: () => grid.zoom(Number(size.value)),
  });
  const card = element("section", { class: "x-grid card", "aria-label": "Images" },
    element("div", { class: "x-bar" }, number, element("span", { class: "grow" }),
      element("button", { type: "button", class: "quiet", onclick: () => state.select(state.order) }, "Select all"),
      sort, size),
    activeFilters(state), holder, selectionBar(state));
  const update = () => {
    const [shown, all] = [state.order.length, count(state.n, "image")];
    number.textContent = shown === state.n ? all : `${shown.toLocaleString("en")} of ${all}`;
    sort.fill(SORTS.filter(([, , needs]) => !needs || state.values[needs]), state.sort);
  };
  state.on("order search values", update);
  update();
  const start = () => {
    grid = new Grid(state, holder);
    size.value = grid.side;
    return grid;
  };
  return Object.assign(card, { start });
};
