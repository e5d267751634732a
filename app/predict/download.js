/* Ask the worker to prepare a run's export, follow its progress, then show the links. */

import { go } from "../shell/address.js";
import { NO_ANSWER, showError, showProgress } from "./progress.js";

const INTERVAL = 1000; // ms between requests for progress
const pause = () => new Promise((resolve) => setTimeout(resolve, INTERVAL));
let preparing = ""; // the run whose export the page waits for

const prepare = async (button, method) => {
  const run = button.dataset.prepare;
  if (preparing === run) return;
  preparing = run;
  const place = button.closest(".card").querySelector("[data-preparing]");
  const isShown = () => place.isConnected && document.querySelector(`[data-prepare="${run}"]`);
  const progress = showProgress(place, "Waiting in the queue");
  button.disabled = true;
  try {
    for (let next = method; isShown(); next = "GET") {
      const answer = await fetch(`/download/run/${run}/export`, { method: next });
      const { state, stage, error } = await answer.json();
      if (state === "finished") {
        place.textContent = "The download is ready.";
        return go(location.pathname + location.search, true);
      }
      if (state !== "queued" && state !== "running")
        return showError(place, error ?? "The export failed. Try again.");
      progress.say(stage || "Starting");
      await pause();
    }
  } catch {
    showError(place, NO_ANSWER);
  } finally {
    progress.stop();
    button.disabled = false;
    preparing = "";
  }
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-prepare]");
  if (button) prepare(button, "POST");
});

let asked = ""; // the run whose export an address with #download has started
document.addEventListener("studio:shown", () => {
  const button = document.querySelector("[data-prepare]");
  if (!button) return;
  const run = button.dataset.prepare;
  if ("underWay" in button.dataset) prepare(button, "GET");
  else if (location.hash === "#download" && asked !== run) {
    asked = run;
    prepare(button, "POST");
  }
});
