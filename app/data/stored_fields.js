/* Fields with data-stored show the server's value unless they hold an unsaved change. A field whose
   change did not reach the server says so. */

import { unsaved } from "../shell/actions.js";
import { element } from "../shell/dom.js";

const MESSAGE = "Not saved yet. The page retries when the studio responds.";
const failed = new Map(); // field → its message

const update = (root) => {
  for (const field of root.querySelectorAll("[data-stored]"))
    if (field !== document.activeElement && !unsaved.has(field) && field.value !== field.dataset.stored)
      field.value = field.dataset.stored; // differs after an undo, a change in another tab or a refused value
  for (const [field, message] of failed) {
    if (unsaved.has(field)) {
      field.setAttribute("aria-invalid", "true");
      field.parentElement?.append(message); // appended last, so that patching keeps it
    } else {
      failed.delete(field);
      field.removeAttribute("aria-invalid");
      message.remove();
    }
  }
};

const report = (fields) => {
  for (const field of fields)
    if (!failed.has(field)) failed.set(field, element("small", {}, MESSAGE));
  update(document);
};

addEventListener("studio:away", () => report(unsaved.keys()));
addEventListener("studio:answered", ({ detail: { field, well } }) => {
  if (field) report(well ? [] : [field]);
});
document.addEventListener("studio:shown", ({ target }) => update(target));
