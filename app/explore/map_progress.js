/* The progress of the map: in place of the map until there is one, then at its edge. */

import { element } from "../shell/dom.js";
import { duration } from "../shell/words.js";

const MEASURED = 2000; // ms that must pass before a rate is reliable

let first = null; // the stage, when it was first seen, and how far it was then
const timeLeft = (map) => {
  if (first?.stage !== map.stage || first.done > map.done)
    first = { stage: map.stage, done: map.done, time: performance.now() };
  const [time, done] = [performance.now() - first.time, map.done - first.done];
  if (time < MEASURED || done <= 0 || !map.total) return "";
  return ` · ${duration((time / done / 1000) * (map.total - map.done))} left`;
};
const button = (label, kind, act) => element("button", { type: "button", class: kind, onclick: act }, label);

/* Show the progress in `place`; `compute` starts the computation of a new map. */
export const showProgress = (state, place, compute) => {
  const { map, points, idle } = state;
  const failed = map.state === "failed";
  const problem = failed
    ? element("p", { class: "notice notice-error", role: "alert" }, map.error ?? "The map could not be computed.") : null;
  const warning = map.warning ? element("p", { class: "notice notice-warn", role: "status" }, map.warning) : null;
  place.classList.toggle("is-small", Boolean(points));
  if (map.outdated && points)
    place.replaceChildren(element("div", { class: "x-making" }, problem,
      element("p", {}, "Out of date: captions have changed."),
      button("Update map", "quiet", () => compute(state))));
  else if (map.ended && points) place.replaceChildren(...(problem || warning ? [problem ?? warning] : []));
  else if (failed || map.state === "canceled")
    place.replaceChildren(element("div", { class: "empty" },
      element("h3", {}, failed ? "The map could not be computed" : "The map was canceled"),
      map.error ? element("p", {}, map.error) : null, button("Try again", null, () => compute(state))));
  else place.replaceChildren(making(map, points, idle));
};

const making = (map, points, idle) => {
  const stage = map.stage || (map.state === "running" ? "Starting" : "Waiting in the queue");
  const bar = element("progress", { "aria-label": stage });
  if (map.total) Object.assign(bar, { max: map.total, value: map.done });
  const done = map.total ? ` ${map.done.toLocaleString("en")} of ${map.total.toLocaleString("en")}` : "";
  return element("div", { class: "x-making", role: "status" },
    points ? null : element("h3", {}, "Computing the map"),
    element("p", {}, stage, element("span", { class: "num muted" }, done), element("span", { class: "muted" }, timeLeft(map))),
    bar,
    idle ? element("p", { class: "muted" }, idle) : null,
    points ? null : element("p", { class: "muted" },
      "Similar images appear close together. You can already use the grid and the filters."));
};
