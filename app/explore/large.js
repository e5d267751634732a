/* The large image: a dialog that walks through the images of the grid, in its order. */

import { element } from "../shell/dom.js";
import { facts } from "./facts.js";
import { pin } from "./pin.js";

const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 };

/* Pin the image that comes `by` places after the pinned one in the grid. */
export const step = (state, by) => {
  const at = state.order.indexOf(state.pinned);
  const next = state.order[at < 0 ? 0 : at + by];
  if (next !== undefined) pin(state, next, "replace");
};
/* The step of an arrow key outside of fields; 0 for other keys. */
export const stepOf = (event) =>
  (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey ? 0 : STEPS[event.key] ?? 0);

/* Show the pinned image large. */
export const showLarge = (state) => {
  const image = element("img", { alt: "" });
  const caption = element("figcaption");
  const place = element("span", { class: "muted num" });
  const button = (text, label, act) => element("button", { type: "button", "aria-label": label, onclick: act }, text);
  const dialog = element("dialog", {
    class: "lightbox", "aria-label": "Image",
    onclick: (event) => { if (event.target === dialog) dialog.close(); },
    onclose: () => dialog.remove(),
    onkeydown: (event) => {
      const by = stepOf(event);
      if (!by) return;
      event.preventDefault();
      event.stopPropagation();
      step(state, by);
    },
  },
  element("figure", {}, element("div", { class: "lightbox-frame" }, image), caption),
  element("div", { class: "lightbox-bar" }, button("←", "Previous image", () => step(state, -1)),
    button("→", "Next image", () => step(state, 1)), place, element("span", { class: "grow" }),
    element("button", { type: "button", onclick: () => dialog.close() }, "Close")));
  const show = async () => {
    const row = state.pinned;
    if (!dialog.isConnected || row < 0) return;
    const known = await facts(state, row).catch(() => null);
    if (row !== state.pinned || !known) return;
    image.src = known.image;
    image.alt = known.caption ?? known.file_name;
    caption.replaceChildren(element("b", {}, state.label(row)), element("span", {}, known.caption ?? ""),
      element("span", {}, known.file_name));
    place.textContent = `${(state.order.indexOf(row) + 1).toLocaleString("en")} of ${state.order.length.toLocaleString("en")}`;
  };
  state.on("pin", show);
  document.body.append(dialog);
  dialog.showModal();
  show();
};
