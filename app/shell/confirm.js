/* Questions before an action: an accessible dialog in place of the browser's own. */

import { element } from "./dom.js";
import { fetchJson } from "./http.js";

const ask = ({ title, text, buttons, danger }) =>
  new Promise((resolve) => {
    const foot = element("form", { method: "dialog", class: "ask-foot" },
      buttons.map(([value, label]) => element("button",
        { value, class: value === "yes" ? (danger ? "danger" : "primary") : null }, label)));
    const dialog = element("dialog", {
      class: "ask", role: "alertdialog", "aria-labelledby": "ask-title", "aria-describedby": "ask-text",
      onclick: (event) => { if (event.target === dialog) dialog.close("no"); },
      onclose: () => {
        dialog.remove();
        resolve(dialog.returnValue === "yes");
      },
    }, element("h2", { id: "ask-title" }, title), element("p", { id: "ask-text" }, text), foot);
    document.body.append(dialog);
    dialog.showModal(); // keeps the focus inside, and restores it when it closes
    foot.firstElementChild.focus(); // "Cancel" comes first, so Enter alone deletes nothing
  });

/* Ask; returns whether the user pressed the button `yes`. */
export const confirm = (text, { title = "Are you sure?", yes = "Continue", no = "Cancel", danger = true } = {}) =>
  ask({ title, text, danger, buttons: [["no", no], ["yes", yes]] });

/* Show a message; resolves once it is closed. */
export const tell = (text, title = "Not possible now") => ask({ title, text, buttons: [["no", "Close"]] });

/* Ask the question in an element's data-sure, or what the address in its data-sure-from answers
   ({title, text}); true where there is nothing to ask. data-yes and data-no name the buttons. */
export const confirmed = async (button) => {
  const { sure, sureFrom, no } = button.dataset;
  const own = button.matches("button") ? button.textContent.trim() : "";
  const yes = (button.dataset.yes ?? own) || undefined;
  if (sure) return confirm(sure, { yes, no });
  if (!sureFrom) return true;
  try {
    const { title, text } = await fetchJson(sureFrom);
    return await confirm(text, { title, yes, no });
  } catch (error) {
    await tell(error.message);
    return false;
  }
};
