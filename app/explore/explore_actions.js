/* What can be done with images: name them, label them, leave them out of the pool; with undo. */
(() => {
  "use strict";
  const { el } = studio.explore;
  const explore = studio.explore;
  const SAID = 9000, OFFERED = 40_000; // milliseconds: what can be taken back stays for longer

  /* A sentence at the foot of the page, with a button where there is something to take back. */
  explore.say = (words, button = null, action = null) => {
    const bar = explore.toast;
    clearTimeout(bar.timer);
    const hide = () => bar.replaceChildren();
    bar.replaceChildren(el("div", { class: "x-toast-in" }, el("span", {}, words),
      button ? el("button", { type: "button", onclick: () => { hide(); action(); } }, button) : null,
      el("button", { type: "button", class: "quiet x-close", "aria-label": "Close", onclick: hide }, "✕")));
    bar.timer = setTimeout(hide, button ? OFFERED : SAID);
  };

  const post = (state, name, body) => studio.fetchJson(`/explore/${state.dataset.id}/${name}`, body);
  const done = {
    label: (count, value, state) => `${explore.count(count, "image")} labelled ${value === null ? "as nothing" : `“${state.className(value)}”`}.`,
    caption: (count) => `Caption of ${explore.count(count, "image")} changed.`,
    excluded: (count, value) => (value ? `${explore.count(count, "image")} excluded from the pool.` : `${explore.count(count, "image")} put back into the pool.`),
  };

  /* Change labels, captions or exclusions of rows; the page follows at once, undo is offered.
     Whether it went well. */
  explore.change = async (state, kind, rows, value, name = null) => {
    try {
      const body = { ids: state.idsOf(rows) };
      if (name) body.name = name;
      else body[kind] = value;
      const answer = await post(state, kind, body);
      await explore.reload(state, true);
      if (!answer.images) explore.say("Nothing to change: it is so already.");
      else explore.say(done[kind](answer.images, answer.value, state), "Undo", () => undo(state, answer.edit));
      return true;
    } catch (error) {
      explore.say(error.message);
      state.emit("columns"); // fields show again what is stored
      return false;
    }
  };
  const undo = async (state, edit) => {
    try {
      const { images, since } = await post(state, "undo", { edit });
      await explore.reload(state, true);
      explore.say(`Undone: ${explore.count(images, "image")} as before.` +
        (since ? ` ${explore.count(since, "image")} had been changed since and ${since === 1 ? "stays as it is" : "stay as they are"}.` : ""));
    } catch (error) {
      explore.say(error.message);
    }
  };

  /* Read the columns again after a change, here or in another tab. */
  explore.reload = async (state, changed = false) => {
    const columns = await studio.fetchBundle(`/explore/${state.dataset.id}/columns.bin`);
    if (columns.meta.revision === state.revision && !changed) return;
    state.take(columns);
    const hidden = new Uint8Array(state.classes.length + 1); // a new class is shown
    hidden.set(state.filters.hiddenClasses.subarray(0, hidden.length));
    state.filters.hiddenClasses = hidden;
    state.emit("columns");
    state.refilter();
  };

  const saveSubset = async (state, name) => {
    const rows = state.targets();
    const { subset } = await post(state, "subset", { name, ids: state.idsOf(rows) });
    state.subsets = [{ id: subset, name, kind: "subset", images: rows.length }, ...state.subsets];
    state.emit("subsets");
    explore.say(`${explore.count(rows.length, "image")} saved as “${name}”.`, "Show it", async () => {
      state.region = null;
      state.select([], false, true);
      state.filter({ subset: { id: subset, name, rows: state.flags(rows) } });
    });
  };

  /* A small dialog with one field. */
  const ask = (title, label, button, field, act) => {
    const problem = el("p", { class: "notice notice-error", role: "alert", hidden: true });
    const dialog = el("dialog", { class: "x-dialog", onclose: () => dialog.remove() },
      el("form", { method: "dialog", class: "x-stack", onsubmit: async (event) => {
        event.preventDefault();
        try {
          await act(field.value.trim());
          dialog.close();
        } catch (error) {
          problem.textContent = error.message;
          problem.hidden = false;
        }
      } }, el("h2", {}, title), el("label", { class: "x-field" }, el("span", {}, label), field), problem,
        el("div", { class: "x-row" }, el("button", { type: "submit", class: "primary" }, button),
          el("button", { type: "button", onclick: () => dialog.close() }, "Cancel"))));
    explore.root.append(dialog);
    dialog.showModal();
    field.focus();
  };
  const askSubset = (state) => {
    const field = el("input", { type: "text", class: "x-input", required: true, maxlength: 200 });
    ask(`Save ${explore.count(state.targets().length, "image")} as a subset`, "Name", "Save", field, (name) => saveSubset(state, name));
  };
  const askLabel = (state) => {
    const names = el("datalist", { id: "x-class-names" }, state.classes.map((name) => el("option", { value: name })));
    const field = el("input", { type: "text", class: "x-input", required: true, list: "x-class-names", autocomplete: "off" });
    ask(`Label ${explore.count(state.targets().length, "image")}`, "Class (one that exists, or a new name)", "Set label", field,
      (name) => explore.change(state, "label", state.targets(), null, name));
    explore.root.querySelector(".x-dialog form").append(names);
  };

  explore.selectionBar = (state) => {
    const words = el("b", {});
    const exclude = el("button", { type: "button", onclick: () => {
      const rows = state.targets();
      explore.change(state, "excluded", rows, !rows.every((row) => state.excluded[row]));
    } });
    const bar = el("div", { class: "x-actions", role: "region", "aria-label": "What to do with the chosen images", hidden: true }, words,
      el("span", { class: "x-row" },
        el("button", { type: "button", class: "primary", onclick: () => askSubset(state) }, "Save as subset…"),
        el("button", { type: "button", onclick: () => askLabel(state) }, "Set label…"), exclude,
        el("button", { type: "button", class: "quiet", onclick: () => {
          state.select([], false, true);
          if (state.region) state.within(null);
        } }, "Clear")));
    const sync = () => {
      const rows = state.targets();
      bar.hidden = !rows.length;
      if (!rows.length) return;
      words.textContent = state.selectedCount ? `${rows.length.toLocaleString("en")} selected` : `${rows.length.toLocaleString("en")} in the outline`;
      exclude.textContent = rows.every((row) => state.excluded[row]) ? "Put back into the pool" : "Exclude from the pool";
    };
    state.on("selection order columns", sync);
    sync();
    return bar;
  };
})();
