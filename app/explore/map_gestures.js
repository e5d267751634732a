/* Gestures on the map: pan, zoom with wheel and pinch, lasso, box, click, keys; and the card that
   shows the image under the pointer. */

import { element } from "../shell/dom.js";
import { facts } from "./facts.js";
import { pin } from "./pin.js";
import { say } from "./toast.js";

const CLICK = 5; // pixels that a pointer may move during a click
const REST = 60; // milliseconds of rest until the caption is fetched

export class MapGestures {
  constructor(map, setTool) {
    this.map = map;
    this.state = map.state;
    this.tool = "pan";
    this.setTool = setTool;
    this.pointers = new Map();
    this.card = element("div", { class: "x-hover", hidden: true, "aria-hidden": "true" });
    map.frame.append(this.card);
    const { over } = map;
    over.addEventListener("pointerdown", (event) => this.down(event));
    over.addEventListener("pointermove", (event) => this.moved(event));
    over.addEventListener("pointerup", (event) => this.up(event));
    over.addEventListener("pointercancel", (event) => this.up(event, true));
    over.addEventListener("pointerleave", () => this.pointers.size || this.state.hover(-1));
    over.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    over.addEventListener("dblclick", (event) => map.view && map.zoom(2, ...this.place(event)));
    over.addEventListener("keydown", (event) => this.key(event));
    this.state.on("hover", () => this.show());
  }
  place(event) {
    const box = this.map.over.getBoundingClientRect();
    return [(event.clientX - box.left) * this.map.ratio, (event.clientY - box.top) * this.map.ratio];
  }
  choose(tool) {
    this.tool = tool;
    this.map.frame.dataset.tool = tool;
    this.setTool(tool);
  }

  down(event) {
    if (!this.map.view || event.button > 0) return;
    this.map.over.setPointerCapture(event.pointerId);
    const at = this.place(event);
    this.pointers.set(event.pointerId, at);
    this.start = at;
    this.far = false;
    if (this.pointers.size >= 2) { // a second finger always means pinch
      this.drawing = this.map.overlay.outline = null;
      this.far = true;
      this.map.overlay.draw();
      return;
    }
    const tool = event.shiftKey ? "box" : this.tool;
    this.drawing = tool === "pan" ? null : tool;
    if (this.drawing) this.map.overlay.outline = [at];
  }
  moved(event) {
    const { map } = this;
    if (!map.view) return;
    const at = this.place(event);
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType === "mouse") this.state.hover(map.at(...at));
      return;
    }
    if (this.pointers.size >= 2) {
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)[1];
      const apart = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]);
      map.pan((at[0] - before[0]) / 2, (at[1] - before[1]) / 2);
      map.zoom(apart(at) / Math.max(1, apart(before)), (at[0] + other[0]) / 2, (at[1] + other[1]) / 2);
    } else {
      const moved = Math.hypot(at[0] - this.start[0], at[1] - this.start[1]);
      if (!this.far && moved < CLICK * map.ratio) return;
      this.far = true;
      this.state.hover(-1);
      if (this.drawing === "lasso") map.overlay.outline.push(at);
      else if (this.drawing === "box") {
        const [[x, y], [u, v]] = [this.start, at];
        map.overlay.outline = [[x, y], [u, y], [u, v], [x, v]];
      } else map.pan(at[0] - before[0], at[1] - before[1]);
      if (this.drawing) map.overlay.draw();
    }
    this.pointers.set(event.pointerId, at);
  }
  up(event, canceled = false) {
    if (!this.pointers.delete(event.pointerId) || this.pointers.size) return;
    const { map } = this;
    const outline = map.overlay.outline;
    map.overlay.outline = null;
    if (canceled) map.overlay.draw();
    else if (!this.far) {
      const row = map.at(...this.place(event));
      pin(this.state, row);
    } else if (this.drawing && outline?.length > 2) this.caught(outline);
    this.drawing = null;
  }
  caught(outline) {
    const began = performance.now();
    const { region, count } = this.map.inside(outline);
    document.documentElement.dataset.lassoAt = Math.round(began);
    if (count) this.state.setRegion(region);
    else {
      say("No images inside this selection.");
      this.map.overlay.draw();
    }
  }
  wheel(event) {
    if (!this.map.view) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    this.map.zoom(Math.exp(-event.deltaY * lines * 0.0016), ...this.place(event));
  }
  key(event) {
    const { map } = this;
    if (!map.view || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = 60 * map.ratio;
    const keys = {
      ArrowLeft: () => map.pan(step, 0), ArrowRight: () => map.pan(-step, 0),
      ArrowUp: () => map.pan(0, step), ArrowDown: () => map.pan(0, -step),
      "+": () => map.zoom(1.4), "=": () => map.zoom(1.4), "-": () => map.zoom(1 / 1.4),
      0: () => map.showAll(), f: () => map.showLit(), l: () => this.choose("lasso"), b: () => this.choose("box"), p: () => this.choose("pan"),
      Escape: () => {
        if (this.state.region) this.state.setRegion(null);
        else pin(this.state, -1);
      },
    };
    const act = keys[event.key] ?? keys[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  }

  /* Show the card beside the point: first what the page knows, then the caption. */
  async show() {
    const { state, map, card } = this;
    const row = state.hovered;
    if (row < 0 || !map.view || this.pointers.size) {
      card.hidden = true;
      return;
    }
    const [x, y] = map.toPixels(row).map((value) => value / map.ratio);
    const { loss, predicted } = state.values;
    const caption = element("p", {});
    const known = [state.label(row)];
    if (predicted && predicted[row] >= 0 && predicted[row] !== state.labels[row])
      known.push(`predicted ${state.className(predicted[row])}`);
    if (loss && !Number.isNaN(loss[row])) known.push(`loss ${loss[row].toFixed(2)}`);
    if (state.excluded[row]) known.push("excluded");
    card.replaceChildren(
      element("img", { src: state.thumb(row), alt: "", width: 112, height: 112 }),
      element("div", {}, element("b", {}, known[0]), known.length > 1 ? element("small", {}, known.slice(1).join(" · ")) : null, caption));
    card.hidden = false;
    const { width, height } = map.frame.getBoundingClientRect();
    card.style.left = `${x > width / 2 ? x - card.offsetWidth - 14 : x + 14}px`;
    card.style.top = `${Math.max(6, Math.min(height - card.offsetHeight - 6, y - card.offsetHeight / 2))}px`;
    await new Promise((done) => setTimeout(done, REST)); // a passing pointer requests nothing
    if (state.hovered !== row) return;
    const image = await facts(state, row).catch(() => null);
    if (state.hovered === row && image) caption.textContent = image.caption ?? image.file_name;
  }
};
