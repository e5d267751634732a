/* A labeling task on the page: it loads the task, shows it, and saves what the user does. */

import { parameters, setParameters } from "../shell/address.js";
import { user } from "../shell/context.js";
import { element } from "../shell/dom.js";
import { fetchJson } from "../shell/http.js";
import { LabelQueue } from "./queue.js";
import { Task } from "./task.js";
import { classForm, grid, singleImage } from "./views.js";

const MAX_RETRIES = 8; // of suggestions, while the inference process is busy or starting
const RETRY_DELAY = 15_000; // ms
const AT_ONCE = 500; // images of one request for suggestions

const nextStep = () => dispatchEvent(new Event("studio:go")); // the server shows what comes next

export class Labeler {
  constructor(host) {
    this.host = host;
    this.subset = Number(host.dataset.labeler);
    this.task = new Task();
    this.isGrid = false;
    this.problem = ""; // an error message
    this.status = ""; // of the suggestions
    this.canRetry = false;
    this.retries = 0;
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
    this.show();
    this.suggest();
    return true;
  }

  async refresh() {
    this.task.update(await this.fetch("state"));
    this.applyWaiting();
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
    if (!waiting && !this.task.unlabeled) nextStep();
  }

  async suggest() {
    const ids = this.task.unsuggested;
    if (this.task.classes.length < 2 || !ids.length) return;
    this.status = "Computing suggestions …";
    this.canRetry = false;
    this.show();
    try {
      for (let start = 0; start < ids.length; start += AT_ONCE) {
        const part = ids.slice(start, start + AT_ONCE);
        const { labels, confidences } = await this.fetch("suggestions", { ids: part });
        part.forEach((id, i) => this.task.suggestions.set(id, { label: labels[i], confidence: confidences[i] }));
      }
      this.status = "";
    } catch (error) {
      this.status = `Suggestions are not available: ${error.message} You can label without them.`;
      this.canRetry = true;
      if (error.status === 503 && this.retries++ < MAX_RETRIES)
        setTimeout(() => this.host.isConnected && this.suggest(), RETRY_DELAY);
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
    this.suggest();
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
    this.isGrid = false;
    this.task.index = this.task.images.indexOf(image);
    this.show();
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
    this.suggest();
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
    host.replaceChildren(...[this.head(), problem, this.body()].flat());
    if (within || focused === document.body) this.refocus(within ? focused.name : "");
    if (!this.isGrid) for (const step of [1, 2]) // preload the next images
      new Image().src = task.images[(task.index + step) % task.images.length].image;
  }

  head() {
    const { task, queue } = this;
    const total = task.images.length;
    const done = total - task.unlabeled;
    const state = queue.waiting.length ? `Saving ${queue.waiting.length} …` : done ? "Saved" : "";
    return element("div", { class: "label-head" },
      element("div", { class: "progress" },
        element("div", { class: "progress-words" },
          element("span", {}, `${done} of ${total} labeled${task.pace()}`),
          element("span", { class: "num" }, state)),
        element("progress", { max: total, value: done, "aria-label": "Labeled images" })),
      this.tab("Single image", false), this.tab("Grid", true));
  }

  tab(name, isGrid) {
    const onclick = () => {
      this.isGrid = isGrid;
      this.show();
    };
    return element("button", {
      type: "button", name: `tab-${isGrid}`, class: "quiet", "aria-pressed": this.isGrid === isGrid, onclick,
    }, name);
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
