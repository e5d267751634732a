/* The map of a shift preview: the dataset's points, and an arrow per class. */

import { classColor } from "../shell/class_colors.js";
import { color, element } from "../shell/dom.js";
import { fetchJson } from "../shell/http.js";
import { Scatter, bounds } from "../shell/scatter.js";

const RATIO = 0.72; // of height to width
const LINE = 14; // pixels from one class name to the next

export class ShiftMap {
  constructor(host) {
    this.host = host;
    this.loading = false;
  }

  /* Load the map once. It is loaded again after a failure. */
  async load() {
    if (this.loading) return;
    this.loading = true;
    try {
      this.map = await fetchJson(`/shift/map/${this.host.dataset.shiftMap}`);
    } catch {
      this.loading = false;
      this.host.textContent = "Could not load the map. The page tries again automatically.";
      return;
    }
    this.canvas = element("canvas", { role: "img" });
    this.note = element("p", { class: "shift-stretch muted" });
    const names = Object.keys(this.map.views);
    const tabs = element("div", { class: "shift-views", role: "group", "aria-label": "Map" },
      names.length > 1 ? names.map((name) => element("button", { type: "button", onclick: () => this.open(name) }, name)) : []);
    this.host.replaceChildren(tabs, this.canvas, this.note);
    this.open(names[0]);
    new ResizeObserver(() => this.draw()).observe(this.host);
  }

  /* Show the view with this name. */
  open(name) {
    this.name = name;
    for (const tab of this.host.querySelectorAll(".shift-views button"))
      tab.setAttribute("aria-pressed", tab.textContent === name);
    const { points, from, to } = this.map.views[name];
    const extent = bounds(Float32Array.from([...points, ...from, ...to].flat()));
    this.scatter = new Scatter(this.canvas, Float32Array.from(points.flat()), { margin: 18, extent });
    this.draw();
  }

  draw() {
    const width = this.host.clientWidth;
    if (!this.scatter || !width) return;
    const { map: { names, numbers, labels, views }, scatter, canvas } = this;
    const height = Math.round(width * RATIO);
    canvas.style.height = `${height}px`;
    scatter.begin(width, height);
    const colors = names.map((_, index) => classColor(numbers?.[index] ?? index));
    const rows = Uint32Array.from(labels.keys());
    for (const label of [-1, ...names.keys()])
      scatter.points(rows.filter((row) => labels[row] === label), colors[label] ?? "muted", 1.7, { opacity: 0.28 });
    const { from, to, stretch } = views[this.name];
    this.drawArrows(scatter.end(), width, height, colors, from, to);
    canvas.setAttribute("aria-label", `${this.name}: predicted shift of ${names.join(", ")}`);
    this.note.textContent = stretch > 1 ? `Arrows are drawn at ${stretch} times their length.` : "";
    this.host.dataset.drawn = this.name;
  }

  drawArrows(pen, width, height, colors, from, to) {
    pen.lineWidth = 2;
    pen.lineJoin = "round";
    pen.font = `600 12px ${getComputedStyle(document.body).fontFamily}`;
    const dash = this.host.dataset.useful === "1" ? [] : [5, 4];
    const placed = []; // class names so far
    this.map.names.forEach((name, index) => {
      const start = this.scatter.placeOf(...from[index]), end = this.scatter.placeOf(...to[index]);
      pen.strokeStyle = pen.fillStyle = colors[index];
      arrow(pen, start, end, dash);
      const room = pen.measureText(name).width;
      const x = Math.max(2, Math.min(start[0] + 5, width - room - 2));
      let y = end[1] < start[1] ? start[1] + LINE : start[1] - 5; // on the side away from the arrow
      const overlaps = (one) => Math.abs(one.y - y) < LINE && x < one.x + one.room && one.x < x + room;
      while (placed.some(overlaps) && y < height) y += 4;
      placed.push({ x, y, room });
      pen.save();
      pen.lineWidth = 4;
      pen.strokeStyle = color("card");
      pen.strokeText(name, x, y); // a border, so that points do not cut the name
      pen.restore();
      pen.fillText(name, x, y);
    });
  }
}

const arrow = (pen, [x0, y0], [x1, y1], dash) => {
  pen.setLineDash(dash);
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
  pen.setLineDash([]);
  pen.save();
  pen.translate(x1, y1);
  pen.rotate(Math.atan2(y1 - y0, x1 - x0));
  pen.beginPath();
  pen.moveTo(2, 0);
  pen.lineTo(-8, -5);
  pen.lineTo(-8, 5);
  pen.closePath();
  pen.fill();
  pen.restore();
};
