/* The map with its bar and its tools. */

import { setParameters } from "../shell/address.js";
import { element, icon } from "../shell/dom.js";
import { activeFilters } from "./active_filters.js";
import { chooser } from "./choosers.js";
import { MODES } from "./colors.js";
import { computeMap } from "./follow.js";
import { legend } from "./legend.js";
import { MapView } from "./map.js";
import { MapGestures } from "./map_gestures.js";
import { showProgress } from "./map_progress.js";
import { chooseRun } from "./run_values.js";
import { chooseCoordinates, connectArrows } from "./views.js";

const PROJECTIONS = ["umap", "pca"];
const SPREADS = [["0.05", "Spread: compact"], ["0.3", "Spread: normal"], ["0.8", "Spread: loose"]]; // UMAP's min_dist
const ZOOM = 1.6;
const ICONS = {
  pan: "M8 12V6.5a1.5 1.5 0 0 1 3 0V11m0-.5V5a1.5 1.5 0 0 1 3 0v5.5m0-3a1.5 1.5 0 0 1 3 0V14c0 4-2 6.500-5.500 6.500S7 18.500 5 14.500c-.8-1.600 1-2.500 2-1.300L8 14",
  lasso: "M12 4c5 0 8.500 2.200 8.500 5.500S17 15 12 15 3.500 12.800 3.500 9.500 7 4 12 4zM8 14.500c-1 1.500-.5 3 1 3s1.500 2-.5 3",
  box: "M4 4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M4 8V4M12 4h.01M12 20h.01M4 12h.01M20 12h.01",
  arrows: "M4 20 19 5M10 5h9v9", in: "M12 5v14M5 12h14", out: "M5 12h14",
  shown: "M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
  all: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
};
const TOOLS = [["pan", "Move (P)"], ["lasso", "Lasso (L)"], ["box", "Box (B, or drag with Shift)"]];

const tool = (name, label, act, attributes = {}) => element("button",
  { type: "button", class: "x-tool", title: label, "aria-label": label, onclick: act, ...attributes }, icon(ICONS[name]));

/* Return the card; its `start` makes the map once the card is in the page and has a size. */
export const mapCard = (state) => {
  let map = null, gestures = null;
  const wait = element("div", { class: "x-wait" });
  const canvas = element("div", { class: "x-canvas", "data-tool": "pan" }, wait);
  const color = chooser("Color by", (name) => {
    state.colorBy(name);
    setParameters({ color: name === "class" ? null : name });
  });
  const run = chooser("Run", (id) => chooseRun(state, id ? Number(id) : null));
  const view = chooser("Embedding", (name) => chooseCoordinates(state, { view: name }));
  const method = chooser("Projection", (name) => chooseCoordinates(state, { method: name }));
  const spread = chooser("Spread of the map", (value) => computeMap(state, { min_dist: Number(value) }));
  const arrows = tool("arrows", "Show arrows between “Images only” and “With captions”", null, { "aria-pressed": "false" });
  const tools = TOOLS.map(([name, label]) => tool(name, label, () => gestures.choose(name), { "data-tool": name }));
  const foot = element("div", { class: "x-foot" }, element("div", { class: "x-tools" }, arrows, tools, element("i", {}),
    tool("in", "Zoom in (+)", () => map.zoom(ZOOM)), tool("out", "Zoom out (−)", () => map.zoom(1 / ZOOM)),
    tool("shown", "Zoom to the filtered images (F)", () => map.showLit()), tool("all", "Show all (0)", () => map.showAll())));
  const card = element("section", { class: "x-map card", "aria-label": "Map" },
    element("div", { class: "x-bar" }, element("label", { class: "x-inline" }, element("span", {}, "Color"), color), run,
      element("span", { class: "grow" }), element("span", { class: "x-inline" }, view, method, spread)),
    activeFilters(state), canvas, foot);
  const update = () => {
    const ready = new Set(state.map.ready);
    const { points } = state;
    const captions = points && ready.has(`${points.method}-text`);
    color.fill(MODES.filter(({ needs }) => !needs || state.values[needs]).map(({ name, title }) => [name, title]), state.color);
    run.fill([["", "No run"], ...state.runs.map((one) => [String(one.id), `#${one.id} ${one.name}`])], state.run ? String(state.run) : "");
    run.hidden = !state.runs.length;
    method.fill(PROJECTIONS.filter((name) => ready.has(name)).map((name) => [name, name.toUpperCase()]), points?.method ?? "");
    view.fill([["image", "Images only"], ...(captions ? [["text", "With captions"]] : [])], points?.view ?? "image");
    spread.fill(SPREADS, String(state.map.min_dist));
    spread.hidden = points?.method !== "umap";
    arrows.hidden = !captions;
    for (const select of [view, method]) select.hidden = select.options.length < 2;
    showProgress(state, wait, computeMap);
  };
  state.on("state values points runs color", update);
  update();
  const start = () => {
    map = new MapView(state, canvas);
    gestures = new MapGestures(map, (chosen) =>
      tools.forEach((button) => button.setAttribute("aria-pressed", button.dataset.tool === chosen)));
    gestures.choose("pan");
    foot.prepend(legend(state, map));
    connectArrows(state, map, arrows);
    return map;
  };
  return Object.assign(card, { start });
};
