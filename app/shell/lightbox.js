/* A click on a thumbnail (a.thumb) shows the image large, with the text in data-words. */

import { element, opensElsewhere } from "./dom.js";

const STEPS = { ArrowLeft: -1, ArrowRight: 1 };
let current = null; // the thumbnail that is shown

const image = element("img", { alt: "" });
const caption = element("figcaption");
const file = element("a", { class: "button", target: "_blank", rel: "noopener" }, "Open the file");
const stepButton = (step, label, arrow) =>
  element("button", { type: "button", "aria-label": label, onclick: () => move(step) }, arrow);
const previous = stepButton(-1, "Previous image", "←");
const next = stepButton(1, "Next image", "→");
const place = element("span", { class: "muted num" });
const dialog = element("dialog", {
  class: "lightbox", "aria-label": "Image",
  onclick: (event) => { if (event.target === dialog) dialog.close(); },
  onkeydown: (event) => { if (STEPS[event.key]) move(STEPS[event.key]); },
  onclose: () => current?.isConnected && current.focus(),
},
element("figure", {}, element("div", { class: "lightbox-frame" }, image), caption),
element("div", { class: "lightbox-bar" }, previous, next, place, element("span", { class: "grow" }), file,
  element("button", { type: "button", onclick: () => dialog.close() }, "Close")));

const line = (text, number) => {
  const at = text.lastIndexOf(": ");
  const isScore = number && at > 0 && !Number.isNaN(Number(text.slice(at + 2)));
  return isScore
    ? element("span", { class: "score" }, text.slice(0, at), element("i", {}, text.slice(at + 2)))
    : element(number ? "span" : "b", {}, text);
};
/* The thumbnails of the list that the current one is in. Each may have a parent of its own. */
const siblings = () => {
  let list = current.parentElement;
  const thumbs = () => [...(list?.querySelectorAll("a.thumb") ?? [])];
  while (list && thumbs().length < 2 && !list.matches(".card, section")) list = list.parentElement;
  return thumbs();
};
const show = (thumb) => {
  current = thumb;
  const lines = thumb.dataset.words.split("\n");
  image.src = file.href = thumb.href;
  image.alt = lines[0];
  caption.replaceChildren(...lines.map(line));
  const all = siblings();
  previous.disabled = all[0] === thumb;
  next.disabled = all.at(-1) === thumb;
  place.textContent = all.length > 1 ? `${all.indexOf(thumb) + 1} of ${all.length}` : "";
};
const move = (step) => {
  const all = siblings();
  const wanted = all[all.indexOf(current) + step];
  if (wanted) show(wanted);
};

document.addEventListener("click", (event) => {
  const thumb = event.target.closest("a.thumb");
  if (!thumb || opensElsewhere(event)) return;
  event.preventDefault();
  if (!dialog.isConnected) document.body.append(dialog);
  show(thumb);
  dialog.showModal();
});
