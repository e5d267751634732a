/* A sentence at the foot of the page, with a button if there is something to undo or to show. */

import { element } from "../shell/dom.js";

const SHOWN = 9000, SHOWN_WITH_BUTTON = 40_000; // milliseconds

export const toast = element("div", { class: "x-toast", role: "status" });
let timer = 0;

export const say = (text, button = null, action = null) => {
  clearTimeout(timer);
  const hide = () => toast.replaceChildren();
  toast.replaceChildren(element("div", { class: "x-toast-in" }, element("span", {}, text),
    button ? element("button", { type: "button", onclick: () => { hide(); action(); } }, button) : null,
    element("button", { type: "button", class: "quiet x-close", "aria-label": "Close", onclick: hide }, "✕")));
  timer = setTimeout(hide, button ? SHOWN_WITH_BUTTON : SHOWN);
};
