/* A small image that is a button: a click pins it, and the map marks it under the pointer. */

import { element } from "../shell/dom.js";
import { pin } from "./pin.js";

export const thumbnail = (state, row, text = null) =>
  element("button", {
    type: "button", class: "x-small", title: `${state.label(row)}${text ? ` · ${text}` : ""}`,
    "aria-label": `Show image ${state.ids[row]}, ${state.label(row)}`,
    onclick: () => pin(state, row), onpointerenter: () => state.hover(row), onpointerleave: () => state.hover(-1),
  },
  element("img", { src: state.thumb(row), alt: "", loading: "lazy" }),
  text ? element("small", { class: "num" }, text) : null);
