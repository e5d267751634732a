/* The bar at the top: the pages, light and dark, who is logged in. It is shown before Gradio has
   started, so that changing pages does not flicker. So is an outline of the page, until the page's
   first content has arrived. */

import { context, user } from "./context.js";
import { element, icon } from "./dom.js";
import { lastDataset, rememberDataset } from "./last_dataset.js";
import { switchTheme } from "./theme.js";

const WITHOUT_DATASET = ["/", "/runs"];

const path = location.pathname.replace(/\/+$/, "") || "/";
const { pages, logo } = context();
const page = pages.find((one) => one.path === path);

const current = (one) => (one === page ? "page" : one.path === page?.under ? "true" : null);
const skip = (event) => {
  event.preventDefault();
  const title = document.querySelector("main h1");
  title?.setAttribute("tabindex", "-1");
  title?.focus();
};
const followDataset = (event) => {
  const link = event.target.closest("a");
  const dataset = lastDataset();
  if (link && dataset && !WITHOUT_DATASET.includes(link.pathname)) link.search = `?dataset=${dataset}`;
};
const account = (name) => element("form", { class: "who", method: "post", action: "/logout", title: name },
  element("span", {}, element("span", { class: "unseen" }, "Logged in as "), element("b", {}, name)),
  element("button", { type: "submit", class: "quiet" }, "Log out"));

/* The switch between light and dark; the tour's button stands before it. */
export const themeButton = element("button", {
  type: "button", class: "theme", title: "Light or dark",
  "aria-label": "Switch between light and dark", onclick: switchTheme,
}, element("span", { "aria-hidden": "true" }));

const bar = element("header", { class: "bar" },
  element("a", { class: "skip", href: "#main", onclick: skip }, "Skip to content"),
  element("a", { class: "brand", href: "/", "aria-label": "VeCAF Studio" },
    element("img", { src: logo, alt: "", width: 24, height: 24 }),
    element("span", {}, "VeCAF ", element("b", {}, "Studio"))),
  element("nav", { "aria-label": "Pages", onclick: followDataset },
    pages.filter((one) => !one.under).map((one) =>
      element("a", { href: one.path, "aria-current": current(one) }, icon(one.icon), element("span", {}, one.name)))),
  themeButton, user() ? account(user()) : null);

rememberDataset();
addEventListener("studio:go", rememberDataset);
document.body.prepend(bar);

const OUTLINE = 10_000; // ms after which the page is shown even if nothing has arrived
const box = (kind) => element("i", { class: kind });
const outline = element("div", { class: "outline", "aria-hidden": "true" },
  element("b", {}, page?.name ?? ""), box("line"), box("wide"),
  element("div", {}, box("tile"), box("tile"), box("tile"), box("tile")));
const reveal = () => outline.remove();
bar.after(outline);
document.addEventListener("studio:shown", reveal, { once: true });
setTimeout(reveal, OUTLINE);

if (page) // Gradio gives every page the same title, once it has started
  new MutationObserver(() => {
    const title = `${page.name} · VeCAF Studio`;
    if (document.title !== title) document.title = title;
  }).observe(document.head, { childList: true, subtree: true, characterData: true });
