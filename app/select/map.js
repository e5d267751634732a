/* The map of a selection: all images as points, with marks for the selected ones. */

import { go, id } from "../shell/address.js";
import { color, element } from "../shell/dom.js";
import { fetchBundle } from "../shell/http.js";
import { Scatter, bounds } from "../shell/scatter.js";

const NONE = 0, FIRST = 1, SECOND = 2, BOTH = 3, EARLIER = 4; // marks (app/select/routes.py)
const MANY = 20_000; // points, which are drawn smaller
const REACH = 14; // pixels from a click to a selected image

export class SelectionMap {
  constructor(host) {
    this.host = host;
    this.version = null; // of the map that is shown or loading
    host.addEventListener("click", (event) => this.open(event));
  }

  /* Load the map unless it is there, and draw it. */
  async load() {
    const { selectMap: source, method } = this.host.dataset;
    const version = `${source} ${method}`;
    if (this.version === version) return this.draw();
    this.version = version;
    this.bundle = null;
    try {
      const bundle = await fetchBundle(source);
      if (this.version !== version) return; // the page has changed meanwhile
      this.bundle = bundle;
    } catch (error) {
      if (this.version !== version) return;
      this.version = null; // the next event loads it again
      return this.showProblem(error.status ? error.message : "Could not load the map. The page tries again automatically.");
    }
    this.showProblem("");
    this.draw();
  }

  draw() {
    if (!this.bundle) return;
    const { points, ids, marks, covers, meta } = this.bundle;
    const { width, height } = this.host.getBoundingClientRect();
    const scatter = new Scatter(this.host.querySelector("canvas"), stretched(points, width, height));
    if (!scatter.begin(width, height)) return;
    this.scatter = scatter;
    const rows = (admits) => Uint32Array.from(ids.keys()).filter(admits);
    const marked = (mark) => rows((row) => marks[row] === mark);
    const isComparison = this.host.dataset.selectMap.includes("against");
    const rank = Math.max(0, meta.selected.indexOf(id("image"))); // of the highlighted image
    const many = ids.length > MANY;
    scatter.points(marked(NONE), "muted", many ? 1 : 1.8, { opacity: many ? 0.2 : 0.45 });
    if (!isComparison) scatter.points(rows((row) => covers[row] === rank && marks[row] === NONE), "third", 2.6);
    scatter.points(marked(EARLIER), "muted", 3.2, { ring: true });
    scatter.points(marked(FIRST), "accent", 4, { ring: true });
    scatter.points(marked(SECOND), "second", 4, { ring: true });
    scatter.points(marked(BOTH), "good", 4, { ring: true });
    const pen = scatter.end();
    const highlighted = ids.indexOf(meta.selected[rank]);
    if (isComparison || highlighted < 0) return;
    const [x, y] = scatter.place(highlighted);
    pen.strokeStyle = color("ink");
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(x, y, 7.5, 0, 2 * Math.PI);
    pen.stroke();
  }

  /* A click near a selected image opens its reasons. */
  open(event) {
    if (!this.bundle || !this.scatter) return;
    const { ids, marks } = this.bundle;
    const box = this.host.getBoundingClientRect();
    const isSelected = (row) => marks[row] !== NONE && marks[row] !== EARLIER;
    const row = this.scatter.nearest(event.clientX - box.left, event.clientY - box.top, REACH, isSelected);
    if (row < 0) return;
    const address = new URL(location.href);
    address.searchParams.set("image", ids[row]);
    go(address.pathname + address.search, true);
  }

  showProblem(message) {
    this.host.querySelector("[role=alert]")?.remove();
    if (message) this.host.prepend(element("p", { class: "notice notice-error", role: "alert" }, message));
  }
}

/* Points stretched to the shape of the canvas: the axes have no unit, and clusters need the room. */
const stretched = (xy, width, height) => {
  const { left, right, bottom, top } = bounds(xy);
  return xy.map((value, i) => (i % 2
    ? ((value - bottom) / (top - bottom || 1)) * height
    : ((value - left) / (right - left || 1)) * width));
};
