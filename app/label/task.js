/* The state of a labeling task, without the page: images, labels, suggestions, the current image. */

import { duration } from "../shell/words.js";

const RECENT = 300_000; // ms of recent labeling that the pace is computed from
const SHORTEST = 1200; // shortest ms of labeling that give a meaningful pace

export class Task {
  images = []; // of {id, name, caption, label, thumb, image}
  classes = [];
  index = 0; // of the current image
  filter = ""; // of the class names
  suggestions = new Map(); // image id → {label, confidence}
  #skipped = new Set();
  #times = []; // when labels were given

  /* Read the task that the server sent. */
  update({ images, classes }) {
    Object.assign(this, { images, classes });
  }

  /* Start at the image with this id, else at the first unlabeled one. */
  open(id) {
    const index = this.images.findIndex((image) => image.id === id);
    this.index = index >= 0 ? index : Math.max(0, this.nextUnlabeled(-1));
  }

  get image() {
    return this.images[this.index];
  }

  get unlabeled() {
    return this.images.filter((image) => image.label === null).length;
  }

  /* The suggestion for an unlabeled image; undefined without one. */
  suggestion(image) {
    return image.label === null ? this.suggestions.get(image.id) : undefined;
  }

  /* Ids of the unlabeled images without a suggestion. */
  get unsuggested() {
    return this.images.filter((image) => image.label === null && !this.suggestions.has(image.id)).map(({ id }) => id);
  }

  /* Classes that match the filter, as {name, index}. */
  get matches() {
    const wanted = this.filter.trim().toLowerCase();
    return this.classes.map((name, index) => ({ name, index }))
      .filter(({ name }) => !wanted || name.toLowerCase().includes(wanted));
  }

  /* Index of the next unlabeled image after `from`, cyclic; skipped ones come last. −1: none. */
  nextUnlabeled(from) {
    const count = this.images.length;
    for (const withSkipped of [false, true])
      for (let step = 1; step <= count; step++) {
        const index = (from + step + count) % count;
        const image = this.images[index];
        if (image.label === null && (withSkipped || !this.#skipped.has(image.id))) return index;
      }
    return -1;
  }

  /* Set labels: {image id: class index or null}. */
  apply(values) {
    for (const image of this.images) if (image.id in values) image.label = values[image.id];
  }

  /* Set labels that the user gave, and return the previous labels. With `advance` the next
     unlabeled image becomes the current one, unless a label was removed. */
  label(values, advance, now = Date.now()) {
    const previous = Object.fromEntries(this.images.map(({ id, label }) => [id, label]));
    this.apply(values);
    this.#times.push(...Object.keys(values).map(() => now));
    if (advance && !Object.values(values).includes(null)) {
      const next = this.nextUnlabeled(this.index);
      if (next >= 0) this.index = next;
    }
    this.filter = "";
    return previous;
  }

  skip() {
    this.#skipped.add(this.image.id);
    const next = this.nextUnlabeled(this.index);
    this.index = next >= 0 ? next : (this.index + 1) % this.images.length;
  }

  move(step) {
    this.index = (this.index + step + this.images.length) % this.images.length;
  }

  /* " · 12 per minute, about 3 min left"; "" while too few labels were given. */
  pace(now = Date.now()) {
    const recent = this.#times.filter((time) => now - time < RECENT);
    if (recent.length < 3 || now - recent[0] < SHORTEST) return "";
    const speed = recent.length / ((now - recent[0]) / 60_000);
    const rest = this.unlabeled ? `, about ${duration((60 * this.unlabeled) / speed)} left` : "";
    return ` · ${Math.round(speed)} per minute${rest}`;
  }
}
