/* A short tour along the navigation bar. It is offered once, on the first start; "?" starts it again. */

import { context } from "./context.js";
import { element } from "./dom.js";
import { themeButton } from "./navigation.js";
import { local } from "./storage.js";

const KEY = "studio-tour";
const KEYS = { ArrowRight: 1, ArrowLeft: -1 };
const steps = context().pages.filter((page) => page.tour);
let at = 0; // the step that is shown

const title = element("h2", { id: "tour-title" });
const words = element("p", { id: "tour-words" });
const number = element("span", { class: "muted num tour-count" });
const link = element("a", {}, "Open page");
const back = element("button", { type: "button", onclick: () => move(-1) }, "Back");
const next = element("button", { type: "button", class: "primary", onclick: () => move(1) });
const box = element("div", {
  class: "tour", role: "dialog", "aria-labelledby": "tour-title", "aria-describedby": "tour-words",
  onkeydown: (event) => {
    if (event.key === "Escape") finish();
    const step = KEYS[event.key];
    if (step && at + step < steps.length) move(step);
  },
}, title, words, element("div", { class: "tour-bar" }, number, link, element("span", { class: "grow" }),
  back, next, element("button",
    { type: "button", class: "tour-close", "aria-label": "Close the tour", onclick: () => finish() }, "×")));
const help = element("button", {
  type: "button", class: "help", title: "Take the tour", "aria-label": "Take the tour",
  onclick: () => start(),
}, "?");
const offer = element("aside", { class: "tour-offer", "aria-label": "Take the tour" },
  element("p", {}, element("b", {}, "New here?"), " Take a one-minute tour."),
  element("button", { type: "button", class: "primary", onclick: () => start() }, "Start tour"),
  element("button", { type: "button", class: "quiet", onclick: () => dismiss() }, "No, thanks"));

const dismiss = () => {
  local.set(KEY, "seen");
  offer.remove();
};
const toured = () => document.querySelector(`.bar nav a[href="${steps[at].path}"]`);
const unmark = () =>
  document.querySelectorAll(".bar .toured").forEach((one) => one.classList.remove("toured"));
const place = () => {
  const below = toured().getBoundingClientRect();
  box.style.left = `${Math.min(Math.max(12, below.left), innerWidth - box.offsetWidth - 12)}px`;
  box.style.top = `${below.bottom + 10}px`;
};
const show = () => {
  const page = steps[at];
  unmark();
  toured().classList.add("toured");
  toured().scrollIntoView({ block: "nearest", inline: "center" });
  title.textContent = page.name;
  words.textContent = page.tour;
  number.textContent = `${at + 1} of ${steps.length}`;
  back.disabled = at === 0;
  next.textContent = at + 1 < steps.length ? "Next" : "Done";
  link.href = page.path;
  place();
  next.focus();
};
const start = () => {
  dismiss();
  at = 0;
  document.body.append(box);
  show();
};
const move = (step) => {
  if (at + step >= steps.length) return finish();
  at = Math.max(0, at + step);
  show();
};
const finish = () => {
  box.remove();
  unmark();
  help.focus();
};

addEventListener("resize", () => box.isConnected && place());
themeButton.before(help);
const isStart = location.pathname === "/"; // the first page that a new user sees
if (isStart && !local.get(KEY) && local.available()) document.body.append(offer);
