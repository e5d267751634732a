/* The images of a dataset: select them, change many at once, filter them. */

import { go } from "../shell/address.js";

const boxesOf = (form) => [...form.querySelectorAll("input[type=checkbox][name^=selected-]")];

const showCount = (form) => {
  const boxes = boxesOf(form);
  const selected = boxes.filter((box) => box.checked).length;
  const all = form.querySelector("[data-all]");
  all.checked = selected > 0 && selected === boxes.length;
  all.indeterminate = selected > 0 && !all.checked;
  form.querySelector("[data-selected-count]").textContent =
    selected ? `${selected.toLocaleString("en")} selected` : "None selected";
};

let lastClicked = null; // checkbox; Shift selects from here
document.addEventListener("click", (event) => {
  const box = event.target.closest?.("form.images input[type=checkbox]");
  if (!box) return;
  const form = box.form;
  const boxes = boxesOf(form);
  if (box.matches("[data-all]")) for (const one of boxes) one.checked = box.checked;
  else {
    if (event.shiftKey && lastClicked?.form === form) {
      const [from, to] = [boxes.indexOf(lastClicked), boxes.indexOf(box)].sort((a, b) => a - b);
      for (const one of boxes.slice(from, to + 1)) one.checked = box.checked;
    }
    lastClicked = box;
  }
  showCount(form);
});

/* Enter saves the field that has the focus, instead of pressing the form's first button. */
document.addEventListener("keydown", (event) => {
  const field = event.key === "Enter" && event.target.closest?.("form.images input[type=text]");
  if (!field) return;
  event.preventDefault();
  if (field.name === "bulk-caption") return field.nextElementSibling.click();
  field.blur();
  field.focus();
});

let submitted = null; // the form whose selected images are being changed
const revisions = new WeakMap(); // form → the dataset's revision when it was last shown
document.addEventListener("submit", (event) => {
  if (event.target.matches?.("form.images")) submitted = event.target;
});
document.addEventListener("change", (event) => {
  const form = event.target.closest?.("form.images");
  if (form) showCount(form);
  if (event.target.matches?.("[data-change]")) submitted = null; // the next revision comes from this field
});
document.addEventListener("studio:shown", ({ target }) => {
  for (const form of target.querySelectorAll("form.images")) {
    const { revision } = form.dataset;
    if (submitted === form && revision !== revisions.get(form)) { // its images have been changed
      for (const box of boxesOf(form)) box.checked = false;
      submitted = null;
    }
    revisions.set(form, revision);
    showCount(form);
  }
});

/* The filter is in the address, so reloads and the back button keep it. */
document.addEventListener("change", (event) => {
  const filter = event.target.closest?.("form.filter");
  if (filter && event.target.matches("select")) filter.requestSubmit();
});
document.addEventListener("submit", (event) => {
  const form = event.target.closest?.("form.filter");
  if (!form) return;
  event.preventDefault();
  go(`/?${new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""))}`);
});
