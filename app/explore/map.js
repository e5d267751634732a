/* The map: draws the points of the state, follows each of its changes, and glides between
   coordinates. */

import { color, element } from "../shell/dom.js";
import { PointIndex, Raster, bounds, fit, pixel } from "../shell/scatter.js";
import { paint } from "./colors.js";
import { MapOverlay } from "./map_overlay.js";
import { shuffled } from "./order.js";

const MOVING = 120_000; // points that a frame draws while something moves; at rest, all are drawn
const MARGIN = 0.07; // of the canvas, around the points
const GLIDE = 900; // milliseconds from one set of coordinates to the next
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

export class MapView {
  constructor(state, frame) {
    this.state = state;
    this.frame = frame;
    this.canvas = element("canvas", { class: "x-points", "aria-hidden": "true" });
    this.over = element("canvas", { class: "x-over", tabindex: "0", role: "application",
      "aria-label": "Map of the images. Arrow keys move it, plus and minus zoom, 0 shows all. Press L to select " +
        "with a lasso, B with a box. The grid beside it lists the same images." });
    frame.append(this.canvas, this.over);
    this.rows = shuffled(state.n);
    this.lit = new Uint32Array(state.n);
    this.dim = new Uint32Array(state.n);
    this.view = null;
    this.xy = null; // as drawn; interpolated during the animation
    this.index = null;
    this.arrows = null; // coordinates of the other view, while arrows to it are shown
    this.overlay = new MapOverlay(this);
    new ResizeObserver(() => this.resize()).observe(frame);
    state.on("mask region", () => { this.divide(); this.draw(); });
    state.on("color values columns", () => { this.recolor(); this.draw(); });
    state.on("selection", () => this.draw());
    state.on("pin hover search neighbors", () => this.overlay.draw());
    state.on("points", () => this.move());
    document.addEventListener("studio:theme", () => { this.theme(); this.draw(); });
    this.theme();
    this.recolor();
    this.divide();
    this.resize();
  }

  theme() {
    this.background = pixel(color("card"));
    this.ink = pixel(color("ink"));
    this.faint = pixel(color("line-strong"));
    this.css = { ink: color("ink"), card: color("card"), accent: color("accent"), muted: color("muted") };
  }
  recolor() {
    this.painted = paint(this.state);
    this.state.emit("legend");
  }
  /* Which points are shown and which are dimmed, each in the shuffled order. */
  divide() {
    const { mask, region } = this.state;
    let [lit, dim] = [0, 0];
    for (const row of this.rows)
      if (mask[row] && (!region || region[row])) this.lit[lit++] = row;
      else this.dim[dim++] = row;
    this.litCount = lit;
    this.litKey = {}; // a new object, which invalidates values derived from the old one
    this.dimCount = dim;
    this.state.emit("legend");
  }

  resize() {
    const { width, height } = this.frame.getBoundingClientRect();
    if (!width || !height) return;
    this.ratio = Math.min(2, devicePixelRatio || 1);
    const [w, h] = [Math.round(width * this.ratio), Math.round(height * this.ratio)];
    if (this.canvas.width === w && this.canvas.height === h && this.raster) return;
    const share = this.view && this.view.scale / this.fitted().scale; // of the old size
    for (const canvas of [this.canvas, this.over]) [canvas.width, canvas.height] = [w, h];
    if (this.raster) this.raster.resize();
    else this.raster = new Raster(this.canvas);
    this.size = [w, h];
    if (this.view) this.view.scale = share * this.fitted().scale;
    else if (this.state.points) this.move();
    this.paint(false);
  }
  fitted() {
    const [w, h] = this.size;
    const whole = fit(this.extent, w, h);
    return { ...whole, scale: whole.scale * (1 - 2 * MARGIN) };
  }
  showAll() {
    this.view = this.fitted();
    this.draw();
  }
  /* Show the images that pass the filters as large as they fit. */
  showLit() {
    if (!this.litCount || !this.xy) return;
    const shown = new Float32Array(2 * this.litCount);
    for (let k = 0; k < this.litCount; k++) shown.set(this.xy.subarray(2 * this.lit[k], 2 * this.lit[k] + 2), 2 * k);
    const whole = fit(bounds(shown), ...this.size);
    this.view = { ...whole, scale: Math.min(this.fitted().scale * 400, whole.scale * (1 - 2 * MARGIN)) };
    this.draw();
  }

  /* Glide to new coordinates, points and view together. */
  move() {
    const { points } = this.state;
    if (!points || !this.size) return;
    const target = points.xy;
    const from = this.xy;
    this.index = null;
    this.extent = bounds(target);
    if (!from || reducedMotion.matches || document.hidden) {
      this.xy = target;
      this.view = this.fitted();
      this.draw();
      return;
    }
    const [start, goal] = [{ ...this.view }, this.fitted()];
    const source = from.slice();
    const between = new Float32Array(target.length);
    const began = performance.now();
    const token = (this.gliding = {});
    const step = () => {
      if (this.gliding !== token) return;
      const time = Math.min(1, (performance.now() - began) / GLIDE);
      const share = time < 0.5 ? 4 * time ** 3 : 1 - (2 - 2 * time) ** 3 / 2;
      if (time < 1) for (let i = 0; i < target.length; i++) between[i] = source[i] + (target[i] - source[i]) * share;
      this.xy = time < 1 ? between : target;
      for (const key of ["cx", "cy", "scale"]) this.view[key] = start[key] + (goal[key] - start[key]) * share;
      if (time >= 1) this.gliding = null;
      this.paint(time < 1);
      if (time < 1) requestAnimationFrame(step);
    };
    step();
  }

  /* Draw in the next frame: while `moving`, only a part of the points, then all of them. */
  draw(moving = false) {
    this.moving = moving;
    if (!this.waiting) this.waiting = requestAnimationFrame(() => {
      this.waiting = null;
      this.paint(this.moving);
    });
    clearTimeout(this.settle);
    if (moving) this.settle = setTimeout(() => this.paint(false), 140);
  }
  radius() {
    const n = this.state.n;
    const base = n < 500 ? 5 : n < 2_000 ? 4 : n < 10_000 ? 2.9 : n < 40_000 ? 2.1 : n < 200_000 ? 1.2 : 0.7;
    // While points glide, the view changes from one map's units to another's.
    const zoomed = this.gliding ? 1 : Math.max(0.8, Math.min(6, (this.view.scale / this.fitted().scale) ** 0.5));
    return Math.min(9, base * zoomed) * this.ratio;
  }
  paint(fast) {
    if (!this.raster) return;
    const { raster, xy, view, painted } = this;
    if (!xy || !view) { // no coordinates yet
      raster.clear(this.background);
      raster.show();
      return;
    }
    const r = this.radius();
    const most = (count) => (fast ? Math.min(count, MOVING) : count);
    const strength = this.state.n > 20_000 ? 0.8 : 0.92;
    raster.clear(this.background);
    raster.draw(this.dim, most(this.dimCount), xy, view, this.faint, r * 0.8, 0.75);
    raster.draw(this.lit, most(this.litCount), xy, view, painted.colors, r, strength);
    if (this.state.selectedCount) {
      const rows = Uint32Array.from(this.state.rowsWhere(this.state.selected));
      raster.draw(rows, rows.length, xy, view, this.ink, r + 2.2 * this.ratio, 1);
      raster.draw(rows, rows.length, xy, view, painted.colors, r + 0.7 * this.ratio, 1);
    }
    raster.show();
    this.overlay.draw();
    if (!this.drawn) {
      this.drawn = true;
      document.documentElement.dataset.mapDrawn = Math.round(performance.now());
      performance.mark("map-drawn");
    }
  }

  /* Between pixels of the canvas and coordinates. */
  toPixels(row) {
    return this.toPixelsOf(this.xy[2 * row], this.xy[2 * row + 1]);
  }
  toPixelsOf(x, y) {
    const [w, h] = this.size;
    const { cx, cy, scale } = this.view;
    return [w / 2 + (x - cx) * scale, h / 2 - (y - cy) * scale];
  }
  toData(x, y) {
    const [w, h] = this.size;
    return [this.view.cx + (x - w / 2) / this.view.scale, this.view.cy - (y - h / 2) / this.view.scale];
  }
  zoom(factor, x = this.size[0] / 2, y = this.size[1] / 2) {
    const whole = this.fitted().scale;
    const scale = Math.max(whole * 0.4, Math.min(whole * 400, this.view.scale * factor));
    const [dx, dy] = this.toData(x, y);
    this.view.scale = scale;
    const [nx, ny] = this.toData(x, y);
    this.view.cx += dx - nx;
    this.view.cy += dy - ny;
    this.draw(true);
  }
  pan(dx, dy) {
    this.view.cx -= dx / this.view.scale;
    this.view.cy += dy / this.view.scale;
    this.draw(true);
  }
  at(x, y, reach = 14) {
    if (!this.xy || this.gliding) return -1;
    this.index ??= new PointIndex(this.xy);
    const { mask, region } = this.state;
    const radius = Math.max(reach * this.ratio, this.radius() + 3) / this.view.scale;
    return this.index.nearest(...this.toData(x, y), radius, (row) => mask[row] && (!region || region[row]));
  }

  /* The rows inside an outline (in pixels), among those that pass the filters. The outline is painted
     and each point looks up its pixel, so a complex outline takes no longer than a simple one. */
  inside(outline) {
    const [w, h] = this.size;
    const pen = new OffscreenCanvas(w, h).getContext("2d", { willReadFrequently: true });
    pen.beginPath();
    for (const [x, y] of outline) pen.lineTo(x, y);
    pen.closePath();
    pen.fill("evenodd");
    const { data } = pen.getImageData(0, 0, w, h);
    const { n, mask } = this.state;
    const region = new Uint8Array(n);
    const { cx, cy, scale } = this.view;
    let count = 0;
    for (let i = 0; i < n; i++) {
      if (!mask[i]) continue;
      const x = Math.floor(w / 2 + (this.xy[2 * i] - cx) * scale);
      const y = Math.floor(h / 2 - (this.xy[2 * i + 1] - cy) * scale);
      if (x >= 0 && x < w && y >= 0 && y < h && data[4 * (y * w + x) + 3] > 127) count += region[i] = 1;
    }
    return { region, count };
  }
};
