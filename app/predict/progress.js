/* A progress bar without numbers, and an error message in its place. */

import { element } from "../shell/dom.js";

export const NO_ANSWER = "The studio is not responding. Check that it is running, then try again.";

/* Show progress in `place`. `say` changes its words, `stop` stops counting seconds. */
export const showProgress = (place, text) => {
  const started = Date.now();
  const words = element("span", {}, text);
  const seconds = element("span", { class: "num" });
  const bar = element("progress", { "aria-label": text });
  place.replaceChildren(element("div", { class: "progress" },
    element("div", { class: "progress-words" }, words, seconds), bar));
  const timer = setInterval(() => {
    const passed = Math.round((Date.now() - started) / 1000);
    if (passed > 1) seconds.textContent = `${passed} s`;
  }, 500);
  return { say: (now) => (words.textContent = now), stop: () => clearInterval(timer) };
};

export const showError = (place, message) =>
  place.replaceChildren(element("p", { class: "notice notice-error", role: "alert" }, message));
