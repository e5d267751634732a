/* Actions are sent one at a time. Gradio drops an event that arrives before the previous one is
   answered, so each waits until the page's handlers confirm the previous one (components/live.py).
   A field's value stays in `unsaved` until it is confirmed. A change that did not arrive is sent again, less
   and less often while the server answers. */

import { answers } from "./connection.js";

const [FIRST_PAUSE, LONGEST_PAUSE] = [2000, 60_000]; // ms until a change is sent again
const waiting = []; // of {send, key, query, button} or {send, key, query, field, value}
const failed = [];
let sent = null;
let pause = FIRST_PAUSE;

/* Field → its value, which the server may not have yet. */
export const unsaved = new Map();

/* Whether an action or a change of a field is not confirmed yet. */
export const pending = () => Boolean(sent || unsaved.size);

const retryLater = () => {
  setTimeout(async () => {
    if (failed.length && await answers()) dispatchEvent(new Event("studio:back"));
  }, pause);
  pause = Math.min(2 * pause, LONGEST_PAUSE);
};
const sendNext = () => {
  if (!sent) (sent = waiting.shift())?.send();
};

/* Send the event "act" with `data` through Gradio's `trigger`. `about` names the `button` that shows
   progress, or the `field` whose `value` is saved. */
export const act = (trigger, data, about = {}) => {
  const query = location.search; // the current one, because the address may change before the action is sent
  const whole = { ...data, query };
  const key = JSON.stringify(whole);
  if (about.field) unsaved.set(about.field, about.value);
  else if ([sent, ...waiting].some((one) => one?.key === key)) return; // a double click
  about.button?.setAttribute("aria-busy", "true");
  waiting.push({ send: () => trigger("act", whole), key, query, ...about });
  sendNext();
};

/* The page's handler has answered, or failed where `well` is false. */
export const answered = (well) => {
  const { field, value, button, query = location.search } = sent ?? {};
  button?.removeAttribute("aria-busy");
  if (well) pause = FIRST_PAUSE;
  if (field && !well) {
    failed.push(sent);
    retryLater();
  } else if (unsaved.get(field) === value) unsaved.delete(field);
  sent = null;
  dispatchEvent(new CustomEvent("studio:answered", { detail: { field, well } }));
  if (query !== location.search) dispatchEvent(new Event("studio:go")); // the answer shows the old address
  sendNext();
};

addEventListener("studio:back", () => {
  waiting.push(...failed.splice(0).filter(({ field, value }) => unsaved.get(field) === value));
  sendNext();
});
