/* The pinned image: the image panel shows it, the map marks it and its neighbors. */

import { setParameters } from "../shell/address.js";
import { fetchJson } from "../shell/http.js";

/* Pin a row (−1: none). The address names it: `entry` says whether that adds an entry to the
   browser's history ("push"), replaces the last one ("replace"), or is there already (null). */
export const pin = (state, row, entry = "push") => {
  if (row === state.pinned) return;
  state.pin(row);
  if (entry) setParameters({ image: row < 0 ? null : state.ids[row] }, entry === "push");
  findNeighbors(state);
};

/* Fetch the nearest images of the pinned one, once the map's embeddings are ready. */
export const findNeighbors = async (state) => {
  const row = state.pinned;
  if (row < 0 || !state.map.ready.includes("space")) return;
  const found = await fetchJson(`/explore/${state.dataset.id}/neighbors/${state.ids[row]}`)
    .catch((error) => ({ rows: [], error: error.message }));
  if (state.pinned !== row) return;
  state.neighbors = found;
  state.emit("neighbors");
};
