/* Points as pixels: discs splatted into an image, a grid that finds the point under the pointer.
   No library: a million points are on the screen in the time that Plotly takes to be parsed. */
(() => {
  "use strict";
  const explore = studio.explore;

  /* A disc as pixel offsets and coverage (0 to 255), its rim softened over one pixel. */
  const disc = (radius, width, strength = 1) => {
    const reach = Math.ceil(radius + 0.5);
    const [offsets, cover] = [[], []];
    for (let dy = -reach; dy <= reach; dy++)
      for (let dx = -reach; dx <= reach; dx++) {
        const share = Math.min(1, Math.max(0, radius + 0.5 - Math.hypot(dx, dy))) * strength;
        if (share < 0.03) continue;
        offsets.push(dy * width + dx);
        cover.push(Math.round(255 * share));
      }
    return { offsets: Int32Array.from(offsets), cover: Uint8Array.from(cover), reach };
  };

  /* A picture of w × h pixels that points are drawn into. */
  explore.Raster = class {
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
    clear(colour) {
      this.pixels.fill(colour);
    }
    show() {
      this.context.putImageData(this.image, 0, 0);
    }
    /* Draw `count` of `rows`; `xy` by row, `view` {cx, cy, scale}, `colours` by row or one for all. */
    splat(rows, count, xy, view, colours, radius, strength) {
      const { pixels, width, height } = this;
      const { offsets, cover, reach } = disc(radius, width, strength);
      const { cx, cy, scale } = view;
      const [left, top] = [width / 2 - cx * scale, height / 2 + cy * scale];
      const [right, bottom] = [width - reach - 1, height - reach - 1];
      const single = typeof colours === "number";
      for (let k = 0; k < count; k++) {
        const row = rows[k];
        const x = (left + xy[2 * row] * scale) | 0;
        const y = (top - xy[2 * row + 1] * scale) | 0;
        if (!(x > reach && x < right && y > reach && y < bottom)) continue;
        const colour = single ? colours : colours[row];
        const at = y * width + x;
        for (let j = 0; j < offsets.length; j++) {
          const pixel = at + offsets[j];
          const share = cover[j];
          if (share === 255) {
            pixels[pixel] = colour;
            continue;
          }
          const below = pixels[pixel]; // red and blue are mixed in one multiplication, green in another
          const rb = below & 0xff00ff, g = below & 0x00ff00;
          pixels[pixel] = 0xff000000 |
            ((rb + ((((colour & 0xff00ff) - rb) * share) >> 8)) & 0xff00ff) |
            ((g + ((((colour & 0x00ff00) - g) * share) >> 8)) & 0x00ff00);
        }
      }
    }
  };

  explore.bounds = (xy) => {
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

  /* A uniform grid over the points: rows sorted by cell, so that a neighbourhood is a few slices. */
  explore.Index = class {
    constructor(xy) {
      this.xy = xy;
      const n = xy.length / 2;
      const { left, right, bottom, top } = explore.bounds(xy);
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
    /* The row nearest to (x, y) within `reach` that `admits` lets through, or −1. */
    nearest(x, y, reach, admits) {
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
  };
})();
