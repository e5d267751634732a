/* Saved views of a dataset: filters under a name, which this browser keeps. */

import { parameters } from "../shell/address.js";
import { element } from "../shell/dom.js";
import { local } from "../shell/storage.js";

const FILTERS = ["words", "split", "label", "pool"];

const keyOf = (dataset) => `studio-views-${dataset}`;
const stored = (dataset) => local.getJson(keyOf(dataset)) ?? [];

/* The filters of the address, as a query string; "" for none. */
const filters = () => {
  const given = parameters();
  return new URLSearchParams(FILTERS.filter((name) => given.get(name)).map((name) => [name, given.get(name)])).toString();
};

const draw = (place) => {
  const { dataset } = place.dataset;
  const current = filters();
  const views = stored(dataset);
  const keep = (changed) => {
    local.setJson(keyOf(dataset), changed);
    draw(place);
  };
  const chips = views.map(({ name, query }) => element("span", { class: "saved-view" },
    element("a", { href: `/?dataset=${dataset}&${query}`, "data-go": "", "aria-current": query === current ? "true" : null }, name),
    element("button", { type: "button", "aria-label": `Delete the view ${name}`, onclick: () => keep(views.filter((one) => one.name !== name)) }, "✕")));
  const field = element("input", { type: "text", maxlength: 60, required: true, placeholder: "Name of this view", "aria-label": "Name of this view" });
  const form = element("form", { onsubmit: (event) => {
    event.preventDefault();
    const name = field.value.trim();
    if (name) keep([...views.filter((one) => one.name !== name), { name, query: current }]);
  } }, field, element("button", { type: "submit" }, "Save view"));
  const isNew = current && !views.some(({ query }) => query === current);
  place.replaceChildren(...chips, ...(isNew ? [form] : []));
};

document.addEventListener("studio:shown", ({ target }) => {
  for (const place of target.querySelectorAll(".saved-views")) {
    const now = `${place.dataset.dataset} ${filters()}`;
    if (place.shown !== now) draw(place); // what is being typed stays
    place.shown = now;
  }
});
