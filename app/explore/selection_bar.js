/* What can be done with the selected images: save them as a subset, label them, exclude them. */

import { element } from "../shell/dom.js";
import { count } from "../shell/words.js";
import { change, post } from "./changes.js";
import { say } from "./toast.js";

const saveSubset = async (state, name) => {
  const rows = state.targets();
  const { subset } = await post(state, "subset", { name, ids: state.idsOf(rows) });
  state.subsets = [{ id: subset, name, kind: "subset", images: rows.length }, ...state.subsets];
  state.emit("subsets");
  say(`${count(rows.length, "image")} saved as “${name}”.`, "Show selection", async () => {
    state.region = null;
    state.select([], false, true);
    state.filter({ subset: { id: subset, name, rows: state.flags(rows) } });
  });
};

/* A small dialog with one field. */
const ask = (host, title, label, button, field, act, ...more) => {
  const problem = element("p", { class: "notice notice-error", role: "alert", hidden: true });
  const submit = async (event) => {
    event.preventDefault();
    try {
      await act(field.value.trim());
      dialog.close();
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
  };
  const dialog = element("dialog", { class: "x-dialog", onclose: () => dialog.remove() },
    element("form", { method: "dialog", class: "x-stack", onsubmit: submit },
      element("h2", {}, title),
      element("label", { class: "x-field" }, element("span", {}, label), field), problem,
      element("div", { class: "x-row" }, element("button", { type: "submit", class: "primary" }, button),
        element("button", { type: "button", onclick: () => dialog.close() }, "Cancel")), more));
  host.append(dialog);
  dialog.showModal();
  field.focus();
};
const askSubset = (state, host) => {
  const field = element("input", { type: "text", class: "x-input", required: true, maxlength: 200 });
  ask(host, `Save ${count(state.targets().length, "image")} as a selection`, "Selection name", "Save selection", field,
    (name) => saveSubset(state, name));
};
const askLabel = (state, host) => {
  const names = element("datalist", { id: "x-class-names" }, state.classes.map((name) => element("option", { value: name })));
  const field = element("input", { type: "text", class: "x-input", required: true, list: "x-class-names", autocomplete: "off" });
  ask(host, `Label ${count(state.targets().length, "image")}`, "Class (an existing or a new one)", "Set label", field,
    (name) => change(state, "label", state.targets(), null, name), names);
};

export const selectionBar = (state) => {
  const text = element("b", {});
  // Only images of the train split (0) are in the pool.
  const areOut = () => {
    const rows = state.targets().filter((row) => state.excluded[row] || !state.splits[row]);
    return rows.length > 0 && rows.every((row) => state.excluded[row]);
  };
  const exclude = element("button", { type: "button", onclick: () => change(state, "excluded", state.targets(), !areOut()) });
  const clear = () => {
    state.select([], false, true);
    if (state.region) state.setRegion(null);
  };
  const button = (label, kind, act) => element("button", { type: "button", class: kind, onclick: act }, label);
  const bar = element("div", { class: "x-actions", role: "region", "aria-label": "Actions for the selected images", hidden: true }, text,
    element("span", { class: "x-row" },
      button("Save selection…", "primary", () => askSubset(state, bar.closest("#explore"))),
      button("Set label…", null, () => askLabel(state, bar.closest("#explore"))), exclude, button("Clear", "quiet", clear)));
  const update = () => {
    const rows = state.targets();
    bar.hidden = !rows.length;
    if (!rows.length) return;
    text.textContent = `${rows.length.toLocaleString("en")} selected`;
    exclude.textContent = areOut() ? "Include in the pool" : "Exclude from the pool";
  };
  state.on("selection order columns", update);
  update();
  return bar;
};
