/* Suggestions that follow each label: the server's model learns from it, and answers again. */

const MAX_RETRIES = 40; // while the inference process is busy or starting, or images are embedded
const RETRY_DELAY = 15_000; // ms
const FEW_CLASSES = "Suggestions start when there are two classes.";

const milliseconds = (time) => new Promise((done) => setTimeout(done, time));

export class Learning {
  status = ""; // why there are no suggestions yet
  canRetry = false;
  #again = false;
  #asking = null;
  #retries = 0;

  /* `wanted()` returns the ids of images to suggest labels for, `ask(ids)` the server's answer.
     `onChange(answer, ids)` is called when `status` has changed (without arguments) and after an
     answer. `connected()` tells whether the page still shows the task. */
  constructor(task, { wanted, ask, onChange, connected }, wait = milliseconds) {
    Object.assign(this, { task, wanted, ask, onChange, connected, wait });
  }

  /* Learn from the saved labels. Calls during a request become one more request. */
  update() {
    this.#again = true;
    this.#asking ??= this.#askAll();
    return this.#asking;
  }

  async #askAll() {
    while (this.#again) {
      this.#again = false;
      await this.#askOnce();
    }
    this.#asking = null;
  }

  async #askOnce() {
    if (this.task.classes.length < 2) return this.#say(FEW_CLASSES);
    const ids = this.wanted();
    if (ids.length && !this.task.suggestions.size) this.#say("Computing suggestions …");
    try {
      const answer = await this.ask(ids);
      this.#retries = 0;
      this.status = "";
      this.canRetry = false;
      this.onChange(answer, ids);
    } catch (error) {
      this.#say(`Suggestions are not available: ${error.message} You can label without them.`, true);
      if (error.status === 503 && this.#retries++ < MAX_RETRIES) this.#retryLater();
    }
  }

  async #retryLater() {
    await this.wait(RETRY_DELAY);
    if (this.canRetry && this.connected()) this.update();
  }

  #say(status, canRetry = false) {
    Object.assign(this, { status, canRetry });
    this.onChange();
  }
}
