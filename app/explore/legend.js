/* The legend below the map. Each entry is a button that hides or shows its images. */

import { element } from "../shell/dom.js";

const SHOWN = 60; // entries; more are in the Filters panel

export const legend = (state, map) => {
  const list = element("div", { class: "x-legend-list" });
  const legend = element("details", { class: "x-legend", open: innerWidth > 720 }, element("summary", {}, "Legend"), list);
  const format = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2));
  let buttons = [];
  let shown = null; // the entries that are shown
  const fill = () => {
    const { entries, ramp } = map.painted;
    if (shown === map.painted) return buttons.forEach((button) => button.update?.());
    shown = map.painted;
    const parts = [];
    if (ramp) parts.push(element("div", { class: "x-ramp" }, element("i", { style: `background:${ramp.css}` }),
      element("span", { class: "num" }, format(ramp.low)), element("small", {}, ramp.title), element("span", { class: "num" }, format(ramp.high))));
    buttons = entries.slice(0, SHOWN).map((entry) => {
      const inner = [element("i", { style: `background:${entry.css}` }), element("span", {}, entry.name), element("small", { class: "num" }, entry.count.toLocaleString("en"))];
      if (!entry.toggle) return element("div", { class: "x-entry" }, inner);
      const button = element("button", { type: "button", class: "x-entry", title: entry.hint,
        onclick: (event) => entry.toggle(event.altKey), ondblclick: () => entry.toggle(true) }, inner);
      button.update = () => button.setAttribute("aria-pressed", !entry.hidden());
      button.update();
      return button;
    });
    parts.push(...buttons);
    if (entries.length > SHOWN) parts.push(element("small", { class: "muted" }, `and ${entries.length - SHOWN} more in the filters`));
    list.replaceChildren(...parts);
  };
  state.on("legend", fill);
  fill();
  return legend;
};
