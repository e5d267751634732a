/* The views of a labeling task: the form for the classes, a single image, the grid. */

import { element } from "../shell/dom.js";
import { count, percent } from "../shell/words.js";

export const FEW = 10; // classes within reach of number keys; with more, letter keys search
const SAMPLES = 24; // images beside the form for the classes
const MAX_CLASSES = 60; // shown at once
const SEARCH = "Find or add a class";

const key = (name) => element("kbd", {}, name);
const button = (attributes, ...children) => element("button", { type: "button", ...attributes }, ...children);

/* The form for the classes of a dataset without any, with images beside it. */
export const classForm = (labeler) => {
  const field = element("textarea", { name: "classes", rows: 5, required: true, placeholder: "dog\ncat\nhorse" });
  const onsubmit = (event) => {
    event.preventDefault();
    const names = field.value.split(/[\n,;]/).map((name) => name.trim()).filter(Boolean);
    if (names.length) labeler.addClasses(names);
  };
  const { images } = labeler.task;
  const step = Math.max(1, Math.floor(images.length / SAMPLES)); // spread over all images
  const samples = images.filter((_, index) => index % step === 0).slice(0, SAMPLES);
  return element("div", { class: "card label-first" },
    element("form", { onsubmit },
      element("h2", {}, "Classes"),
      element("label", { class: "field" }, element("span", {}, "One per line, or separated by commas"), field),
      element("p", { class: "muted" }, "You can add more classes while labeling."),
      element("div", { class: "card-foot" }, element("button", { type: "submit", class: "primary" }, "Start labeling"))),
    element("div", { class: "label-samples", role: "group", "aria-label": `${samples.length} of ${images.length} images` },
      samples.map(({ image, thumb, name }) =>
        element("a", { class: "thumb", href: image, "data-words": name }, element("img", { src: thumb, alt: name })))));
};

export const singleImage = (labeler) => {
  const { task } = labeler;
  const { image } = task;
  return element("div", { class: "card label-one", tabindex: -1, role: "group", "aria-label": "Image and label" },
    element("figure", {},
      element("div", { class: "label-frame" }, element("img", { src: image.image, alt: image.name })),
      element("figcaption", {},
        element("span", {}, `${task.index + 1} of ${task.images.length} · ${image.name}`),
        image.caption ? element("span", {}, image.caption) : null)),
    element("div", { class: "label-side" }, suggestionLine(labeler), choices(labeler), buttons(labeler)));
};

const suggestionLine = (labeler) => {
  const { task } = labeler;
  const { image } = task;
  const line = (...children) => element("div", { class: "label-suggestion", "aria-live": "polite" }, ...children);
  if (image.label !== null)
    return line(element("span", {}, "Label: ", element("b", {}, task.classes[image.label])),
      button({ class: "quiet", onclick: () => labeler.label({ [image.id]: null }) }, "Remove label"));
  const suggested = task.suggestion(image);
  if (suggested)
    return line(
      element("span", {}, "Suggested: ", element("b", {}, task.classes[suggested.label]), ` ${percent(suggested.confidence)}`),
      button({ class: "primary", onclick: () => labeler.label({ [image.id]: suggested.label }) }, "Accept suggestion ", key("Enter")));
  return line(element("span", { class: "muted" }, labeler.learning.status || "No suggestion for this image"),
    labeler.learning.canRetry ? button({ class: "quiet", onclick: () => labeler.learning.update() }, "Try again") : null);
};

const choices = (labeler) => {
  const { task } = labeler;
  const { image } = task;
  const suggested = task.suggestion(image)?.label;
  const list = task.matches.slice(0, MAX_CLASSES).map(({ name, index }, place) =>
    button({
      class: index === suggested ? "suggested" : null, "aria-pressed": image.label === index,
      onclick: () => labeler.label({ [image.id]: index }),
    }, place < FEW && !task.filter ? key(String((place + 1) % 10)) : null, element("span", {}, name)));
  const wanted = task.filter.trim();
  const isNew = wanted && !task.classes.some((name) => name.toLowerCase() === wanted.toLowerCase());
  return element("div", { class: "label-choice" },
    element("div", { class: "label-classes", role: "group", "aria-label": "Classes" }, list),
    element("div", { class: "field" }, element("input", {
      name: "filter", value: task.filter, autocomplete: "off", placeholder: SEARCH, "aria-label": SEARCH,
      oninput: (event) => labeler.setFilter(event.target.value),
    })),
    isNew ? button({ class: "quiet", onclick: () => labeler.labelWithNewClass() }, `Create class “${wanted}” and assign it`) : null);
};

const buttons = (labeler) => {
  const few = labeler.task.classes.length <= FEW;
  const withKey = (name, hint, onclick) => button({ class: "quiet", onclick }, `${name} `, key(hint));
  return element("div", { class: "label-buttons" },
    withKey("Previous", "←", () => labeler.move(-1)), withKey("Next", "→", () => labeler.move(1)),
    withKey("Skip", few ? "s" : "Space", () => labeler.skip()),
    withKey("Undo", few ? "u" : "Ctrl+Z", () => labeler.undo()));
};

const UNSURE = 0.5; // confidence below which a suggestion in the grid stands out
const NONE = "none", DONE = "done"; // groups of the grid; the others are class indices
const order = (group) => (group === DONE ? Infinity : group === NONE ? -1 : group);

export const gridHint = ({ task, learning }) =>
  learning.status || (task.unlabeled ? "Fix wrong suggestions, then accept the rest." : "All images are labeled.");

/* The grid: unlabeled images grouped by suggestion, then labeled images. */
export const grid = (labeler) => {
  const { task } = labeler;
  const groups = new Map();
  for (const image of task.images) {
    const group = image.label !== null ? DONE : task.suggestion(image)?.label ?? NONE;
    if (!groups.has(group)) groups.set(group, []);
    groups.get(group).push(image);
  }
  const names = [...groups.keys()].sort((a, b) => order(a) - order(b));
  const suggested = names.filter(Number.isInteger).flatMap((name) => groups.get(name));
  return element("div", { class: "label-grid", tabindex: -1 },
    element("div", { class: "card-head" },
      element("p", { class: "label-hint muted" }, gridHint(labeler)),
      element("span", { class: "grow" }),
      button({ name: "undo", class: "quiet", onclick: () => labeler.undo() }, "Undo"),
      suggested.length ? acceptButton(labeler, suggested, "Accept all", "primary") : null),
    names.map((name) => section(labeler, name, groups.get(name))));
};

const acceptButton = (labeler, images, words, kind) => {
  const { suggestions } = labeler.task;
  const values = () => Object.fromEntries(images.map(({ id }) => [id, suggestions.get(id).label]));
  return button({ class: kind, onclick: () => labeler.label(values()) }, `${words} ${count(images.length, "suggestion")}`);
};

const section = (labeler, group, images) => {
  const { classes, suggestions } = labeler.task;
  const isClass = Number.isInteger(group);
  const title = isClass ? classes[group] : group === DONE ? "Labeled" : "No suggestion";
  const confidence = ({ id }) => suggestions.get(id).confidence;
  const sorted = isClass ? [...images].sort((a, b) => confidence(a) - confidence(b)) : images;
  return element("section", { class: "card" },
    element("div", { class: "card-head" },
      element("h3", {}, title, " ", element("span", { class: "muted num" }, images.length)),
      element("span", { class: "grow" }),
      isClass ? acceptButton(labeler, images, "Accept") : null),
    element("div", { class: "label-tiles" }, sorted.map((image) => tile(labeler, image))));
};

const tile = (labeler, image) => {
  const { task } = labeler;
  const suggested = task.suggestion(image);
  const field = element("select", {
    name: `class-${image.id}`, "aria-label": `Class of ${image.name}`,
    onchange: () => labeler.label({ [image.id]: field.value === "" ? null : Number(field.value) }),
  }, element("option", { value: "" }, "no label"),
  task.classes.map((name, index) => element("option", { value: index }, name)));
  field.value = image.label ?? suggested?.label ?? "";
  return element("div", { class: "label-tile" },
    button({ name: `open-${image.id}`, class: "label-open", title: image.name, onclick: () => labeler.open(image) },
      element("img", { src: image.thumb, alt: image.name, loading: "lazy" })),
    field,
    suggested ? element("small", { class: suggested.confidence < UNSURE ? "is-unsure num" : "muted num" }, percent(suggested.confidence)) : null);
};
