/* The Finetune page: which settings the form shows, and an address that does not undo later choices. */

import { parameters, setParameters } from "../shell/address.js";
import { expose } from "../shell/gradio.js";
import { local } from "../shell/storage.js";

const KEY = "studio-settings";
const SIMPLE = "simple", ALL = "all";

const show = (settings) => {
  document.documentElement.dataset.settings = settings;
  for (const button of document.querySelectorAll("[data-settings]:not(html)"))
    button.setAttribute("aria-pressed", String(button.dataset.settings === settings));
};
document.addEventListener("click", ({ target }) => {
  const button = target.closest("button[data-settings]");
  if (!button) return;
  local.set(KEY, button.dataset.settings);
  show(button.dataset.settings);
});
const opening = parameters().has("clone") ? ALL : local.get(KEY) ?? SIMPLE;
document.addEventListener("studio:shown", () => show(document.documentElement.dataset.settings));
show(opening);

/* The address fills the form once. A reload keeps what the user chose since, which the browser has
   stored: the selection of the address would replace another one, or none. */
const forgetOpening = () => setParameters({ subset: null, clone: null });

expose({ forgetOpening });

/* Gradio's text fields report input when a key is pressed, before the text is there, and not at all
   when text is deleted or pasted. */
document.addEventListener("input", ({ target }) => {
  if (target.matches(".finetune [data-testid=textbox]")) target.dispatchEvent(new KeyboardEvent("keypress"));
});
