/* The workflow bar below the navigation bar, on every page about a dataset. The server renders it
   (app/shell/workflow.py). It is drawn from the last answer first, or else empty, so that pages do
   not jump. */

import { parameters } from "./address.js";
import { element } from "./dom.js";
import { lastDataset } from "./last_dataset.js";
import { show } from "./live.js";
import { session } from "./storage.js";
import { asked, leadsHere } from "./workflow_address.js";

const MOVING = 1000, RESTING = 5000; // ms between requests
const KEY = "studio-workflow"; // stored name of the last answer

const path = location.pathname.replace(/\/+$/, "") || "/";
const place = element("nav", { class: "workflow", "aria-label": "Workflow", hidden: true });

const draw = (html) => {
  place.hidden = !html;
  if (!html) return;
  show(place, html);
  const next = place.querySelector(".workflow-next a");
  if (next) next.parentElement.hidden = leadsHere(next, path, parameters());
};

let timer = 0;
let newest = 0; // number of the last request; older answers are dropped
const ask = async () => {
  clearTimeout(timer);
  const query = asked(path, parameters(), lastDataset());
  const number = ++newest;
  let moving = false;
  if (query === null) draw("");
  else if (!document.hidden) {
    const answer = await fetch(`/workflow?${query}`).catch(() => null);
    const found = answer?.ok ? await answer.json() : null;
    if (number !== newest) return;
    if (found) {
      moving = found.moving;
      draw(found.html);
      session.setJson(KEY, { query, html: found.html });
    } else if (answer) draw(""); // the dataset does not exist
  }
  timer = setTimeout(ask, moving ? MOVING : RESTING);
};

const drawLast = () => {
  const query = asked(path, parameters(), lastDataset());
  if (query === null) return;
  const last = session.getJson(KEY);
  if (last?.query === query) draw(last.html);
  else place.hidden = false;
};

document.querySelector("header.bar").after(place);
drawLast();
ask();
addEventListener("studio:go", ask);
document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
