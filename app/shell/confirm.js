/* Questions of our own instead of the browser's: an accessible dialog that themes, wraps and waits.

   studio.confirm(text, {title, yes, danger}) → Promise<boolean>
   studio.tell(text, title) → Promise, once it has been read
   studio.sure(element) → asks what the element's data-sure says, or what the address in its
   data-sure-from answers ({title, text}); true where there is nothing to ask. */
(() => {
  "use strict";
  const ask = ({ title, text, buttons, danger }) =>
    new Promise((resolve) => {
      const dialog = document.createElement("dialog");
      dialog.className = "ask";
      dialog.setAttribute("role", "alertdialog");
      dialog.setAttribute("aria-labelledby", "ask-title");
      dialog.setAttribute("aria-describedby", "ask-text");
      const head = Object.assign(document.createElement("h2"), { id: "ask-title", textContent: title });
      const words = Object.assign(document.createElement("p"), { id: "ask-text", textContent: text });
      const foot = Object.assign(document.createElement("form"), { method: "dialog", className: "ask-foot" });
      for (const [value, label] of buttons) {
        const button = Object.assign(document.createElement("button"), { value, textContent: label });
        if (value === "yes") button.className = danger ? "danger" : "primary";
        foot.append(button);
      }
      dialog.append(head, words, foot);
      dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close("no"); });
      dialog.addEventListener("close", () => {
        dialog.remove();
        resolve(dialog.returnValue === "yes");
      });
      document.body.append(dialog);
      dialog.showModal(); // keeps the focus within, and gives it back at the end
      foot.firstElementChild.focus(); // the way back comes first: Enter alone destroys nothing
    });
  studio.confirm = (text, { title = "Are you sure?", yes = "Yes, go on", danger = true } = {}) =>
    ask({ title, text, danger, buttons: [["no", "Keep it as it is"], ["yes", yes]] });
  studio.tell = (text, title = "That can't be done now") => ask({ title, text, buttons: [["no", "Close"]] });

  studio.sure = async (element) => {
    const { sure, sureFrom } = element.dataset;
    const own = element.matches("button") ? element.textContent.trim() : "";
    const yes = (element.dataset.yes ?? own) || undefined;
    if (sure) return studio.confirm(sure, { yes });
    if (!sureFrom) return true;
    try {
      const { title, text } = await studio.fetchJson(sureFrom);
      return await studio.confirm(text, { title, yes });
    } catch (error) {
      await studio.tell(error.message);
      return false;
    }
  };
})();
