/* The dataset's map, colored by the class that the model suggests; it follows each label.

   The server leaves a place for it, <details class="label-map"><canvas></canvas><p></p></details>. */

import { classColor } from "../shell/class_colors.js";
import { element } from "../shell/dom.js";
import { fetchBundle } from "../shell/http.js";
import { Scatter } from "../shell/scatter.js";

const NO_MAP = "The dataset has no map yet. Open Explore to compute it.";

export class LiveMap {
  #again = false;
  #loading = null;

  /* `dataset` and `subset` are ids; `classes()` returns the class names. */
  constructor(place, { dataset, subset, classes }) {
    Object.assign(this, { place, dataset, subset, classes });
    this.canvas = place.querySelector("canvas");
    this.note = place.querySelector("p");
    place.addEventListener("toggle", () => this.update());
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    document.addEventListener("studio:theme", () => this.draw());
  }

  /* Show the newest suggestions if the map is open. */
  update() {
    if (!this.place.open) return Promise.resolve();
    this.#again = true;
    this.#loading ??= this.#load();
    return this.#loading;
  }

  async #load() {
    while (this.#again) {
      this.#again = false;
      try {
        await this.#loadOnce();
      } catch (error) {
        this.note.textContent = error.message;
      }
    }
    this.#loading = null;
  }

  async #loadOnce() {
    if (!this.scatter) {
      const points = await fetchBundle(`/explore/${this.dataset}/points.bin`);
      if (!points) {
        this.note.textContent = NO_MAP;
        return;
      }
      this.scatter = new Scatter(this.canvas, points.xy);
      this.canvas.hidden = false;
    }
    this.labels = (await fetchBundle(`/label/${this.subset}/map.bin`)).labels;
    this.draw();
  }

  draw() {
    const { canvas, scatter, labels } = this;
    if (!labels || !scatter?.begin(canvas.clientWidth, canvas.clientHeight)) return;
    const rows = this.classes().map(() => []);
    labels.forEach((label, row) => rows[label]?.push(row));
    const radius = labels.length > 20000 ? 0.9 : labels.length > 3000 ? 1.6 : 2.8;
    rows.forEach((some, label) => scatter.points(Uint32Array.from(some), classColor(label), radius));
    scatter.end();
    this.note.replaceChildren(element("span", { class: "label-legend" }, this.classes().map((name, label) =>
      element("span", {}, element("i", { style: `background: ${classColor(label)}` }), `${name} ${rows[label].length}`))));
  }
}
