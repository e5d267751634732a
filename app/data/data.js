/* The Data page: select images in the list, show stored values in fields, open the list after a
   deletion. */
(() => {
  "use strict";
  const boxes = (form) => [...form.querySelectorAll("input[type=checkbox][name^=selected-]")];
  const count = (form) => {
    const selected = boxes(form).filter((box) => box.checked).length;
    const all = form.querySelector("[data-all]");
    if (all) {
      all.checked = selected > 0 && selected === boxes(form).length;
      all.indeterminate = selected > 0 && !all.checked;
    }
    const words = form.querySelector("[data-selected-count]");
    if (words) words.textContent = selected ? `${selected.toLocaleString("en")} selected` : "None selected";
  };
  const seen = new WeakMap(); // form → the revision at which its boxes were checked
  let bulk = null; // the form whose selected images are being changed
  let last = null; // the box that was clicked last: Shift selects from it
  document.addEventListener("click", (event) => {
    const box = event.target.closest?.("form.images input[type=checkbox]");
    if (!box) return;
    const form = box.form;
    if (box.matches("[data-all]")) for (const one of boxes(form)) one.checked = box.checked;
    else if (event.shiftKey && last?.form === form) {
      const all = boxes(form);
      const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
      for (const one of all.slice(from, to + 1)) one.checked = box.checked;
    }
    if (!box.matches("[data-all]")) last = box;
    count(form);
  });
  document.addEventListener("keydown", (event) => {
    const field = event.key === "Enter" && event.target.closest?.("form.images input[type=text]");
    if (!field) return;
    event.preventDefault(); // Enter saves this field instead of pressing the form's first button
    if (field.name === "bulk-caption") return field.nextElementSibling.click();
    field.blur();
    field.focus();
  });
  document.addEventListener("change", (event) => {
    const form = event.target.closest?.("form.images");
    if (form) count(form);
    if (event.target.matches?.("[data-change]")) bulk = null; // the change before it may have failed
    const filter = event.target.closest?.("form.filter"); // selecting a value filters at once
    if (filter && event.target.matches("select")) filter.requestSubmit();
  });
  /* The filter is in the address, for reloads and the back button. */
  document.addEventListener("submit", (event) => {
    const form = event.target.closest?.("form.filter");
    if (!form) return;
    event.preventDefault();
    const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
    studio.go(`/?${query}`);
  });
  /* A field shows the stored value unless it has an unsaved change. */
  const settle = (root) => {
    for (const field of root.querySelectorAll("[data-stored]"))
      if (field !== document.activeElement && !studio.unsaved.has(field))
        if (field.value !== field.dataset.stored)
          field.value = field.dataset.stored; // after an undo, a change in another tab, or a refused value
    for (const [field, words] of missed) {
      if (studio.unsaved.has(field)) {
        field.setAttribute("aria-invalid", "true");
        field.parentElement?.append(words); // last, where patching leaves it alone
      } else if (missed.delete(field)) {
        field.removeAttribute("aria-invalid");
        words.remove();
      }
    }
  };
  const missed = new Map(); // field whose change did not reach the server → its message
  const miss = (fields) => {
    for (const field of fields) {
      if (missed.has(field)) continue;
      const words = document.createElement("small");
      words.textContent = "Not saved yet. The studio retries when the server responds.";
      missed.set(field, words);
    }
    settle(document);
  };
  addEventListener("studio:away", () => miss(studio.unsaved.keys()));
  addEventListener("studio:answered", ({ detail: { field, well } }) => {
    if (field) miss(well ? [] : [field]);
  });
  document.addEventListener("submit", (event) => {
    if (event.target.matches?.("form.images")) bulk = event.target;
  });
  document.addEventListener("studio:shown", (event) => {
    settle(event.target);
    for (const form of event.target.querySelectorAll("form.images")) {
      const changed = form.dataset.revision !== seen.get(form);
      if (changed && bulk === form) { // the selected images have been changed
        for (const box of boxes(form)) box.checked = false;
        bulk = null;
      }
      seen.set(form, form.dataset.revision);
      count(form);
    }
    const target = event.target.querySelector("[data-replace]");
    if (target) studio.go(target.dataset.replace, true);
  });
})();
