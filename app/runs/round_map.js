/* The selected images of a run on the dataset's map, round by round. The server leaves a place for it,
   <div class="round-map" data-own data-dataset data-run data-method data-rounds>. */

import { element } from "../shell/dom.js";
import { fetchBundle } from "../shell/http.js";
import { Scatter } from "../shell/scatter.js";
import { byRound, caption } from "./rounds.js";

const STEP_MS = 900; // from one round to the next while playing
const REACH = 10; // pixels from the pointer to an image
const TIP = { width: 92, height: 84 };

class RoundMap {
  constructor(place) {
    this.place = place;
    this.source = sourceOf(place);
    this.loaded = ""; // rounds and method of the data that is shown
    this.timer = 0;
    this.build();
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    document.addEventListener("studio:theme", () => this.draw());
  }

  build() {
    this.play = element("button", { type: "button", class: "quiet", onclick: () => this.toggle() }, "Play");
    this.slider = element("input", { type: "range", min: 0, step: 1, oninput: () => { this.stop(); this.draw(); } });
    this.output = element("output", { class: "num", "aria-live": "polite" });
    this.canvas = element("canvas", {
      role: "img", onmousemove: (event) => this.hover(event), onmouseleave: () => { this.tip.hidden = true; },
    });
    this.tip = element("img", { class: "round-map-tip", alt: "", hidden: true });
    this.caption = element("p", { class: "muted round-map-caption" });
    this.place.replaceChildren(
      element("div", { class: "round-map-bar" }, this.play,
        element("label", {}, element("span", { class: "sr-only" }, "Round"), this.slider), this.output),
      element("div", { class: "round-map-frame" }, this.canvas, this.tip),
      this.caption,
    );
  }

  get round() {
    return +this.slider.value;
  }

  /* Load the map, and again after each round. */
  async load() {
    const { dataset, run, method, rounds } = this.place.dataset;
    const wanted = `${rounds} ${method}`;
    if (wanted === this.loaded) return;
    this.loaded = wanted;
    const base = `/explore/${dataset}`;
    try {
      const [points, values, columns] = await Promise.all([
        fetchBundle(`${base}/points.bin?method=${method}`),
        fetchBundle(`${base}/values.bin?run=${run}`),
        fetchBundle(`${base}/columns.bin`),
      ]);
      if (wanted !== this.loaded) return; // newer data was requested meanwhile
      Object.assign(this, { rounds: values.round, ids: columns.ids, scatter: new Scatter(this.canvas, points.xy) });
    } catch (error) {
      if (wanted !== this.loaded) return;
      this.loaded = ""; // the next update, or the next connection, tries again
      this.caption.textContent = error.status ? error.message : "The map could not be loaded. Trying again …";
      return;
    }
    const follows = !this.slider.hasAttribute("max") || this.round === +this.slider.max;
    this.slider.setAttribute("max", rounds);
    if (follows) this.slider.value = rounds;
    this.draw();
  }

  draw() {
    if (!this.scatter?.begin(this.canvas.clientWidth, this.canvas.clientHeight)) return;
    const number = this.round;
    const rows = byRound(this.rounds, number);
    const size = this.rounds.length;
    this.scatter.points(rows.others, "line-strong", size > 20000 ? 0.5 : size > 3000 ? 0.8 : 1.4);
    this.scatter.points(rows.earlier, "accent", 3.6, { ring: true });
    this.scatter.points(rows.current, "second", 5, { ring: true });
    this.scatter.end();
    this.output.textContent = number ? `Round ${number} of ${this.place.dataset.rounds}` : "Before round 1";
    this.caption.textContent = caption(rows, number);
    this.canvas.setAttribute("aria-label", `Map of the dataset: ${this.caption.textContent}`);
  }

  toggle() {
    if (this.timer) return this.stop();
    if (this.round >= +this.slider.max) this.slider.value = 0;
    this.play.textContent = "Pause";
    this.draw();
    this.timer = setInterval(() => this.step(), STEP_MS);
  }

  step() {
    if (!this.place.isConnected || this.round >= +this.slider.max) return this.stop();
    this.slider.value = this.round + 1;
    this.draw();
  }

  stop() {
    clearInterval(this.timer);
    this.timer = 0;
    this.play.textContent = "Play";
  }

  /* Show the selected image under the pointer. */
  hover({ offsetX, offsetY }) {
    const shown = (row) => this.rounds[row] && this.rounds[row] <= this.round;
    const row = this.scatter?.nearest(offsetX, offsetY, REACH, shown) ?? -1;
    this.tip.hidden = row < 0;
    if (row < 0) return;
    const [x, y] = this.scatter.place(row);
    const address = `/thumb/${this.ids[row]}`;
    if (!this.tip.src.endsWith(address)) this.tip.src = address;
    this.tip.style.left = `${Math.min(x + 12, this.canvas.clientWidth - TIP.width)}px`;
    this.tip.style.top = `${Math.max(4, Math.min(y - 40, this.canvas.clientHeight - TIP.height))}px`;
  }
}

const sourceOf = (place) => `${place.dataset.dataset} ${place.dataset.run}`;

const maps = new WeakMap(); // element → its map
document.addEventListener("studio:shown", (event) => {
  for (const place of event.target.querySelectorAll(".round-map")) {
    if (maps.get(place)?.source !== sourceOf(place)) maps.set(place, new RoundMap(place));
    maps.get(place).load();
  }
});
addEventListener("studio:back", () => {
  for (const place of document.querySelectorAll(".round-map")) maps.get(place)?.load();
});
