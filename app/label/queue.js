/* The queue of labels to save. Labels are sent in order, retried on failure, and kept in the
   browser's storage until the server has them, so a reload loses none. */

import { local } from "../shell/storage.js";

const DELAYS = [1, 2, 4, 8, 15]; // seconds between retries
const MAX_IMAGES = 5000; // per request: the server refuses more
const TEMPORARY = [408, 421, 429]; // the labels are valid, so they are sent again

const isRefused = (status) => status >= 400 && status < 500 && !TEMPORARY.includes(status);
const seconds = (count) => new Promise((done) => setTimeout(done, 1000 * count));

export class LabelQueue {
  /* `key` names the queue in the browser's storage. `server` has two async functions: save(values)
     takes {image id: class index or null}, undo() returns the labels that it restored.

     `onChange(waiting, problem, {refused, undone, shown})` is called after each answer: how many
     requests wait, the error message, whether the server refused one, the labels that an undo
     restored, and whether the page shows them already. */
  constructor(key, server, onChange, { storage = local, wait = seconds } = {}) {
    Object.assign(this, { key, server, onChange, storage, wait });
    this.waiting = storage.getJson(key) ?? []; // of {image id: class index or null}, or {undo: true, values}
    this.previous = new WeakMap(); // request → the labels of its images before it
    this.batch = new WeakMap(); // request → the batch of labels that it belongs to
    this.batches = []; // the batch of each request, newest last
    this.sending = null;
    this.undoing = null; // sent only once: a repeated undo would undo two labels
  }

  /* Save {image id: class index or null}. `previous` holds the labels before. */
  put(values, previous = {}) {
    const batch = Object.entries(values);
    for (let start = 0; start < batch.length; start += MAX_IMAGES) {
      const request = Object.fromEntries(batch.slice(start, start + MAX_IMAGES));
      this.previous.set(request, Object.fromEntries(Object.keys(request).map((id) => [id, previous[id] ?? null])));
      this.batch.set(request, batch);
      this.batches.push(batch);
      this.waiting.push(request);
    }
    this.#store();
    this.flush();
  }

  /* Undo the newest batch. Requests that were not sent are dropped; for the others an undo is
     queued. Returns the previous labels, as far as they are known. */
  undo() {
    const newest = this.batches.at(-1); // none: labeled before a reload
    const restored = [];
    do restored.push(this.#undoRequest());
    while (newest && this.batches.pop() && this.batches.at(-1) === newest);
    this.#store();
    this.flush();
    const known = restored.filter(Boolean);
    return known.length ? Object.assign({}, ...known) : undefined;
  }

  /* Send what waits; resolves when the queue is empty or waits for a login. */
  flush() {
    if (!this.sending && this.waiting.length) this.sending = this.#sendAll();
    return this.sending ?? Promise.resolve();
  }

  #undoRequest() {
    const request = this.waiting.at(-1);
    const previous = this.previous.get(request);
    if (previous && !(this.sending && request === this.waiting[0])) this.waiting.pop();
    else this.waiting.push({ undo: true, values: previous });
    return previous;
  }

  async #sendAll() {
    let tries = 0;
    while (this.waiting.length) {
      try {
        const undone = await this.#send(this.waiting[0]);
        const shown = Boolean(this.waiting.shift().values);
        tries = 0;
        this.#store();
        this.#changed("", { undone, shown });
      } catch (error) {
        if (this.waiting[0].undo) this.#dropUndo(error);
        else if (error.status === 401) { // logged out: kept until the next login
          this.#changed(error.message);
          break;
        } else if (isRefused(error.status)) this.#drop(error);
        else {
          const pause = DELAYS[Math.min(tries++, DELAYS.length - 1)];
          this.#changed(`The studio is not responding. Retrying in ${pause} s. Your labels are kept in this browser.`);
          await this.wait(pause);
        }
      }
    }
    this.sending = null;
  }

  async #send(request) {
    if (!request.undo) return void (await this.server.save(request));
    this.undoing = request;
    this.#store();
    return this.server.undo();
  }

  #dropUndo(error) {
    this.waiting.shift();
    this.#changed(error.status ? error.message : "The studio is not responding, so the label was not undone. Try again.", { refused: true });
  }

  #drop(error) { // a retry would fail too
    const at = this.batches.lastIndexOf(this.batch.get(this.waiting.shift()));
    if (at >= 0) this.batches.splice(at, 1);
    if (this.waiting[0]?.undo) this.waiting.shift(); // there is no label to undo
    this.#store();
    this.#changed(error.message, { refused: true });
  }

  #changed(problem, details) {
    this.onChange(this.waiting.length, problem, details);
  }

  #store() {
    const kept = this.waiting.filter((request) => request !== this.undoing);
    if (kept.length) this.storage.setJson(this.key, kept);
    else this.storage.remove(this.key);
  }
}
