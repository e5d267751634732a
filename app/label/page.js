/* The Label page: it starts a labeler in each [data-labeler], and its keys. */

import { pressKey } from "./keys.js";
import { startUploads } from "./label_studio.js";
import { Labeler } from "./labeler.js";

const labelers = new WeakMap(); // element → its labeler

const start = async (host) => {
  if (labelers.get(host)?.subset === Number(host.dataset.labeler)) return;
  const labeler = new Labeler(host);
  labelers.set(host, labeler);
  if (!(await labeler.start())) labelers.delete(host); // the next event tries again
};
const startAll = () => document.querySelectorAll("[data-labeler]").forEach(start);
document.addEventListener("studio:shown", startAll);
addEventListener("studio:back", startAll);

document.addEventListener("keydown", (event) => {
  const labeler = labelers.get(document.querySelector("[data-labeler]"));
  const ready = labeler?.task.classes.length && !labeler.isGrid;
  if (ready && !document.querySelector("dialog[open], .tour")) pressKey(labeler, event);
});

startUploads(async () => {
  const labeler = labelers.get(document.querySelector("[data-labeler]"));
  await labeler?.refresh();
  labeler?.show();
  dispatchEvent(new Event("studio:go")); // the server shows what comes next
});
