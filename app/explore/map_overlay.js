/* What is drawn over the points of the map: rings, the lasso, arrows to the other view, class names. */

import { density, placeNames } from "./names.js";

const ARROWS = 700; // more would hide each other
const NAMED = 24; // classes; if there are more, the map names none
const SAMPLE = 400; // points of a class that give the position of its name

export class MapOverlay {
  constructor(map) {
    this.map = map;
    this.context = map.over.getContext("2d");
    this.outline = null; // the lasso while it is drawn
  }
  draw() {
    const { map, context: c } = this;
    if (!map.xy || !map.view) return;
    const { state, ratio } = map;
    c.clearRect(0, 0, ...map.size);
    c.lineJoin = "round";
    if (map.arrows) this.drawArrows();
    if (state.color === "class" && state.classes.length <= NAMED && !map.gliding) this.drawNames();
    for (const row of state.search?.hits ?? []) this.ring(row, 4.5, map.css.ink, 1.4);
    if (state.pinned >= 0) {
      const [x, y] = map.toPixels(state.pinned);
      for (const row of state.neighbors?.rows ?? []) {
        const [nx, ny] = map.toPixels(row);
        c.strokeStyle = map.css.muted;
        c.lineWidth = ratio;
        c.beginPath();
        c.moveTo(x, y);
        c.lineTo(nx, ny);
        c.stroke();
        this.ring(row, 5, map.css.ink, 1.6);
      }
      this.ring(state.pinned, 8.5, map.css.accent, 3);
    }
    if (state.hovered >= 0) this.ring(state.hovered, 7, map.css.ink, 2);
    if (this.outline) this.drawOutline();
  }
  ring(row, radius, color, width) {
    const { map, context: c } = this;
    const [x, y] = map.toPixels(row);
    const size = Math.max(radius, map.radius() / map.ratio + 2.5) * map.ratio;
    for (const [stroke, extra] of [[map.css.card, 2.4], [color, 0]]) {
      c.strokeStyle = stroke;
      c.lineWidth = (width + extra) * map.ratio;
      c.beginPath();
      c.arc(x, y, size, 0, 7);
      c.stroke();
    }
  }
  drawOutline() {
    const { map, context: c } = this;
    c.beginPath();
    for (const [x, y] of this.outline) c.lineTo(x, y);
    c.closePath();
    c.fillStyle = map.css.accent;
    c.globalAlpha = 0.12;
    c.fill("evenodd");
    c.globalAlpha = 1;
    c.strokeStyle = map.css.accent;
    c.lineWidth = 1.8 * map.ratio;
    c.setLineDash([6 * map.ratio, 4 * map.ratio]);
    c.stroke();
    c.setLineDash([]);
  }
  /* From the point of an image to the point its caption moves it to, for a sample of the shown ones. */
  drawArrows() {
    const { map, context: c } = this;
    const [w, h] = map.size;
    const { cx, cy, scale } = map.view;
    c.strokeStyle = map.css.ink;
    c.fillStyle = map.css.ink;
    c.globalAlpha = 0.42;
    c.lineWidth = map.ratio;
    let drawn = 0;
    for (let k = 0; k < map.litCount && drawn < ARROWS; k++) {
      const row = map.lit[k];
      const [x, y] = map.toPixels(row);
      const tx = w / 2 + (map.arrows[2 * row] - cx) * scale;
      const ty = h / 2 - (map.arrows[2 * row + 1] - cy) * scale;
      if (x < 0 || y < 0 || x > w || y > h) continue;
      drawn++;
      const length = Math.hypot(tx - x, ty - y);
      if (length < 2) continue;
      const [ux, uy] = [(tx - x) / length, (ty - y) / length];
      const head = Math.min(5 * map.ratio, length / 2);
      c.beginPath();
      c.moveTo(x, y);
      c.lineTo(tx, ty);
      c.moveTo(tx - head * (ux - uy * 0.5), ty - head * (uy + ux * 0.5));
      c.lineTo(tx, ty);
      c.lineTo(tx - head * (ux + uy * 0.5), ty - head * (uy - ux * 0.5));
      c.stroke();
    }
    c.globalAlpha = 1;
  }
  /* The name of each class beside its points, with a line to their center. */
  drawNames() {
    const { map, context: c } = this;
    c.font = `600 ${12.5 * map.ratio}px ${getComputedStyle(document.body).fontFamily}`;
    c.textAlign = "center";
    c.textBaseline = "middle";
    const high = 9 * map.ratio;
    const names = this.centers().filter(({ count }) => count > 2).sort((a, b) => b.count - a.count)
      .map(({ label, x, y }) => {
        const [px, py] = map.toPixelsOf(x, y);
        const text = map.state.className(label);
        return { text, x: px, y: py, half: c.measureText(text).width / 2 + 6 * map.ratio, high };
      });
    const dense = density(map.litCount, (k) => map.toPixels(map.lit[k]), map.size);
    for (const { text, x, y, px, py } of placeNames(names, dense, map.size)) {
      if (Math.hypot(px - x, py - y) > 2 * high) this.leader(x, y, px, py + Math.sign(y - py) * high);
      c.lineWidth = 4 * map.ratio;
      c.strokeStyle = map.css.card;
      c.globalAlpha = 0.85;
      c.strokeText(text, px, py);
      c.globalAlpha = 1;
      c.fillStyle = map.css.ink;
      c.fillText(text, px, py);
    }
  }
  leader(x, y, px, py) {
    const { map, context: c } = this;
    c.strokeStyle = map.css.ink;
    c.globalAlpha = 0.45;
    c.lineWidth = map.ratio;
    c.beginPath();
    c.moveTo(px, py);
    c.lineTo(x, y);
    c.stroke();
    c.globalAlpha = 1;
  }
  centers() {
    const { map } = this;
    const { lit, litCount, xy, state } = map;
    if (this.key === xy && this.lights === map.litKey) return this.found;
    const groups = new Map();
    for (let k = 0; k < litCount; k++) {
      const label = state.labels[lit[k]];
      if (label < 0) continue;
      if (!groups.has(label)) groups.set(label, { x: [], y: [], count: 0 });
      const group = groups.get(label);
      if (group.count++ < SAMPLE) {
        group.x.push(xy[2 * lit[k]]);
        group.y.push(xy[2 * lit[k] + 1]);
      }
    }
    const middle = (values) => values.sort((a, b) => a - b)[values.length >> 1];
    this.found = [...groups].map(([label, { x, y, count }]) => ({ label, x: middle(x), y: middle(y), count }));
    [this.key, this.lights] = [xy, map.litKey];
    return this.found;
  }
};
