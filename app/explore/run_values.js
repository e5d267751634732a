/* Values that images can be colored, filtered and sorted by: those of a run, and the caption match. */

import { setParameters } from "../shell/address.js";
import { fetchBundle } from "../shell/http.js";
import { say } from "./toast.js";

/* Show a run's selection rounds, predictions and losses; with null, no run's. */
export const chooseRun = async (state, id) => {
  setParameters({ run: id });
  state.run = id;
  let values = {};
  try {
    if (id) values = await fetchBundle(`/explore/${state.dataset.id}/values.bin?run=${id}`);
    if (state.run !== id) return;
  } catch (error) {
    if (state.run !== id) return;
    state.run = null;
    say(error.message);
  }
  const { predicted, confidence, loss, round } = values;
  const { score, match } = state.values; // these belong to no run
  const known = Object.entries({ predicted, confidence, loss, round, score, match }).filter(([, value]) => value);
  state.values = Object.fromEntries(known);
  state.emit("values");
  state.refilter();
};

/* Fetch how well each image agrees with its caption. */
export const fetchCaptionMatch = async (state) => {
  const { v } = await fetchBundle(`/explore/${state.dataset.id}/caption-match.bin`);
  if (v.every((value) => Number.isNaN(value))) return; // no image has a caption
  state.values.match = v;
  state.emit("values");
  if (state.sort === "match") state.reorder(); // the saved view may sort by it
};
