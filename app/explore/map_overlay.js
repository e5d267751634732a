/* What is drawn over the points of the map: rings, the lasso, arrows to the other view, class names. */
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
  /* The name of a class at the center of its points. A name that would cover another is left out. */
  drawNames() {
    const { map, context: c } = this;
    const places = this.centers();
    c.font = `600 ${12.5 * map.ratio}px ui-sans-serif, system-ui, sans-serif`;
    c.textAlign = "center";
    c.textBaseline = "middle";
    const taken = [];
    for (const { label, x, y, count } of places.sort((a, b) => b.count - a.count)) {
      const name = map.state.className(label);
      const [half, high] = [c.measureText(name).width / 2 + 6 * map.ratio, 10 * map.ratio];
      const [middle, py] = map.toPixelsOf(x, y);
      if (middle < 0 || middle > map.size[0]) continue;
      const px = Math.max(half, Math.min(map.size[0] - half, middle)); // so that the edge does not cut the name
      if (count < 3 || taken.some((o) => Math.abs(o.px - px) < o.half + half && Math.abs(o.py - py) < o.high + high)) continue;
      taken.push({ px, py, half, high });
      c.lineWidth = 4 * map.ratio;
      c.strokeStyle = map.css.card;
      c.globalAlpha = 0.85;
      c.strokeText(name, px, py);
      c.globalAlpha = 1;
      c.fillStyle = map.css.ink;
      c.fillText(name, px, py);
    }
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
