/* Send a dropped, chosen or linked image to the studio and show the answer, which the server renders. */

import { go, parameters } from "../shell/address.js";
import { element } from "../shell/dom.js";
import { show } from "../shell/live.js";
import { NO_ANSWER, showError, showProgress } from "./progress.js";

let current = ""; // run and image that the page shows or waits for
let request = null;
let preview = null; // object URL of a dropped image

const predict = async (section, address, options, source, name) => {
  request?.abort();
  const controller = (request = new AbortController());
  const result = element("div", { "data-result": true });
  const image = element("img", { src: source, alt: name });
  image.addEventListener("error", () => image.remove()); // not an image; the response explains it
  section.querySelector("[data-answer]").replaceChildren(element("div", { class: "prediction-columns" }, image, result));
  const progress = showProgress(result, "Predicting");
  try {
    const answer = await fetch(address, { ...options, signal: controller.signal });
    const { html, error } = await answer.json();
    if (html) show(result, html);
    else showError(result, error ?? "The prediction failed. Try again.");
  } catch (error) {
    if (error.name !== "AbortError") showError(result, NO_ANSWER);
  } finally {
    progress.stop();
  }
};

const predictFile = (section, file) => {
  if (!file) return;
  const run = section.dataset.predict;
  if (parameters().has("image")) go(`/predict?run=${run}`, true); // the address names another image
  current = `${run}:file`;
  if (preview) URL.revokeObjectURL(preview);
  preview = URL.createObjectURL(file);
  predict(section, `/predict/${run}`, { method: "POST", body: file }, preview, file.name);
};

/* Predict the image that the address names. */
document.addEventListener("studio:shown", () => {
  const section = document.querySelector("[data-predict]");
  if (!section) {
    current = "";
    return;
  }
  const { predict: run, image, src } = section.dataset;
  const wanted = image ? `${run}:${image}` : "";
  if (!image && current === `${run}:file`) return; // keep the dropped image
  if (wanted === current) return;
  current = wanted;
  if (image) predict(section, `/predict/${run}?image=${image}`, {}, src, "Image to classify");
  else {
    request?.abort();
    section.querySelector("[data-answer]").replaceChildren();
  }
});

document.addEventListener("change", (event) => {
  const input = event.target.closest("[data-drop] input");
  if (!input) return;
  predictFile(input.closest("[data-predict]"), input.files[0]);
  input.value = "";
});
for (const type of ["dragover", "dragleave", "drop"])
  document.addEventListener(type, (event) => {
    const section = event.target.closest?.("[data-predict]");
    if (!section) return;
    event.preventDefault();
    section.classList.toggle("over", type === "dragover");
    if (type === "drop") predictFile(section, event.dataTransfer.files[0]);
  });
