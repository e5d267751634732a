/* Points of a map as pixels. No library: a million points are on the screen before Plotly is parsed.

   Coordinates are a Float32Array `xy` (x and y of each row). A view {cx, cy, scale} says which point
   is in the middle of a canvas, and how many pixels one unit has; y points up. */

import { color } from "./dom.js";

/* The smallest box around all points. */
export const bounds = (xy) => {
  let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = 0; i < xy.length; i += 2) {
    const x = xy[i], y = xy[i + 1];
    if (x < left) left = x;
    if (x > right) right = x;
    if (y < bottom) bottom = y;
    if (y > top) top = y;
  }
  return left <= right ? { left, right, bottom, top } : { left: -1, right: 1, bottom: -1, top: 1 };
};

/* The view that shows a whole box on a canvas of width × height pixels. */
export const fit = ({ left, right, bottom, top }, width, height, margin = 0) => ({
  cx: (left + right) / 2,
  cy: (bottom + top) / 2,
  scale: Math.min((width - 2 * margin) / (right - left || 1), (height - 2 * margin) / (top - bottom || 1)),
});

/* "#rrggbb" as a pixel of ImageData, which is a little-endian uint32. */
export const pixel = (css) => {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(css.slice(at, at + 2), 16));
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
};

/* A disc as pixel offsets and coverage (0 to 255). Its edge is softened over one pixel. */
const disc = (radius, width, opacity) => {
  const reach = Math.ceil(radius + 0.5);
  const [offsets, cover] = [[], []];
  for (let dy = -reach; dy <= reach; dy++)
    for (let dx = -reach; dx <= reach; dx++) {
      const share = Math.min(1, Math.max(0, radius + 0.5 - Math.hypot(dx, dy))) * opacity;
      if (share < 0.03) continue;
      offsets.push(dy * width + dx);
      cover.push(Math.round(255 * share));
    }
  return { offsets: Int32Array.from(offsets), cover: Uint8Array.from(cover), reach };
};

/* The pixels of a canvas. Discs are drawn into them, and `show` puts them on the canvas. */
export class Raster {
  constructor(canvas) {
    this.context = canvas.getContext("2d", { alpha: false });
    this.canvas = canvas;
    this.resize();
  }
  resize() {
    this.width = this.canvas.width;
    this.height = this.canvas.height;
    this.image = this.context.createImageData(this.width, this.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }
  clear(background) {
    this.pixels.fill(background);
  }
  show() {
    this.context.putImageData(this.image, 0, 0);
  }
  /* Draw the first `count` of `rows`. `colors` holds a pixel for each row, or is one for all. */
  draw(rows, count, xy, view, colors, radius, opacity) {
    const { pixels, width, height } = this;
    const { offsets, cover, reach } = disc(radius, width, opacity);
    const { cx, cy, scale } = view;
    const [left, top] = [width / 2 - cx * scale, height / 2 + cy * scale];
    const [right, bottom] = [width - reach - 1, height - reach - 1];
    const single = typeof colors === "number";
    for (let k = 0; k < count; k++) {
      const row = rows[k];
      const x = (left + xy[2 * row] * scale) | 0;
      const y = (top - xy[2 * row + 1] * scale) | 0;
      if (!(x > reach && x < right && y > reach && y < bottom)) continue;
      const over = single ? colors : colors[row];
      const center = y * width + x;
      for (let j = 0; j < offsets.length; j++) {
        const at = center + offsets[j];
        const share = cover[j];
        if (share === 255) {
          pixels[at] = over;
          continue;
        }
        const under = pixels[at]; // one multiplication mixes red and blue, another one green
        const rb = under & 0xff00ff, g = under & 0x00ff00;
        pixels[at] = 0xff000000 |
          ((rb + ((((over & 0xff00ff) - rb) * share) >> 8)) & 0xff00ff) |
          ((g + ((((over & 0x00ff00) - g) * share) >> 8)) & 0x00ff00);
      }
    }
  }
}

/* A uniform grid over the points, with the rows sorted by cell: a neighborhood is a few slices. */
export class PointIndex {
  constructor(xy) {
    this.xy = xy;
    const n = xy.length / 2;
    const { left, right, bottom, top } = bounds(xy);
    const side = Math.max(1, Math.min(512, Math.ceil(Math.sqrt(n / 2))));
    this.side = side;
    this.left = left;
    this.bottom = bottom;
    this.cell = Math.max(right - left, top - bottom, 1e-9) / side;
    const cells = new Int32Array(n);
    this.starts = new Uint32Array(side * side + 1);
    for (let i = 0; i < n; i++) {
      cells[i] = this.cellOf(xy[2 * i], xy[2 * i + 1]);
      this.starts[cells[i] + 1]++;
    }
    for (let c = 0; c < side * side; c++) this.starts[c + 1] += this.starts[c];
    const next = this.starts.slice();
    this.rows = new Uint32Array(n);
    for (let i = 0; i < n; i++) this.rows[next[cells[i]]++] = i;
  }
  clamp(value) {
    return Math.max(0, Math.min(this.side - 1, value | 0));
  }
  cellOf(x, y) {
    return this.clamp((y - this.bottom) / this.cell) * this.side + this.clamp((x - this.left) / this.cell);
  }
  /* The row nearest to (x, y) within `reach` for which `admits(row)` is true; −1 if there is none. */
  nearest(x, y, reach, admits = () => true) {
    const { xy, side, starts, rows, cell } = this;
    const [fromX, toX] = [this.clamp((x - reach - this.left) / cell), this.clamp((x + reach - this.left) / cell)];
    const [fromY, toY] = [this.clamp((y - reach - this.bottom) / cell), this.clamp((y + reach - this.bottom) / cell)];
    let [best, least] = [-1, reach * reach];
    for (let v = fromY; v <= toY; v++)
      for (let k = starts[v * side + fromX]; k < starts[v * side + toX + 1]; k++) {
        const row = rows[k];
        const distance = (xy[2 * row] - x) ** 2 + (xy[2 * row + 1] - y) ** 2;
        if (distance < least && admits(row)) [best, least] = [row, distance];
      }
    return best;
  }
}

/* A small map without zoom. Distances and radii are in CSS pixels, colors "#rrggbb" or a name of the
   theme ("accent").

       const scatter = new Scatter(canvas, xy);
       if (scatter.begin(width, height)) {
         scatter.points(rows, "muted", 2, { opacity: 0.5 });
         scatter.points(selected, "accent", 4, { ring: true });
         const pen = scatter.end();                     // a 2D context, for what lies over the points
         const [x, y] = scatter.place(row);
       }
       scatter.nearest(x, y, 10, (row) => marks[row]);  // for a pointer, after a drawing */
export class Scatter {
  constructor(canvas, xy, { margin = 12, extent = bounds(xy) } = {}) {
    Object.assign(this, { canvas, xy, margin, extent, view: null });
  }
  /* Start a drawing; false if the canvas has no size yet. */
  begin(width, height) {
    if (!width || !height) return false;
    this.ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(width * this.ratio);
    this.canvas.height = Math.round(height * this.ratio);
    this.view = fit(this.extent, this.canvas.width, this.canvas.height, this.margin * this.ratio);
    if (this.raster) this.raster.resize();
    else this.raster = new Raster(this.canvas);
    this.raster.clear(pixel(color("card")));
    return true;
  }
  /* Draw rows as discs; with `ring`, each has an edge that separates it from its neighbors. */
  points(rows, fill, radius, { opacity = 1, ring = false } = {}) {
    const draw = (css, size) =>
      this.raster.draw(rows, rows.length, this.xy, this.view, pixel(css), size * this.ratio, opacity);
    if (ring) draw(color("card"), radius + 1);
    draw(fill.startsWith("#") ? fill : color(fill), radius);
  }
  /* Show the points; returns a 2D context in CSS pixels. */
  end() {
    this.raster.show();
    const pen = this.raster.context;
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    return pen;
  }
  /* Where a row, or any point of the plane, lies on the canvas. */
  place(row) {
    return this.placeOf(this.xy[2 * row], this.xy[2 * row + 1]);
  }
  placeOf(x, y) {
    const { cx, cy, scale } = this.view;
    const { width, height } = this.canvas;
    return [(width / 2 + (x - cx) * scale) / this.ratio, (height / 2 - (y - cy) * scale) / this.ratio];
  }
  nearest(x, y, reach, admits) {
    if (!this.view) return -1;
    const { cx, cy, scale } = this.view;
    this.index ??= new PointIndex(this.xy);
    return this.index.nearest(cx + (x * this.ratio - this.canvas.width / 2) / scale,
      cy - (y * this.ratio - this.canvas.height / 2) / scale, (reach * this.ratio) / scale, admits);
  }
}
