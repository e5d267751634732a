/* The state of a labeling task, without the page: images, labels, suggestions, the current image. */

import { duration } from "../shell/words.js";

const RECENT = 300_000; // ms of recent labeling that the pace is computed from
const SHORTEST = 1200; // shortest ms of labeling that give a meaningful pace

export class Task {
  images = []; // of {id, name, caption, label, thumb, image}, in the order in which they are shown
  classes = [];
  index = 0; // of the current image
  filter = ""; // of the class names
  suggestions = new Map(); // image id → {label, confidence}
  accuracy = null; // of the suggestions: {value, low, high, total}
  learned = 0; // number of labels that the suggestions learned from
  #given = []; // ids in the order of the selection
  #skipped = new Set();
  #times = []; // when labels were given

  /* Read the task that the server sent. The current image stays. */
  update({ images, classes }) {
    const { id } = this.image ?? {};
    Object.assign(this, { images, classes });
    this.#given = images.map((image) => image.id);
    this.#stayAt(id);
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

  /* Ids of the next `count` unlabeled images from the current one on, cyclic. */
  upcoming(count) {
    const turned = [...this.images.slice(this.index), ...this.images.slice(0, this.index)];
    return turned.filter((image) => image.label === null).slice(0, count).map(({ id }) => id);
  }

  /* Read the server's answer: {suggestions: [[id, label, confidence]], accuracy, learned}. */
  learn({ suggestions, accuracy, learned }) {
    for (const [id, label, confidence] of suggestions) this.suggestions.set(id, { label, confidence });
    Object.assign(this, { accuracy, learned });
  }

  /* Show unlabeled images in this order of ids; those that it does not name come after them. The
     current image and the images before it stay: labeled and skipped ones. */
  reorder(ids = []) {
    const place = new Map(ids.map((id, i) => [id, i]));
    const current = this.image;
    const settled = (image) => image.label !== null || this.#skipped.has(image.id);
    const rest = this.images.filter((image) => image !== current && !settled(image));
    rest.sort((a, b) => (place.get(a.id) ?? ids.length) - (place.get(b.id) ?? ids.length));
    const before = this.images.filter((image) => settled(image));
    this.images = [...before, ...(current && !settled(current) ? [current] : []), ...rest];
    this.#stayAt(current?.id);
  }

  /* Show the images in the order of the selection. */
  restoreOrder() {
    const place = new Map(this.#given.map((id, i) => [id, i]));
    const { id } = this.image ?? {};
    this.images = [...this.images].sort((a, b) => place.get(a.id) - place.get(b.id));
    this.#stayAt(id);
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

  #stayAt(id) {
    const index = this.images.findIndex((image) => image.id === id);
    if (index >= 0) this.index = index;
  }
}
