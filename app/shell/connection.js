/* While the server does not answer, every page says so, waits, and continues by itself. */

import { element } from "./dom.js";
import { user } from "./context.js";

const RETRY = 1500; // ms between questions while the server is away
const SILENCE = 10_000; // ms without an answer after which a page asks whether the server is there
const request = window.fetch.bind(window);
let lastAnswer = Date.now();
let waiting = null; // resolves when the server is back
let back = 0; // when it last came back
let mustReload = false; // whether the page lacks a part that only a reload brings
let leaving = false; // whether the page is about to reload without the user's doing

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
  dispatchEvent(new Event("studio:back")); // parts of the page ask again for what they lack
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

/* One request failed although the server answers: its sender tries again. */
const retrySoon = async (answering) => {
  if (await answering) setTimeout(() => dispatchEvent(new Event("studio:back")), RETRY);
};

/* Every request passes here, Gradio's too: Gradio gives up on a page whose request fails. */
window.fetch = async (...options) => {
  try {
    const answer = await request(...options);
    if (answer.status < 502) lastAnswer = Date.now(); // else a proxy answered
    if (answer.status === 401 && user()) reload(); // the login has expired: log in, and come back
    return answer;
  } catch (error) {
    if (error.name === "TypeError") { // no answer at all
      const fromGradio = String(options[0]?.url ?? options[0]).includes("/gradio_api/");
      leaving ||= fromGradio; // at once, or Gradio itself reloads the page
      retrySoon(answers(fromGradio));
    }
    throw error;
  }
};
setInterval(() => {
  if (!document.hidden && !waiting && Date.now() - lastAnswer > SILENCE) answers();
}, SILENCE / 2);

/* Parts of the page that did not arrive: scripts and styles, and modules that Gradio asks for. */
addEventListener("error", ({ target }) => {
  if (["SCRIPT", "LINK", "IMG"].includes(target?.tagName)) answers(target.tagName !== "IMG");
}, true);
addEventListener("unhandledrejection", async (event) => {
  if (!/module/i.test(event.reason?.message ?? "") || event.reason.name !== "TypeError") return;
  event.preventDefault(); // handled here; reported below where the server is not the cause
  if (await answers(true)) reportError(event.reason);
});
