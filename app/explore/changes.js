/* Changes of images: labels, captions, exclusions, with undo. */

import { fetchBundle, fetchJson } from "../shell/http.js";
import { count } from "../shell/words.js";
import { say } from "./toast.js";

const images = (number) => count(number, "image");
const DONE = {
  label: (number, value, state) => (value === null
    ? `Label removed from ${images(number)}.` : `${images(number)} labeled “${state.className(value)}”.`),
  caption: (number) => `Caption of ${images(number)} changed.`,
  excluded: (number, value) => `${images(number)} ${value ? "excluded from" : "included in"} the pool.`,
};

export const post = (state, name, body) => fetchJson(`/explore/${state.dataset.id}/${name}`, body);

/* Change the label, caption or exclusion (`kind`) of rows, and offer to undo it. For a label, `name`
   may name a new class instead of the value. Returns whether it succeeded. */
export const change = async (state, kind, rows, value, name = null) => {
  try {
    const ids = state.idsOf(rows);
    const answer = await post(state, kind, name ? { ids, name } : { ids, [kind]: value });
    await reload(state, true);
    if (!answer.images) say("Already set. Nothing changed.");
    else say(DONE[kind](answer.images, answer.value, state), "Undo", () => undo(state, answer.edit));
    return true;
  } catch (error) {
    say(error.message);
    state.emit("columns"); // fields show the stored value again
    return false;
  }
};

const undo = async (state, edit) => {
  try {
    const { images: restored, since } = await post(state, "undo", { edit });
    await reload(state, true);
    const kept = since ? ` ${images(since)} changed since then and ${since === 1 ? "was" : "were"} not restored.` : "";
    say(`Undone for ${images(restored)}.${kept}`);
  } catch (error) {
    say(error.message);
  }
};

/* Read the columns again after a change, here or in another tab. */
export const reload = async (state, changed = false) => {
  const columns = await fetchBundle(`/explore/${state.dataset.id}/columns.bin`);
  if (columns.meta.revision === state.revision && !changed) return;
  state.setColumns(columns);
  const hidden = new Uint8Array(state.classes.length + 1); // a new class is shown
  hidden.set(state.filters.hiddenClasses.subarray(0, hidden.length));
  state.filters.hiddenClasses = hidden;
  state.emit("columns");
  state.refilter();
};
