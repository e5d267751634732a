/* A labeling task on the page: it loads the task, shows it, and saves what the user does. */

import { parameters, setParameters } from "../shell/address.js";
import { user } from "../shell/context.js";
import { element } from "../shell/dom.js";
import { fetchJson } from "../shell/http.js";
import { local } from "../shell/storage.js";
import { head } from "./head.js";
import { Learning } from "./learning.js";
import { LiveMap } from "./live_map.js";
import { LabelQueue } from "./queue.js";
import { Task } from "./task.js";
import { classForm, grid, gridHint, singleImage } from "./views.js";

const AHEAD = 500; // next images that get suggestions
const MAX_IMAGES = 5000; // per request: the server refuses more
const ORDER = "vecaf-label-order"; // in the browser's storage: "given", or nothing

const nextStep = () => dispatchEvent(new Event("studio:go")); // the server shows what comes next

export class Labeler {
  constructor(host) {
    this.host = host;
    this.subset = Number(host.dataset.labeler);
    this.task = new Task();
    this.isGrid = false;
    this.problem = ""; // an error message
    this.kind = ""; // of the subset: "selection" or "evaluation"
    this.keepsOrder = local.get(ORDER) === "given";
    this.gridLearned = -1; // number of labels that the suggestions of the grid learned from
    this.learning = new Learning(this.task, {
      wanted: () => this.wanted(),
      ask: (ids) => this.fetch("suggestions", { ids }),
      onChange: (...answer) => this.learned(...answer),
      connected: () => host.isConnected,
    });
    // Another user of this browser must neither send nor lose these labels.
    const key = ["vecaf-labels", user(), this.subset].filter(Boolean).join("-");
    this.queue = new LabelQueue(key, {
      save: (values) => this.fetch("labels", { values }),
      undo: async () => (await this.fetch("undo", {})).values,
    }, (...change) => this.saved(...change));
  }

  fetch(name, body) {
    return fetchJson(`/label/${this.subset}/${name}`, body);
  }

  /* Load the task and show it. Returns whether that worked. */
  async start() {
    try {
      await this.refresh();
    } catch (error) {
      const message = error.status ? error.message : "Could not load the images. The page tries again automatically.";
      this.host.replaceChildren(element("p", { class: "notice notice-error", role: "alert" }, message));
      return false;
    }
    this.queue.flush();
    this.isGrid = parameters().get("view") === "grid";
    this.task.open(Number(parameters().get("image")));
    if (this.reorders) this.task.reorder();
    this.startMap();
    this.show();
    this.learning.update();
    return true;
  }

  startMap() {
    const place = this.host.parentElement?.querySelector(".label-map");
    const { dataset, subset, task } = this;
    if (place) this.map = new LiveMap(place, { dataset, subset, classes: () => task.classes });
  }

  async refresh() {
    const state = await this.fetch("state");
    Object.assign(this, { kind: state.kind, dataset: state.dataset, tests: state.tests });
    this.task.update(state);
    this.applyWaiting();
    if (this.reorders) this.task.reorder();
  }

  /* Whether the next images are those that teach the model most. A test sample stays random. */
  get reorders() {
    return this.kind === "selection" && !this.keepsOrder;
  }

  /* Show labels that are not saved yet. */
  applyWaiting() {
    for (const request of this.queue.waiting) this.task.apply(request.undo ? request.values ?? {} : request);
  }

  /* The queue has changed. */
  saved(waiting, problem, { refused, undone, shown } = {}) {
    this.problem = problem;
    if (refused) this.refresh().then(() => this.show(), () => {}); // no answer: the queue tries again
    if (undone) this.showUndone(undone, !shown);
    else this.show();
    if (waiting) return;
    if (!this.task.unlabeled) nextStep();
    if (!problem) this.learning.update();
  }

  /* Ids of the images to suggest labels for. In the grid, suggestions change only on request:
     images must not move while somebody reads them. */
  wanted() {
    if (!this.isGrid) return this.task.upcoming(AHEAD);
    const all = this.gridLearned < 0;
    return (all ? this.task.upcoming(MAX_IMAGES) : this.task.unsuggested).slice(0, MAX_IMAGES);
  }

  /* The model has answered (see `Learning`). The current image stays. */
  learned(answer, ids = []) {
    const { task } = this;
    if (!answer) return this.show();
    task.apply(answer.labels); // by other people
    this.applyWaiting();
    const shown = this.isGrid ? new Set(ids) : null;
    task.learn({ ...answer, suggestions: answer.suggestions.filter(([id]) => !shown || shown.has(id)) });
    if (this.isGrid && this.gridLearned < 0) this.gridLearned = answer.learned;
    if (this.reorders && !this.isGrid) task.reorder(answer.order);
    if (this.isGrid && !ids.length) this.showHead();
    else this.show();
    this.map?.update();
  }

  /* Show the newest suggestions in the grid. */
  updateGrid() {
    this.gridLearned = -1;
    this.learning.update();
  }

  setOrder(keeps) {
    this.keepsOrder = keeps;
    if (keeps) {
      local.set(ORDER, "given");
      this.task.restoreOrder();
    } else {
      local.remove(ORDER);
      this.task.reorder();
      this.learning.update();
    }
    this.show();
  }

  /* Label images ({id: class index, or null to remove the label}). */
  label(values) {
    const previous = this.task.label(values, !this.isGrid);
    this.queue.put(values, previous); // before `show`, which counts the labels being saved
    this.show();
  }

  undo() {
    const previous = this.queue.undo();
    if (previous) this.showUndone(previous, true);
    else this.show();
  }

  showUndone(values, moveThere) {
    this.task.apply(values);
    this.applyWaiting();
    const index = this.task.images.findIndex((image) => image.id in values);
    if (moveThere && index >= 0) this.task.index = index;
    if (this.task.unlabeled && !this.queue.waiting.length) nextStep();
    this.show();
  }

  skip() {
    this.task.skip();
    this.show();
  }

  move(step) {
    this.task.move(step);
    this.show();
  }

  open(image) {
    this.task.index = this.task.images.indexOf(image);
    this.setView(false);
  }

  setFilter(filter) {
    this.task.filter = filter;
    this.show();
  }

  /* Add classes. Returns the index of the first one. */
  async addClasses(names) {
    await this.queue.flush();
    const before = this.task.classes.length;
    try {
      this.task.classes = (await this.fetch("classes", { names })).classes;
      this.problem = "";
      if (this.task.classes.length > before) this.task.suggestions.clear(); // they depend on the classes
    } catch (error) {
      this.problem = error.message;
    }
    this.show();
    this.learning.update();
    return this.task.classes.indexOf(names[0]);
  }

  /* Create the class that the filter names, and label the current image with it. */
  async labelWithNewClass() {
    const { image, filter } = this.task;
    const index = await this.addClasses([filter.trim()]);
    if (index >= 0) this.label({ [image.id]: index });
  }

  show() {
    const { task, host } = this;
    if (!task.images.length) return;
    if (Number(parameters().get("subset")) === this.subset)
      setParameters({ view: this.isGrid ? "grid" : null, image: task.image?.id });
    const focused = document.activeElement;
    const within = host.contains(focused);
    const problem = this.problem ? element("p", { class: "notice notice-error", role: "alert" }, this.problem) : [];
    host.replaceChildren(...[head(this), problem, this.body()].flat());
    if (within || focused === document.body) this.refocus(within ? focused.name : "");
    if (!this.isGrid) for (const step of [1, 2]) // preload the next images
      new Image().src = task.images[(task.index + step) % task.images.length].image;
  }

  showHead() {
    const old = this.host.querySelector(".label-head");
    const { name } = document.activeElement;
    const within = old?.contains(document.activeElement);
    old?.replaceWith(head(this));
    this.host.querySelector(".label-hint")?.replaceChildren(gridHint(this));
    if (within) this.host.querySelector(`.label-head [name="${CSS.escape(name)}"]`)?.focus({ preventScroll: true });
  }

  setView(isGrid) {
    this.isGrid = isGrid;
    this.show();
    if (isGrid) this.updateGrid();
    else this.learning.update();
  }

  body() {
    if (!this.task.classes.length) return classForm(this);
    return this.isGrid ? grid(this) : singleImage(this);
  }

  /* Focus the field that had the focus before the redraw, else the view itself. */
  refocus(name) {
    const keeps = name && (name === "filter" || this.isGrid);
    const field = keeps ? this.host.querySelector(`[name="${CSS.escape(name)}"]`) : null;
    (field ?? this.host.querySelector(".label-one, .label-grid"))?.focus({ preventScroll: true });
    if (field && name === "filter") field.setSelectionRange(field.value.length, field.value.length);
  }
}
