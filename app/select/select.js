/* The Select page: an image opens its reasons in place, and the map marks the selected images. */
(() => {
  "use strict";
  const MARK = { first: 1, second: 2, both: 3, earlier: 4 };

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-replace]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    studio.go(link.getAttribute("href"), true);
  });
  document.addEventListener("keydown", (event) => { // arrow keys move through the gallery
    const step = { ArrowLeft: "previousElementSibling", ArrowRight: "nextElementSibling" }[event.key];
    const image = step && event.target.closest?.("a.gallery-image")?.[step];
    if (!image) return;
    event.preventDefault();
    image.focus();
    image.click();
  });

  const maps = new WeakMap(); // host → {source, bundle}
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const imageInAddress = () => {
    const id = new URLSearchParams(location.search).get("image");
    return id === null ? null : +id;
  };

  const draw = (host) => {
    const { bundle } = maps.get(host) ?? {};
    const canvas = host.querySelector("canvas");
    const box = host.getBoundingClientRect();
    if (!bundle || !canvas || !box.width) return;
    const scale = devicePixelRatio || 1;
    canvas.width = box.width * scale;
    canvas.height = box.height * scale;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const { points, marks, covers, ids } = bundle;
    const place = maps.get(host).place = placer(points, box.width, box.height);
    const current = bundle.meta.selected.includes(imageInAddress()) ? imageInAddress() : bundle.meta.selected[0];
    const rank = bundle.meta.selected.indexOf(current);
    const compared = host.dataset.selectMap.includes("against");
    const layer = (wanted, fill, radius, ring) => {
      pen.fillStyle = fill;
      for (let i = 0; i < ids.length; i++) {
        if (!wanted(i)) continue;
        const [x, y] = place(i);
        pen.beginPath();
        pen.arc(x, y, radius, 0, 2 * Math.PI);
        pen.fill();
        if (ring) { pen.strokeStyle = color("--card"); pen.lineWidth = 1.2; pen.stroke(); }
      }
    };
    pen.globalAlpha = ids.length > 20_000 ? 0.2 : 0.45;
    layer((i) => marks[i] === 0, color("--muted"), ids.length > 20_000 ? 1 : 1.8);
    pen.globalAlpha = 1;
    if (!compared) layer((i) => covers[i] === rank && marks[i] === 0, color("--third"), 2.6);
    layer((i) => marks[i] === MARK.earlier, color("--muted"), 3.2, true);
    layer((i) => marks[i] === MARK.first, color("--accent"), 4, true);
    layer((i) => marks[i] === MARK.second, color("--second"), 4, true);
    layer((i) => marks[i] === MARK.both, color("--good"), 4, true);
    if (compared) return;
    const at = ids.indexOf(current);
    if (at < 0) return;
    const [x, y] = place(at);
    pen.strokeStyle = color("--ink");
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(x, y, 7.5, 0, 2 * Math.PI);
    pen.stroke();
  };
  const placer = (points, width, height) => {
    let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let i = 0; i < points.length; i += 2) {
      left = Math.min(left, points[i]); right = Math.max(right, points[i]);
      low = Math.min(low, points[i + 1]); high = Math.max(high, points[i + 1]);
    }
    const margin = 12;
    const across = (width - 2 * margin) / (right - left || 1);
    const up = (height - 2 * margin) / (high - low || 1);
    return (i) => [
      margin + (points[2 * i] - left) * across, height - margin - (points[2 * i + 1] - low) * up,
    ];
  };
  const load = async (host) => {
    const source = host.dataset.selectMap;
    const stamp = `${source} ${host.dataset.method}`;
    if (maps.get(host)?.stamp === stamp) return draw(host);
    maps.set(host, { stamp });
    let bundle = null, problem = "";
    try {
      bundle = await studio.fetchBundle(source);
    } catch (error) {
      problem = error.status ? error.message : "Could not load the map. The page tries again automatically.";
    }
    if (maps.get(host)?.stamp !== stamp) return; // another map was requested meanwhile
    showProblem(host, problem);
    if (problem) return maps.delete(host); // loaded again at the next redraw, or when the server is back
    maps.set(host, { stamp, bundle });
    draw(host);
  };
  const showProblem = (host, sentence) => {
    host.querySelector("[role=alert]")?.remove();
    if (!sentence) return;
    const words = Object.assign(document.createElement("p"), { className: "notice notice-error", textContent: sentence });
    words.setAttribute("role", "alert");
    host.prepend(words);
  };
  const loadAll = () => document.querySelectorAll("[data-select-map]").forEach(load);
  const redraw = () => document.querySelectorAll("[data-select-map]").forEach(draw);
  document.addEventListener("studio:shown", loadAll);
  addEventListener("studio:back", loadAll);
  document.addEventListener("studio:theme", redraw);
  addEventListener("resize", redraw);

  document.addEventListener("click", (event) => { // a click near a selected image opens its reasons
    const host = event.target.closest("[data-select-map]");
    const { bundle, place } = (host && maps.get(host)) ?? {};
    if (!place) return;
    const box = host.getBoundingClientRect();
    let [best, least] = [-1, 14 ** 2];
    for (let i = 0; i < bundle.ids.length; i++) {
      if (bundle.marks[i] === 0 || bundle.marks[i] === MARK.earlier) continue;
      const [x, y] = place(i);
      const far = (x - event.clientX + box.left) ** 2 + (y - event.clientY + box.top) ** 2;
      if (far < least) [best, least] = [i, far];
    }
    if (best < 0) return;
    const address = new URL(location.href);
    address.searchParams.set("image", bundle.ids[best]);
    studio.go(address.pathname + address.search, true);
  });
})();
