/* The coordinates that the map shows: a projection (UMAP, PCA) of a view (images, with captions). */

import { setParameters } from "../shell/address.js";
import { fetchPoints } from "./early.js";
import { say } from "./toast.js";

const fetched = new Map(); // "method/view/task" → promise of a bundle

/* Fetch coordinates; they are kept until `forgetCoordinates`. */
export const coordinates = (state, method, view) => {
  const key = `${method}/${view}/${state.map.task}`;
  if (!fetched.has(key)) {
    const points = fetchPoints(state.dataset.id, { method, view });
    points.catch(() => fetched.delete(key));
    fetched.set(key, points);
  }
  return fetched.get(key);
};
export const forgetCoordinates = () => fetched.clear();

let wanted = null; // the coordinates that are being fetched: only the last request is shown
export const isFetching = () => wanted !== null;

/* Show other coordinates; the map glides there. A request during another one is merged with it. Returns
   whether the coordinates were shown. */
export const showCoordinates = async (state, wish) => {
  const mine = (wanted = { method: state.points?.method, view: state.points?.view ?? "image", ...wanted, ...wish });
  try {
    const points = await coordinates(state, mine.method, mine.view);
    if (mine !== wanted) return false;
    state.setPoints({ ...points, ...mine });
    return true;
  } catch (error) {
    if (mine !== wanted) return false;
    throw error;
  } finally {
    if (mine === wanted) wanted = null;
  }
};

/* The same for a choice by the user, which the address names. */
export const chooseCoordinates = async (state, wish) => {
  try {
    if (!(await showCoordinates(state, wish))) return;
    const { method, view } = state.points;
    setParameters({ method, view: view === "image" ? null : view });
  } catch (error) {
    say(error.message);
    state.emit("state"); // the selects show the current view again
  }
};

/* Arrows from where images are to where the other view has them. `button` switches them on and off. */
export const connectArrows = (state, map, button) => {
  const show = async (on) => {
    const { method, view } = state.points;
    try {
      map.arrows = on ? (await coordinates(state, method, view === "image" ? "text" : "image")).xy : null;
    } catch (error) {
      say(error.message);
    }
    button.setAttribute("aria-pressed", map.arrows !== null);
    map.overlay.draw();
  };
  button.addEventListener("click", () => show(map.arrows === null));
  state.on("points", () => { if (map.arrows) show(true); }); // they point to the other view now
};
