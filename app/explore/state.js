/* The state of the workbench: the columns of all samples, the filters, the order of the grid, the
   selection and the pinned image. Views subscribe to topics; they never call each other. */

import { shuffled, sorted } from "./order.js";

export const SPLITS = ["train", "validation", "test"];

const fresh = (classes) => ({
  hiddenClasses: new Uint8Array(classes + 1), // by label + 1: the first is "no label"
  hiddenSplits: new Uint8Array(SPLITS.length),
  labeled: "any", pool: "any", prediction: "any", round: "any",
  loss: null, confidence: null, // [lowest, highest]; null in it leaves that side open
  subset: null, // {id, name, rows}, with `rows` a flag for each row
  text: null, // {text, rows}
});

export class State {
  constructor(start, columns) {
    this.listeners = new Map();
    this.dataset = start.dataset;
    this.runs = start.runs;
    this.subsets = start.subsets;
    this.map = start.map;
    this.idle = start.idle;
    this.classes = start.dataset.classes;
    this.values = {}; // predicted, confidence, loss and round of the run; match, score
    this.run = null;
    this.points = null; // {xy, method, view}
    this.keys = null;
    this.setColumns(columns);
    this.filters = fresh(this.classes.length);
    this.region = null; // Uint8Array: a flag for each row inside the lasso
    this.selected = new Uint8Array(this.n);
    this.selectedCount = 0;
    this.pinned = -1;
    this.neighbors = null; // {rows, similarities} of the pinned one
    this.hovered = -1;
    this.cursor = -1;
    this.color = "class";
    this.sort = "file";
    this.search = null; // {title, hits: rows}
    this.mask = new Uint8Array(this.n);
    this.order = new Uint32Array(0);
    this.refilter();
  }

  setColumns(columns) {
    this.revision = columns.meta.revision;
    this.classes = columns.meta.classes ?? this.classes; // older cached columns lack them
    this.n = columns.ids.length;
    this.ids = columns.ids;
    this.labels = columns.labels;
    this.splits = columns.splits;
    this.excluded = columns.excluded;
    this.captioned = columns.captioned;
  }

  on(topics, listener) {
    for (const topic of topics.split(" "))
      this.listeners.set(topic, [...(this.listeners.get(topic) ?? []), listener]);
  }
  emit(topic) {
    for (const listener of this.listeners.get(topic) ?? []) listener();
  }

  /* Filters. `mask` is 1 for each row that passes all of them. */
  filter(changes) {
    Object.assign(this.filters, changes);
    this.refilter();
  }
  clearFilters() {
    this.filters = fresh(this.classes.length);
    this.region = null;
    this.emit("cleared");
    this.refilter();
  }
  get filtered() {
    const f = this.filters;
    return f.hiddenClasses.some(Boolean) || f.hiddenSplits.some(Boolean) || f.labeled !== "any" ||
      f.pool !== "any" || f.prediction !== "any" || f.round !== "any" ||
      Boolean(f.loss || f.confidence || f.subset || f.text);
  }
  refilter() {
    const { n, mask, labels, splits, excluded, filters: f, values: v } = this;
    mask.fill(1);
    const drop = (fails) => { for (let i = 0; i < n; i++) if (fails(i)) mask[i] = 0; };
    if (f.hiddenClasses.some(Boolean)) drop((i) => f.hiddenClasses[labels[i] + 1]);
    if (f.hiddenSplits.some(Boolean)) drop((i) => f.hiddenSplits[splits[i]]);
    if (f.labeled !== "any") drop((i) => labels[i] >= 0 !== (f.labeled === "yes"));
    if (f.pool === "pool") drop((i) => splits[i] || excluded[i]);
    if (f.pool === "excluded") drop((i) => !excluded[i]);
    if (f.prediction !== "any" && v.predicted)
      drop((i) => labels[i] < 0 || v.predicted[i] < 0 || (labels[i] === v.predicted[i]) !== (f.prediction === "correct"));
    if (f.round !== "any" && v.round)
      drop((i) => (f.round === "selected" ? !v.round[i] : v.round[i] !== Number(f.round)));
    for (const name of ["loss", "confidence"]) {
      if (!f[name] || !v[name]) continue;
      const [lowest, highest] = [f[name][0] ?? -Infinity, f[name][1] ?? Infinity];
      drop((i) => !(v[name][i] >= lowest && v[name][i] <= highest));
    }
    for (const group of [f.subset, f.text]) if (group) drop((i) => !group.rows[i]);
    this.emit("mask");
    this.reorder();
  }

  /* The rows that the grid shows, in its order. */
  reorder() {
    const { n, mask, region, values } = this;
    let [rows, size] = [new Uint32Array(n), 0];
    for (let i = 0; i < n; i++) if (mask[i] && (!region || region[i])) rows[size++] = i;
    rows = rows.subarray(0, size);
    const by = { class: this.labels, loss: values.loss, confidence: values.confidence, score: values.score, match: values.match };
    if (this.sort === "random") {
      const place = shuffled(n, 7);
      rows = sorted(rows, place);
    } else if (by[this.sort])
      rows = sorted(rows, by[this.sort], this.sort === "loss" || this.sort === "score");
    this.order = rows;
    this.emit("order");
  }
  sortBy(name) {
    this.sort = name;
    this.reorder();
  }
  setRegion(region) {
    this.region = region;
    this.emit("region");
    this.reorder();
  }

  /* The selection. */
  select(rows, on = true, only = false) {
    if (only) this.selected.fill(0);
    for (const row of rows) this.selected[row] = on ? 1 : 0;
    let count = 0;
    for (let i = 0; i < this.n; i++) count += this.selected[i];
    this.selectedCount = count;
    this.emit("selection");
  }
  /* The rows that an action changes: the selected ones, or else those inside the lasso. */
  targets() {
    if (this.selectedCount) return Uint32Array.from(this.rowsWhere(this.selected));
    return this.region ? this.order : new Uint32Array(0);
  }
  *rowsWhere(flags) {
    for (let i = 0; i < this.n; i++) if (flags[i]) yield i;
  }
  idsOf(rows) {
    return Array.from(rows, (row) => this.ids[row]);
  }
  rowOf(id) { // ids ascend
    let [low, high] = [0, this.n - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (this.ids[middle] === id) return middle;
      if (this.ids[middle] < id) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }
  flags(rows) {
    const flags = new Uint8Array(this.n);
    for (const row of rows) flags[row] = 1;
    return flags;
  }

  pin(row) {
    if (row === this.pinned) return;
    this.pinned = row;
    this.neighbors = null;
    this.emit("pin");
  }
  /* The row that the arrow keys of the grid have reached. */
  step(row) {
    this.cursor = row;
    this.emit("cursor");
  }
  hover(row) {
    if (row === this.hovered) return;
    this.hovered = row;
    this.emit("hover");
  }
  colorBy(name) {
    this.color = name;
    this.emit("color");
  }
  setPoints(points) {
    this.points = points;
    this.emit("points");
  }

  /* Texts for a row. */
  className(label) {
    return label < 0 ? "no label" : (this.classes[label] ?? `class ${label}`);
  }
  label(row) {
    return this.className(this.labels[row]);
  }
  split(row) {
    return SPLITS[this.splits[row]];
  }
  thumb(row) {
    return `/thumb/${this.ids[row]}${this.version(row)}`;
  }
  version(row) {
    if (!this.keys) return "";
    let hex = "";
    for (let k = 6 * row; k < 6 * row + 6; k++) hex += this.keys[k].toString(16).padStart(2, "0");
    return `?v=${hex}`;
  }
};

