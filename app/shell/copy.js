/* Copy buttons: [data-copy] holds the text. An update may redraw a button while it says "Copied". */

import { element } from "./dom.js";

const SHOWN = 3000; // ms that the result is shown
const results = new Map(); // text → what its button says

const label = (button) => {
  const words = results.get(button.dataset.copy) ?? "Copy";
  if (button.textContent !== words) button.textContent = words;
};
const labelAll = () => document.querySelectorAll("[data-copy]").forEach(label);
const redrawn = new MutationObserver(labelAll);

/* Put text on the clipboard; returns whether that worked. Without HTTPS, browsers offer
   `navigator.clipboard` on this machine only. */
export const copy = async (text) => {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = element("textarea", { readonly: true, value: text });
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
};

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = button.dataset.copy;
  results.set(text, (await copy(text)) ? "Copied" : "Select it and press Ctrl+C");
  labelAll();
  redrawn.observe(document.body, { childList: true, subtree: true });
  setTimeout(() => {
    results.delete(text);
    labelAll();
    if (!results.size) redrawn.disconnect();
  }, SHOWN);
});
