/* The Data page: choosing images in the list, fields that show what is stored, going elsewhere. */
(() => {
  "use strict";
  const picks = (form) => [...form.querySelectorAll("input[type=checkbox][name^=pick-]")];
  const count = (form) => {
    const chosen = picks(form).filter((box) => box.checked).length;
    const all = form.querySelector("[data-all]");
    if (all) {
      all.checked = chosen > 0 && chosen === picks(form).length;
      all.indeterminate = chosen > 0 && !all.checked;
    }
    const words = form.querySelector("[data-chosen]");
    if (words) words.textContent = chosen ? `${chosen.toLocaleString("en")} chosen` : "None chosen";
  };
  const seen = new WeakMap(); // form → the revision that its boxes were ticked at
  let bulk = null; // the form whose chosen images are being changed
  let last = null; // the box that was clicked before: Shift chooses up to it
  document.addEventListener("click", (event) => {
    const box = event.target.closest?.("form.images input[type=checkbox]");
    if (!box) return;
    const form = box.form;
    if (box.matches("[data-all]")) for (const one of picks(form)) one.checked = box.checked;
    else if (event.shiftKey && last?.form === form) {
      const all = picks(form);
      const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
      for (const one of all.slice(from, to + 1)) one.checked = box.checked;
    }
    if (!box.matches("[data-all]")) last = box;
    count(form);
  });
  document.addEventListener("keydown", (event) => {
    const field = event.key === "Enter" && event.target.closest?.("form.images input[type=text]");
    if (!field) return;
    event.preventDefault(); // Enter saves this field: it does not press the form's first button
    if (field.name === "bulk-caption") return field.nextElementSibling.click();
    field.blur();
    field.focus();
  });
  document.addEventListener("change", (event) => {
    const form = event.target.closest?.("form.images");
    if (form) count(form);
    if (event.target.matches?.("[data-change]")) bulk = null; // whatever came of the one before
    const filter = event.target.closest?.("form.filter"); // a choice filters at once
    if (filter && event.target.matches("select")) filter.requestSubmit();
  });
  /* The filter lives in the address: a reload and the back button find it. */
  document.addEventListener("submit", (event) => {
    const form = event.target.closest?.("form.filter");
    if (!form) return;
    event.preventDefault();
    const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
    studio.go(`/?${query}`);
  });
  /* A field shows what is stored, but for what was typed and is still on its way. */
  const settle = (root) => {
    for (const field of root.querySelectorAll("[data-stored]"))
      if (field !== document.activeElement && !studio.unsaved.has(field))
        if (field.value !== field.dataset.stored)
          field.value = field.dataset.stored; // an undo, another tab, or a value that was refused
    for (const [field, words] of missed) {
      if (studio.unsaved.has(field)) {
        field.setAttribute("aria-invalid", "true");
        field.parentElement?.append(words); // last, where it is in no redraw's way
      } else if (missed.delete(field)) {
        field.removeAttribute("aria-invalid");
        words.remove();
      }
    }
  };
  const missed = new Map(); // field whose change did not reach the server → the words that say so
  const miss = (fields) => {
    for (const field of fields) {
      if (missed.has(field)) continue;
      const words = document.createElement("small");
      words.textContent = "Not saved yet: it is sent again when the studio answers.";
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
      if (changed && bulk === form) { // what was chosen has been dealt with
        for (const box of picks(form)) box.checked = false;
        bulk = null;
      }
      seen.set(form, form.dataset.revision);
      count(form);
    }
    const elsewhere = event.target.querySelector("[data-replace]");
    if (elsewhere) studio.go(elsewhere.dataset.replace, true);
  });
})();
