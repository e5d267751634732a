/* Predict many images: pack and upload them, follow the task, import images of the results. */

import { go } from "../shell/address.js";
import { chosen, collected, dropped } from "../shell/files.js";
import { MOST_BYTES, MOST_FILES, zip } from "../shell/zip.js";
import { bytes } from "../shell/words.js";
import { NO_ANSWER, showError, showProgress } from "./progress.js";

const INTERVAL = 1000; // ms between requests for progress
const pause = () => new Promise((resolve) => setTimeout(resolve, INTERVAL));
const isZip = (files) => files.length === 1 && /\.zip$/i.test(files[0].name);
const placeOf = (section) => section.querySelector("[data-batch-progress]");

let busy = false; // whether images are being packed or uploaded
let followed = ""; // id of the task that the page follows

const archiveOf = async ({ files }, progress) => {
  if (isZip(files)) return files[0].file;
  const size = files.reduce((sum, { file }) => sum + file.size, 0);
  if (files.length > MOST_FILES || size > MOST_BYTES)
    throw new Error(`A browser can send at most ${MOST_FILES.toLocaleString("en")} images and ${bytes(MOST_BYTES)}. Drop a ZIP file instead.`);
  return zip(files, (done) => progress.say(`Packing images, ${done.toLocaleString("en")} of ${files.length.toLocaleString("en")}`));
};

const send = async (section, found) => {
  if (busy || !found.files.length) return;
  busy = true;
  const { batch: run, limit } = section.dataset;
  const place = placeOf(section);
  const progress = showProgress(place, "Packing images");
  try {
    const archive = await archiveOf(found, progress);
    if (archive.size > +limit)
      throw new Error(`The images are ${bytes(archive.size)}. The limit is ${bytes(+limit)} (VECAF_MAX_ARCHIVE_BYTES).`);
    progress.say("Uploading");
    const name = found.name || (isZip(found.files) ? found.files[0].name.replace(/\.zip$/i, "") : "Images");
    const answer = await fetch(`/predict/${run}/batch?${new URLSearchParams({ name })}`, { method: "POST", body: archive });
    const { task, error } = await answer.json();
    if (!task) throw new Error(error ?? "The upload failed. Try again.");
    place.replaceChildren();
    go(`/predict?run=${run}&batch=${task}`, false, true);
  } catch (error) {
    showError(place, error.name === "TypeError" ? NO_ANSWER : error.message);
  } finally {
    progress.stop();
    busy = false;
  }
};

const follow = async (place, run, task) => {
  if (followed === task) return;
  followed = task;
  const progress = showProgress(place, "Waiting in the queue");
  try {
    while (place.isConnected && place.dataset.follow === task) {
      const answer = await fetch(`/predict/${run}/batch/${task}`);
      const { state, stage, done, total } = await answer.json();
      if (state !== "queued" && state !== "running") {
        place.replaceChildren();
        return go(location.pathname + location.search, true);
      }
      progress.say(total ? `${stage}, ${done.toLocaleString("en")} of ${total.toLocaleString("en")}` : stage || "Starting");
      await pause();
    }
  } catch {
    showError(place, NO_ANSWER);
  } finally {
    progress.stop();
    followed = "";
  }
};

document.addEventListener("studio:shown", () => {
  const place = document.querySelector("[data-batch-progress][data-follow]");
  if (place) follow(place, place.closest("[data-batch]").dataset.batch, place.dataset.follow);
});

document.addEventListener("change", (event) => {
  const input = event.target.closest("[data-drop-many] input");
  if (!input) return;
  send(input.closest("[data-batch]"), collected(chosen(input.files)));
  input.value = "";
});
for (const type of ["dragover", "dragleave", "drop"])
  document.addEventListener(type, async (event) => {
    const section = event.target.closest?.("[data-batch]");
    if (!section) return;
    event.preventDefault();
    section.classList.toggle("over", type === "dragover");
    if (type === "drop") send(section, collected(await dropped(event.dataTransfer)));
  });

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("[data-batch-import]");
  if (!form) return;
  event.preventDefault();
  const { batch: run } = form.closest("[data-batch]").dataset;
  const query = new URLSearchParams(new FormData(form));
  const answer = await fetch(`/predict/${run}/batch/${form.dataset.batchImport}/import?${query}`, { method: "POST" }).catch(() => null);
  if (answer?.ok) return location.assign("/");
  const problem = form.querySelector("[data-problem]");
  problem.textContent = answer ? (await answer.json()).error : NO_ANSWER;
  problem.hidden = false;
});
