/* Which columns the list of runs shows. The choice stays in this browser; page.css hides the rest. */

import { element } from "../shell/dom.js";
import { local } from "../shell/storage.js";

const KEY = "studio-run-columns";
const DEFAULT = ["rounds", "started", "duration"];
const root = document.documentElement;

const chosen = () => root.dataset.runColumns.split(" ").filter(Boolean);
const choose = (names) => {
  root.dataset.runColumns = names.join(" ");
};

const switchOf = ({ dataset: { column }, textContent }) => element("label", {},
  element("input", {
    type: "checkbox", checked: chosen().includes(column),
    onchange: ({ target }) => {
      const others = chosen().filter((name) => name !== column);
      choose(target.checked ? [...others, column] : others);
      local.setJson(KEY, chosen());
    },
  }), textContent);

/* A menu closes if the user clicks elsewhere or presses Escape. */
const close = (clicked) => {
  const menu = document.querySelector(".column-choice[open]");
  if (menu && !menu.contains(clicked)) menu.open = false;
};
document.addEventListener("click", ({ target }) => close(target));
document.addEventListener("keydown", ({ key }) => key === "Escape" && close(null));

const stored = local.getJson(KEY);
choose(Array.isArray(stored) ? stored : DEFAULT);
document.addEventListener("studio:shown", () => {
  const place = document.querySelector(".column-choice");
  if (!place || place.children.length) return;
  const names = [...document.querySelectorAll(".runs-head [data-column]")];
  place.append(element("summary", {}, "Columns"), element("div", {}, names.map(switchOf)));
});
