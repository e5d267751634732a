/* While the server does not respond, every page shows a message, waits, and then continues. */

import { element } from "./dom.js";
import { user } from "./context.js";

const RETRY = 1500; // ms between retries while the server does not respond
const SILENCE = 10_000; // ms without a response after which a page checks the server
const request = window.fetch.bind(window);
let lastAnswer = Date.now();
let waiting = null; // resolves when the server is back
let back = 0; // when it last came back
let mustReload = false; // whether a part of the page is missing, which requires a reload
let leaving = false; // whether the page is about to reload automatically

/* Whether the page reloads, or may do so soon, because of the server. */
export const reloading = () => leaving;
export const interrupted = () => Boolean(waiting) || leaving || Date.now() - back < SILENCE;

const reload = () => {
  leaving = true;
  location.reload();
};
const healthy = async () => {
  try {
    return (await request("/healthz", { cache: "no-store", signal: AbortSignal.timeout(5000) })).ok;
  } catch {
    return false;
  }
};
const showBanner = () => {
  const banner = element("div", { class: "away", role: "alert" },
    element("i", { "aria-hidden": "true" }),
    element("span", {}, element("b", {}, "The studio is not responding."),
      " If it was stopped, start it again. This page then continues, and all saved work is kept."));
  document.body.append(banner);
  document.documentElement.classList.add("is-away"); // hides Gradio's notes, which say the same
  dispatchEvent(new Event("studio:away"));
  return banner;
};
const wait = async () => {
  if (!document.body) await new Promise((ready) => addEventListener("DOMContentLoaded", ready));
  const banner = showBanner();
  do await new Promise((later) => setTimeout(later, RETRY));
  while (!(await healthy()));
  lastAnswer = back = Date.now();
  waiting = null;
  if (mustReload || !document.querySelector(".live:not([aria-busy])")) return reload();
  banner.remove();
  document.documentElement.classList.remove("is-away");
  for (const image of document.images)
    if (image.complete && !image.naturalWidth && image.currentSrc) image.src = image.currentSrc;
  dispatchEvent(new Event("studio:back")); // parts of the page request missing data again
};

/* Whether the server answers. If it does not, the page begins to wait for it. With `needed`, a part
   of the page itself failed to load, so the page reloads once the server is back. */
export const answers = async (needed = false) => {
  if (!waiting) {
    if (await healthy()) return true;
    waiting ??= wait();
  }
  mustReload ||= needed;
  return false;
};

/* One request failed although the server responds; its sender retries. */
const retrySoon = async (answering) => {
  if (await answering) setTimeout(() => dispatchEvent(new Event("studio:back")), RETRY);
};

/* Every request passes through here, including Gradio's, because Gradio stops a page whose request fails. */
window.fetch = async (...options) => {
  try {
    const answer = await request(...options);
    if (answer.status < 502) lastAnswer = Date.now(); // otherwise a proxy responded
    if (answer.status === 401 && user()) reload(); // the login has expired: reload, which leads to the login page and back
    return answer;
  } catch (error) {
    if (error.name === "TypeError") { // no response at all
      const fromGradio = String(options[0]?.url ?? options[0]).includes("/gradio_api/");
      leaving ||= fromGradio; // set this now, or Gradio reloads the page itself
      retrySoon(answers(fromGradio));
    }
    throw error;
  }
};
setInterval(() => {
  if (!document.hidden && !waiting && Date.now() - lastAnswer > SILENCE) answers();
}, SILENCE / 2);

/* Parts of the page that failed to load: scripts, styles, and modules that Gradio requests. */
addEventListener("error", ({ target }) => {
  if (["SCRIPT", "LINK", "IMG"].includes(target?.tagName)) answers(target.tagName !== "IMG");
}, true);
addEventListener("unhandledrejection", async (event) => {
  if (!/module/i.test(event.reason?.message ?? "") || event.reason.name !== "TypeError") return;
  event.preventDefault(); // handled here; reported below if the server is not the cause
  if (await answers(true)) reportError(event.reason);
});
