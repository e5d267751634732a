/* Keep the workbench up to date with the server: map computations, runs, and changes from other tabs. */

import { id, parameters } from "../shell/address.js";
import { fetchJson } from "../shell/http.js";
import { post, reload } from "./changes.js";
import { MODES } from "./colors.js";
import { pin } from "./pin.js";
import { chooseRun, fetchCaptionMatch } from "./run_values.js";
import { say } from "./toast.js";
import { forgetCoordinates, isFetching, showCoordinates } from "./views.js";

const BUSY = 1500, IDLE = 8000; // milliseconds between updates
const BEST = ["umap", "pca"]; // projections, the best first

let lost = false; // whether the last request for a map failed; the next update repeats it
/* Ask the worker to compute the map; `settings` may name another spread (min_dist). */
export const computeMap = async (state, settings = { min_dist: state.map.min_dist }) => {
  try {
    await post(state, "map", settings);
    lost = false;
  } catch (error) {
    lost = error.name === "TypeError";
    if (!lost) say(error.message);
    return;
  }
  await update(state).catch(() => {}); // often temporary; the next update reports the state
};

let before = null; // the map's state before the changes that are still being fetched
/* Fetch the current data: a better map, new runs, changes from other tabs. */
const update = async (state) => {
  const now = await fetchJson(`/explore/${state.dataset.id}/state.json`);
  const old = (before ??= state.map);
  const redrawn = now.map.ended && !old.ended && old.ready.length > 0;
  const missing = !state.points && now.map.ready.length > 0;
  const better = redrawn || missing || now.map.ready.length > old.ready.length || now.map.task !== old.task;
  if (redrawn) { // data fetched in the meantime belongs to the older map
    forgetCoordinates();
    delete state.values.match;
  }
  Object.assign(state, { map: now.map, runs: now.runs, idle: now.idle });
  if (JSON.stringify(now.subsets) !== JSON.stringify(state.subsets)) {
    state.subsets = now.subsets;
    state.emit("subsets");
  }
  state.emit("state");
  if (now.revision !== state.revision) await reload(state);
  if (better) await showBetterMap(state, old, redrawn);
  before = null;
};

const showBetterMap = async (state, old, redrawn) => {
  const chosen = parameters().get("method"); // a projection that the user chose stays
  const best = [chosen, ...BEST].find((name) => BEST.includes(name) && state.map.ready.includes(name));
  const stays = state.points && (chosen || isFetching() || best === state.points.method);
  if (best && (redrawn || !stays)) await showCoordinates(state, stays ? {} : { method: best, view: "image" });
  if (state.map.ready.includes("caption-match") && !state.values.match) await fetchCaptionMatch(state);
  if (state.pinned >= 0 && !old.ready.includes("space")) { // its neighbors are known now
    const row = state.pinned;
    state.pinned = -1;
    pin(state, row, null);
  }
};

const pinFromAddress = (state) => {
  const image = id("image");
  pin(state, image ? state.rowOf(image) : -1, null);
};

/* Show the data that early.js has asked for, then update again and again. */
export const follow = (state, data) => {
  const report = (error) => say(error.message);
  const tick = async () => {
    if (!document.hidden) await (lost ? computeMap(state) : update(state).catch(() => {}));
    setTimeout(tick, state.map.ended && state.points ? IDLE : BUSY);
  };
  data.keys.then(({ keys }) => {
    state.keys = keys;
    state.emit("keys");
  }, report);
  data.points.then((points) => {
    if (points) state.setPoints({ ...points, method: points.meta.method, view: points.meta.view });
  }, report).then(() => {
    if (state.map.state === "none") computeMap(state);
    const run = id("run") ?? state.runs.find((one) => one.state === "finished")?.id;
    const wanted = [run ? chooseRun(state, run) : null,
      state.map.ready.includes("caption-match") ? fetchCaptionMatch(state).catch(report) : null];
    pinFromAddress(state);
    Promise.all(wanted).then(() => { // a color may need these values
      const color = parameters().get("color");
      if (MODES.some(({ name }) => name === color)) state.colorBy(color);
    });
    setTimeout(tick, BUSY); // only now is it known whether points are missing
  });
  addEventListener("popstate", () => pinFromAddress(state));
};
