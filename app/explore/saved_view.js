/* Filters, lasso and order survive a reload and the back button: this tab stores them for each
   dataset. Sets of rows are stored as bits. */

import { session } from "../shell/storage.js";

const REST = 300; // milliseconds without a change until the view is stored
const PLAIN = ["labeled", "pool", "prediction", "round", "loss", "confidence"];

/* Flags of rows as text, eight to a character, and back. */
export const packBits = (flags) => {
  let text = "";
  for (let i = 0; i < flags.length; i += 8) {
    let byte = 0;
    for (let k = 0; k < 8; k++) byte |= (flags[i + k] ? 1 : 0) << k;
    text += String.fromCharCode(byte);
  }
  return btoa(text);
};
export const unpackBits = (text, n) => {
  const bytes = atob(text);
  return Uint8Array.from({ length: n }, (_, i) => (bytes.charCodeAt(i >> 3) >> (i & 7)) & 1);
};
const packed = (one) => one && { ...one, rows: packBits(one.rows) };
const unpacked = (one, n) => one && { ...one, rows: unpackBits(one.rows, n) };

/* Restore the stored view, and store it again after each change. */
export const keepView = (state) => {
  const key = `studio-explore-${state.dataset.id}`;
  const save = () => {
    const { filters: f, n } = state;
    const kept = { n, sort: state.sort, region: state.region && packBits(state.region),
      hiddenClasses: packBits(f.hiddenClasses), hiddenSplits: packBits(f.hiddenSplits),
      subset: packed(f.subset), text: packed(f.text) };
    for (const name of PLAIN) kept[name] = f[name];
    session.setJson(key, kept);
  };
  const kept = session.getJson(key);
  if (kept && kept.n === state.n) {
    if (kept.sort !== "score") state.sort = kept.sort; // a search is not stored
    state.region = kept.region && unpackBits(kept.region, state.n);
    const changes = Object.fromEntries(PLAIN.map((name) => [name, kept[name]]));
    for (const name of ["hiddenClasses", "hiddenSplits"])
      changes[name] = unpackBits(kept[name], state.filters[name].length);
    for (const name of ["subset", "text"]) changes[name] = unpacked(kept[name], state.n);
    state.filter(changes);
    state.emit("region");
  }
  let timer = 0;
  state.on("order", () => {
    clearTimeout(timer);
    timer = setTimeout(save, REST);
  });
  addEventListener("pagehide", () => { if (timer) save(); });
};
