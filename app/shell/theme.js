/* Light and dark. Gradio follows the system setting; the choice of the user overrides it. */

import { local } from "./storage.js";

const KEY = "studio-theme"; // first_paint.js reads it, too
const system = matchMedia("(prefers-color-scheme: dark)");

export const isDark = () => (local.get(KEY) ?? (system.matches ? "dark" : "light")) === "dark";

const apply = () => {
  const dark = isDark();
  document.documentElement.classList.toggle("dark", dark);
  document.documentElement.style.colorScheme = dark ? "dark" : "light";
  if (document.body.classList.contains("dark") !== dark) document.body.classList.toggle("dark", dark);
};

/* Apply at once: colors that fade would be unreadable halfway. Drawings listen to "studio:theme". */
const repaint = () => {
  const root = document.documentElement;
  root.classList.add("repainting");
  apply();
  void root.offsetWidth; // applies the new colors while transitions are off
  root.classList.remove("repainting");
  document.dispatchEvent(new Event("studio:theme"));
};

export const switchTheme = () => {
  local.set(KEY, isDark() ? "light" : "dark");
  repaint();
};

system.addEventListener("change", repaint);
new MutationObserver(apply).observe(document.body, { attributeFilter: ["class"] });
apply();
