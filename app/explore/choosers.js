/* Selects and tabs of the workbench. */

import { element } from "../shell/dom.js";

/* A select whose options depend on the loaded data: `fill(options, value)` sets them. */
export const chooser = (label, choose) => {
  const select = element("select", { "aria-label": label, onchange: () => choose(select.value) });
  let key = "";
  select.fill = (options, value) => {
    const now = JSON.stringify(options);
    if (key !== now) select.replaceChildren(...options.map(([name, text]) => element("option", { value: name }, text)));
    key = now;
    select.value = value;
    select.title = select.selectedOptions[0]?.textContent ?? ""; // a long one may be cut
  };
  return select;
};

/* Tabs from [name, text] entries; `mark(name)` shows which one is open. */
export const tabs = (label, entries, choose) => {
  const buttons = entries.map(([name, text]) => element("button",
    { type: "button", role: "tab", "data-name": name, onclick: () => choose(name) }, text));
  const bar = element("div", { class: "x-tabs", role: "tablist", "aria-label": label }, buttons);
  bar.mark = (name) => buttons.forEach((button) => button.setAttribute("aria-selected", button.dataset.name === name));
  return bar;
};
