/* What the server knows of one image, such as its file name and its history. */

import { fetchJson } from "../shell/http.js";

const MOST = 400; // images whose facts are kept
const kept = new Map();

/* Fetch the facts of an image; they are kept until the dataset changes. */
export const facts = (state, row) => {
  const key = `${state.revision}/${state.ids[row]}`;
  if (!kept.has(key)) {
    if (kept.size >= MOST) kept.delete(kept.keys().next().value);
    const fetched = fetchJson(`/explore/${state.dataset.id}/image/${state.ids[row]}`);
    fetched.catch(() => kept.delete(key));
    kept.set(key, fetched);
  }
  return kept.get(key);
};
