/* The panel of the pinned image: the image, its facts, its neighbors and its history. */

import { copy } from "../shell/copy.js";
import { element, opensElsewhere } from "../shell/dom.js";
import { change } from "./changes.js";
import { facts } from "./facts.js";
import { showLarge, step, stepOf } from "./large.js";
import { findNeighbors, pin } from "./pin.js";
import { searchSimilar } from "./search.js";
import { thumbnail } from "./thumbnail.js";

const error = (text) => element("p", { class: "notice notice-error", role: "alert" }, text);
const muted = (text) => element("p", { class: "muted" }, text);
const fact = (term, ...value) => element("div", {}, element("dt", {}, term), element("dd", {}, ...value));

const described = (one) => {
  if (one.kind === "excluded") return one.value === "yes" ? "excluded from the pool" : "included in the pool";
  return `${one.kind}: ${one.previous ?? "none"} → ${one.value ?? "none"}`;
};
const history = (changes) => element("details", {},
  element("summary", {}, element("h3", {}, `History (${changes.length})`)),
  element("ul", { class: "x-history" }, changes.map((one) => element("li", {}, described(one),
    element("small", {}, `${one.by}, ${new Date(one.at).toLocaleString()}`)))));

const labelSelect = (state, row) => element("select", {
  "aria-label": "Label of this image", "data-key": "label",
  onchange: ({ target }) => change(state, "label", [row], target.value === "" ? null : Number(target.value)),
},
element("option", { value: "" }, "no label"),
state.classes.map((name, label) =>
  element("option", { value: label, selected: label === state.labels[row] }, name)));

const drafts = new Map(); // image id → a caption that was typed but not saved
const captionForm = (state, row, caption, show) => {
  const [id, stored] = [state.ids[row], caption ?? ""];
  const field = element("textarea", {
    rows: 2, "aria-label": "Caption", placeholder: "No caption yet. Write one sentence.", class: "x-input",
    "data-key": "caption", value: drafts.get(id) ?? stored,
  });
  const save = element("button", { type: "submit", class: "quiet", "data-key": "caption", hidden: field.value === stored }, "Save caption");
  field.addEventListener("input", () => {
    save.hidden = field.value === stored;
    if (save.hidden) drafts.delete(id);
    else drafts.set(id, field.value);
  });
  const submit = async (event) => {
    event.preventDefault();
    const typed = field.value;
    drafts.delete(id);
    if (await change(state, "caption", [row], typed.trim() || null)) return;
    if (!drafts.has(id)) drafts.set(id, typed); // keep it, unless the user has typed since
    show();
  };
  return element("form", { class: "x-stack", onsubmit: submit }, field, save);
};

/* Replace the panel's content and keep the focus on the element with the same data-key. The button
   that saves a caption hides, so the focus moves to the field, which has the same key. */
const replace = (panel, ...content) => {
  const old = panel.contains(document.activeElement) ? document.activeElement : null;
  const [key, from, to] = [old?.dataset.key, old?.selectionStart, old?.selectionEnd];
  panel.replaceChildren(...content.filter(Boolean));
  const fresh = key && panel.querySelector(`[data-key="${key}"]`);
  if (!fresh) return;
  fresh.focus({ preventScroll: true });
  if (old.tagName === "TEXTAREA") fresh.setSelectionRange(from, to);
};

const factList = (state, row, known) => {
  const { predicted, confidence, loss, round, match } = state.values;
  const number = (values) => (values && !Number.isNaN(values[row]) ? values[row].toFixed(2) : null);
  const correct = predicted?.[row] === state.labels[row];
  const mark = state.labels[row] < 0 ? "" : correct ? "✓ " : "✕ ";
  return element("dl", { class: "facts" },
    fact("Label", labelSelect(state, row)),
    predicted?.[row] >= 0 && fact("Predicted", `${mark}${state.className(predicted[row])}`,
      number(confidence) ? ` (${Math.round(100 * confidence[row])}%)` : ""),
    number(loss) && fact("Loss", number(loss)),
    Boolean(round?.[row]) && fact("Selected", `in round ${round[row]}`),
    number(match) && fact("Caption match", number(match)),
    fact("Split", state.split(row), state.excluded[row] ? ", excluded from the pool" : ""),
    fact("Size", `${known.width} × ${known.height} px`),
    fact("File", known.file_name));
};

const buttons = (state, row) => element("div", { class: "x-row" },
  element("button", { type: "button", onclick: () => searchSimilar(state, row) }, "Find similar"),
  // Only images of the train split (0) are in the pool.
  (state.excluded[row] || !state.splits[row]) && element("button", { type: "button", "data-key": "excluded", onclick: () => change(state, "excluded", [row], !state.excluded[row]) },
    state.excluded[row] ? "Include in the pool" : "Exclude from the pool"),
  element("button", { type: "button", class: "quiet", onclick: async ({ target }) => {
    target.textContent = (await copy(location.href)) ? "Copied" : "Copy it from the address bar";
  } }, "Copy link"));

export const imagePanel = (state) => {
  const panel = element("div", { class: "x-image", onkeydown: (event) => {
    const by = stepOf(event);
    if (!by || state.pinned < 0) return;
    event.preventDefault();
    step(state, by);
  } });
  const nearest = element("div", { class: "x-strip" });
  const showNeighbors = () => {
    if (state.pinned < 0) return;
    const { neighbors } = state;
    if (neighbors?.error) nearest.replaceChildren(error(neighbors.error));
    else if (!neighbors) nearest.replaceChildren(muted(state.map.ready.includes("space")
      ? "Searching …" : "They appear here when the map is ready."));
    else nearest.replaceChildren(...neighbors.rows.map((row, k) =>
      thumbnail(state, row, neighbors.similarities[k].toFixed(2))));
  };
  const show = async () => {
    const row = state.pinned;
    if (row < 0) {
      panel.replaceChildren(element("p", { class: "muted x-hint" },
        "Click an image in the grid or a point on the map to see it here with its nearest images."));
      return;
    }
    let known;
    try {
      known = await facts(state, row);
    } catch (problem) {
      if (state.pinned === row) panel.replaceChildren(error(problem.message));
      return;
    }
    if (state.pinned !== row) return;
    replace(panel,
      element("div", { class: "x-image-head" },
        element("b", { title: known.file_name }, known.file_name.split("/").pop()),
        element("button", { type: "button", class: "quiet x-close", "data-key": "previous", "aria-label": "Previous image (left arrow)", onclick: () => step(state, -1) }, "←"),
        element("button", { type: "button", class: "quiet x-close", "data-key": "next", "aria-label": "Next image (right arrow)", onclick: () => step(state, 1) }, "→"),
        element("button", { type: "button", class: "quiet x-close", "aria-label": "Close the image", onclick: () => pin(state, -1) }, "✕")),
      element("a", { href: known.image, class: "x-large", "data-key": "large", title: "Show large", onclick: (event) => {
        if (opensElsewhere(event)) return;
        event.preventDefault();
        showLarge(state);
      } },
        element("img", { src: known.image, alt: known.caption ?? `${state.label(row)}, ${known.file_name}` })),
      factList(state, row, known),
      captionForm(state, row, known.caption, show),
      buttons(state, row),
      element("h3", {}, "Nearest images"), nearest,
      known.history.length && history(known.history));
    showNeighbors();
  };
  state.on("pin columns values", show);
  state.on("neighbors", showNeighbors);
  addEventListener("studio:back", () => { // fetch again what failed while the server did not respond
    show();
    if (!state.neighbors?.rows.length) findNeighbors(state);
  });
  show();
  return panel;
};
