/* While the server is away: every page says so, waits, and goes on by itself. */
(() => {
  "use strict";
  const AGAIN = 1500; // ms between questions while it is away
  const STILL = 10000; // ms without an answer after which a page asks whether it is still there
  const KEY = "studio-unsent";
  const ask = window.fetch.bind(window);
  let heard = Date.now(); // when the server last answered
  let waiting = null; // resolves when the server is back
  let back = 0; // when it last came back
  let anew = false; // whether the page lacks something that only loading it anew brings
  let leaving = false; // whether it is about to be loaded anew, without the user's doing

  const user = () => document.querySelector('meta[name="studio-user"]')?.content;
  const renew = () => {
    leaving = true;
    location.reload();
  };
  const healthy = async () => {
    try {
      return (await ask("/healthz", { cache: "no-store", signal: AbortSignal.timeout(5000) })).ok;
    } catch { return false; }
  };
  const banner = () => {
    const said = document.createElement("div");
    said.className = "away";
    said.setAttribute("role", "alert");
    said.innerHTML =
      `<i aria-hidden="true"></i><span><b>The studio is not answering.</b> If it was stopped, start ` +
      `it again: this page then goes on by itself, and nothing that was saved is lost.</span>`;
    document.body.append(said);
    document.documentElement.classList.add("is-away"); // Gradio's own notes only repeat it
    dispatchEvent(new Event("studio:away"));
    return said;
  };
  const wait = async () => {
    if (!document.body) await new Promise((ready) => addEventListener("DOMContentLoaded", ready));
    const said = banner();
    do await new Promise((later) => setTimeout(later, AGAIN));
    while (!(await healthy()));
    heard = back = Date.now();
    waiting = null;
    if (anew || !document.querySelector(".live:not([aria-busy])")) return renew();
    said.remove();
    document.documentElement.classList.remove("is-away");
    for (const image of document.images)
      if (image.complete && !image.naturalWidth && image.currentSrc) image.src = image.currentSrc;
    dispatchEvent(new Event("studio:back")); // parts of the page ask again for what they lack
  };

  /* Whether the server answers; where it does not, the page has begun to wait for it. With
     `needed`, what failed is a part of the page, which is then loaded anew. */
  studio.answers = async (needed = false) => {
    if (!waiting) {
      if (await healthy()) return true;
      waiting ??= wait();
    }
    anew ||= needed;
    return false;
  };

  /* Where the server answers after all, it was this request alone that failed. */
  const again = async (answers) => {
    if (await answers) setTimeout(() => dispatchEvent(new Event("studio:back")), AGAIN);
  };

  /* Every request passes here, Gradio's too. Gradio gives up on a page that it can't ask for. */
  window.fetch = async (...request) => {
    try {
      const answer = await ask(...request);
      if (answer.status < 502) heard = Date.now(); // else it was a proxy's answer
      if (answer.status === 401 && user())
        renew(); // the login has ended: it leads to a new one, and back here
      return answer;
    } catch (error) {
      if (error.name === "TypeError") { // no answer at all
        const gradios = String(request[0]?.url ?? request[0]).includes("/gradio_api/");
        leaving ||= gradios; // at once, or else Gradio itself loads the page anew
        again(studio.answers(gradios));
      }
      throw error;
    }
  };
  setInterval(() => {
    if (!document.hidden && !waiting && Date.now() - heard > STILL) studio.answers();
  }, STILL / 2);

  /* Parts of the page that did not arrive: scripts and styles, and modules that Gradio asks for. */
  addEventListener("error", ({ target }) => {
    if (["SCRIPT", "LINK", "IMG"].includes(target?.tagName)) studio.answers(target.tagName !== "IMG");
  }, true);
  addEventListener("unhandledrejection", async (event) => {
    if (!/module/i.test(event.reason?.message ?? "") || event.reason.name !== "TypeError") return;
    event.preventDefault(); // it is dealt with here, or else reported as it would have been
    if (await studio.answers(true)) reportError(event.reason);
  });

  /* What was typed and not sent outlives the page's being loaded anew, by us or by Gradio. */
  const fields = () => [...document.querySelectorAll("main .live :is(form [name], [data-change])")]
    .filter((field) => field.matches("input, textarea, select") && !field.matches("[data-jump]")
      && !["file", "hidden", "password"].includes(field.type));
  const which = ({ name, dataset: { change, sample, number } }) => [name, change, sample, number].join(" ");
  const changed = (field) => {
    if (field.matches("[type=checkbox], [type=radio]"))
      return field.checked !== field.defaultChecked && { checked: field.checked };
    if (field.options) return !field.selectedOptions[0]?.defaultSelected && { value: field.value };
    return field.value !== field.defaultValue && { value: field.value };
  };
  const keep = () => {
    const typed = fields().flatMap((field, place) => {
      const now = changed(field);
      return now ? [{ place, name: which(field), now }] : [];
    });
    try {
      const kept = { at: location.href, whose: user(), typed }; // another's login must not send it
      if (typed.length) sessionStorage.setItem(KEY, JSON.stringify(kept));
    } catch { /* a private window: not kept */ }
  };
  addEventListener("pagehide", () => {
    if (waiting || leaving || studio.unsaved.size || Date.now() - back < STILL) keep();
  });
  addEventListener("beforeunload", (event) => { // what is on its way, or in line behind it, is lost
    if (studio.pending() && !leaving) event.preventDefault();
  });
  let kept = null;
  try {
    kept = JSON.parse(sessionStorage.getItem(KEY));
    sessionStorage.removeItem(KEY);
  } catch { /* a private window: nothing was kept */ }
  document.addEventListener("studio:shown", () => {
    const found = fields();
    if (!kept || !found.length) return;
    const { at, whose, typed } = kept;
    kept = null;
    if (at !== location.href || whose !== user()) return;
    for (const { place, name, now } of typed) {
      const field = [found[place], ...found].find((one) => one && which(one) === name);
      if (!field) continue;
      Object.assign(field, now);
      for (const type of ["input", "change"]) field.dispatchEvent(new Event(type, { bubbles: true }));
    }
  });
})();
