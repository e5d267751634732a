/* The Shift page's map: the dataset's points on a canvas and an arrow per class. The element
   [data-shift-map] names the task; its map is loaded once and redrawn when the size changes. */
(() => {
  "use strict";
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const RATIO = 0.72; // of height to width
  const hue = (index, count, dark) => `hsl(${(360 * index) / count} 55% ${dark ? 68 : 42}%)`;

  const scale = (view, width, height) => {
    const all = [...view.points, ...view.from, ...view.to];
    const [xs, ys] = [all.map((p) => p[0]), all.map((p) => p[1])];
    const ends = (values) => values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
    const [[x0, x1], [y0, y1]] = [ends(xs), ends(ys)];
    const pad = 18;
    return ([x, y]) => [
      pad + ((x - x0) / (x1 - x0 || 1)) * (width - 2 * pad),
      height - pad - ((y - y0) / (y1 - y0 || 1)) * (height - 2 * pad),
    ];
  };

  const arrow = (pen, [x0, y0], [x1, y1]) => {
    const angle = Math.atan2(y1 - y0, x1 - x0);
    pen.beginPath();
    pen.moveTo(x0, y0);
    pen.lineTo(x1, y1);
    pen.stroke();
    pen.save();
    pen.setLineDash([]);
    pen.translate(x1, y1);
    pen.rotate(angle);
    pen.beginPath();
    pen.moveTo(2, 0);
    pen.lineTo(-8, -5);
    pen.lineTo(-8, 5);
    pen.closePath();
    pen.fill();
    pen.restore();
  };

  const draw = (root, map, name) => {
    const canvas = root.querySelector("canvas");
    const width = root.clientWidth;
    if (!width) return;
    const [height, sharp, dark] = [Math.round(width * RATIO), devicePixelRatio || 1, studio.dark()];
    canvas.width = width * sharp;
    canvas.height = height * sharp;
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    pen.scale(sharp, sharp);
    const view = map.views[name];
    const at = scale(view, width, height);
    const count = map.names.length;
    view.points.forEach((point, index) => {
      const label = map.labels[index];
      const [x, y] = at(point);
      pen.globalAlpha = 0.28;
      pen.fillStyle = label < 0 ? css("muted") : hue(label, count, dark);
      pen.fillRect(x - 1.5, y - 1.5, 3, 3);
    });
    pen.globalAlpha = 1;
    pen.lineWidth = 2;
    pen.setLineDash(root.dataset.useful === "1" ? [] : [5, 4]);
    pen.font = `600 12px ${getComputedStyle(document.body).fontFamily}`;
    const placed = []; // a name that would overlap another moves down
    map.names.forEach((label, index) => {
      const [start, end] = [at(view.from[index]), at(view.to[index])];
      pen.strokeStyle = pen.fillStyle = hue(index, count, dark);
      arrow(pen, start, end);
      const room = pen.measureText(label).width;
      const x = Math.max(2, Math.min(start[0] + 5, width - room - 2));
      let y = end[1] < start[1] ? start[1] + 14 : start[1] - 5; // on the side away from the arrow
      const overlaps = (one) => Math.abs(one.y - y) < 14 && x < one.x + one.room && one.x < x + room;
      while (placed.some(overlaps) && y < height) y += 4;
      placed.push({ x, y, room });
      pen.lineJoin = "round";
      pen.save();
      pen.setLineDash([]);
      pen.lineWidth = 4;
      pen.strokeStyle = css("card");
      pen.strokeText(label, x, y);
      pen.restore();
      pen.fillText(label, x, y);
    });
    canvas.setAttribute("aria-label", `${name}: predicted shift of ${map.names.join(", ")}`);
    root.querySelector(".shift-stretch").textContent =
      view.stretch > 1 ? `Arrows are drawn at ${view.stretch} times their length.` : "";
    root.dataset.drawn = name;
  };

  const started = new WeakSet(); // an attribute would vanish at the next redraw
  const start = async (root) => {
    if (started.has(root)) return;
    started.add(root);
    let map;
    try {
      map = await studio.fetchJson(`/shift/map/${root.dataset.shiftMap}`);
    } catch {
      started.delete(root);
      root.textContent = "Could not load the map. The page tries again when the server responds.";
      return;
    }
    const names = Object.keys(map.views);
    let shown = names[0];
    const tabs = document.createElement("div");
    tabs.className = "shift-views";
    tabs.setAttribute("role", "group");
    tabs.setAttribute("aria-label", "Map");
    for (const name of names.length > 1 ? names : []) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.setAttribute("aria-pressed", String(name === shown));
      button.addEventListener("click", () => {
        shown = name;
        for (const one of tabs.children) one.setAttribute("aria-pressed", String(one === button));
        draw(root, map, shown);
      });
      tabs.append(button);
    }
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    const stretch = document.createElement("p");
    stretch.className = "shift-stretch muted";
    root.replaceChildren(tabs, canvas, stretch);
    new ResizeObserver(() => draw(root, map, shown)).observe(root);
    document.addEventListener("studio:theme", () => root.isConnected && draw(root, map, shown));
  };

  /* The page keeps its scroll position and scrolls only as far as the progress needs. */
  const reveal = (selector) => {
    const place = document.querySelector(selector);
    if (place) (place.querySelector(".progress") ?? place).scrollIntoView({ block: "nearest" });
    else document.addEventListener("studio:shown", () => reveal(selector), { once: true });
  };
  studio.started = (address) => {
    if (!address) return;
    studio.go(address, false, true);
    const pair = new URLSearchParams(location.search).get("pair");
    reveal(pair ? `[data-key="pair-${pair}"]` : '[data-key^="preview-"]');
  };

  const all = () => document.querySelectorAll("[data-shift-map]").forEach(start);
  document.addEventListener("studio:shown", all);
  addEventListener("studio:back", all);
})();
