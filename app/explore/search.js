/* Search by text, or by an image that is dropped, chosen or pinned. The map rings the best matches,
   and the grid lists them first. */

import { element, icon } from "../shell/dom.js";
import { fetchJson, refusal } from "../shell/http.js";
import { say } from "./toast.js";

export const searchStatus = element("span", { class: "x-status muted", role: "status" });
const RINGED = 24;
const SLOW = 1200; // milliseconds until a message explains the wait
let asked = 0; // searches, so that only the answer of the last one is shown

const show = (state, rows, scores, title, ringed) => {
  state.values.score = new Float32Array(state.n).fill(NaN);
  rows.forEach((row, k) => (state.values.score[row] = scores[k]));
  state.search = { title, hits: rows.slice(0, ringed) };
  state.emit("values");
  state.emit("search");
  state.sortBy("score");
};
export const clearSearch = (state) => {
  asked++;
  if (!state.search) return;
  state.search = null;
  delete state.values.score;
  if (state.color === "score") state.color = "class";
  state.emit("search");
  state.emit("values");
  state.sortBy("file");
};

const report = (text) => (searchStatus.textContent = text);
const run = async (state, title, ask) => {
  const mine = ++asked;
  const slow = setTimeout(() => report("Starting the search model. The first search takes a few seconds …"), SLOW);
  report("Searching …");
  try {
    const found = await ask();
    if (mine !== asked) return;
    const rows = found.rows ?? found.ids.map((id) => state.rowOf(id));
    const scores = found.scores ?? found.similarities;
    const known = rows.map((row, k) => [row, scores[k]]).filter(([row]) => row >= 0);
    const far = found.near === false;
    show(state, known.map(([row]) => row), known.map(([, score]) => score), far ? `No good match. ${title}` : title, far ? 0 : RINGED);
    if (far) say("No good match. The grid lists the closest images. Try other words, or several descriptions separated by commas: “dog, cat”.");
  } catch (error) {
    if (mine === asked) say(error.message);
  } finally {
    clearTimeout(slow);
    report("");
  }
};
const base = (state) => `/explore/${state.dataset.id}`;
const searchText = (state, text) =>
  run(state, `Search: “${text}”`, () => fetchJson(`${base(state)}/search?text=${encodeURIComponent(text)}`));
const searchImage = (state, file) => run(state, `Similar to ${file.name}`, async () => {
  const answer = await fetch(`${base(state)}/search-image`, { method: "POST", body: file });
  if (!answer.ok) throw await refusal(answer);
  return answer.json();
});
export const searchSimilar = (state, row) => run(state, `Similar to image ${state.ids[row]}`, async () => {
  const found = await fetchJson(`${base(state)}/neighbors/${state.ids[row]}?count=500`);
  return { rows: [row, ...found.rows], similarities: [1, ...found.similarities] };
});

/* The search field; an image may be dropped anywhere on `root`. */
export const searchForm = (state, root) => {
  const field = element("input", { type: "search", name: "search", class: "x-input", placeholder: "Search by text: “a dog on grass”, or “dog, cat” for either",
    "aria-label": "Search images by text", autocomplete: "off" });
  const file = element("input", { type: "file", accept: "image/*", hidden: true, "aria-label": "Image to search with", onchange: () => {
    if (file.files[0]) searchImage(state, file.files[0]);
    file.value = "";
  } });
  const form = element("form", { class: "x-search", role: "search", onsubmit: (event) => {
    event.preventDefault();
    if (field.value.trim()) searchText(state, field.value.trim());
    else clearSearch(state);
  } }, field, element("button", { type: "button", class: "x-tool", title: "Search by image (or drop an image anywhere on this page)", "aria-label": "Search by image",
    onclick: () => file.click() }, icon("M4 7h3l2-2.5h6L17 7h3v12H4zM12 16.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z")), file,
    element("button", { type: "submit" }, "Search"));
  field.addEventListener("search", () => field.value || clearSearch(state)); // its clear button
  state.on("search", () => { if (!state.search) field.value = ""; });
  root.addEventListener("dragover", (event) => event.preventDefault());
  root.addEventListener("drop", (event) => {
    event.preventDefault();
    const dropped = event.dataTransfer.files[0];
    if (dropped) searchImage(state, dropped);
  });
  return form;
};
