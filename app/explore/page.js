/* The Explore page: filters, grid and map, linked. */

import { setParameters } from "../shell/address.js";
import { element } from "../shell/dom.js";
import { expose } from "../shell/gradio.js";
import { data } from "./early.js";
import { openWorkbench } from "./workbench.js";

const blank = () => element("div", { class: "card x-blank" });
const root = element("div", { class: "live explore", "aria-busy": "true", id: "explore" },
  element("div", { class: "x-body", "aria-hidden": "true" }, blank(), blank(), blank()));

const showMessage = (title, text, link) =>
  root.replaceChildren(element("div", { class: "empty" },
    element("h1", { class: "x-title" }, "Explore"),
    element("h3", {}, title), element("p", {}, text), element("p", {}, link)));

const open = async () => {
  try {
    const given = await data;
    const start = await given.start;
    if (!start.dataset) {
      showMessage("No datasets yet", "Upload images or add the demo dataset. They appear here as a map.",
        element("a", { href: "/", class: "button primary" }, "Go to Data"));
      return;
    }
    setParameters({ dataset: start.dataset.id });
    openWorkbench(root, start, await given.columns, given);
  } catch (error) {
    showMessage("The dataset could not be opened", error.message,
      element("a", { href: "/explore", class: "button" }, "Open the newest dataset"));
  } finally {
    root.removeAttribute("aria-busy");
  }
};

/* The workbench is shown before Gradio has started. Then it moves into Gradio's component, but not
   while a mouse button or a finger is down, because the click would be lost. */
let held = false;
let place = null; // where the workbench moves to
const release = () => {
  held = false;
  setTimeout(() => place && mountExplore(place)); // after the click event, which comes first
};
addEventListener("pointerdown", () => (held = true), true);
for (const name of ["pointerup", "pointercancel"]) addEventListener(name, release, true);
const mountExplore = (host) => {
  place = held ? host : null;
  if (held) return;
  if (host.moveBefore && host.isConnected) {
    host.moveBefore(root, null); // keeps the focus and the scroll positions
    return;
  }
  const scroller = root.querySelector(".x-scroller");
  const [top, focused] = [scroller?.scrollTop, document.activeElement];
  host.append(root);
  if (scroller) scroller.scrollTop = top;
  if (root.contains(focused)) focused.focus({ preventScroll: true });
};

expose({ mountExplore });
document.querySelector("nav.workflow").after(root);
open();
