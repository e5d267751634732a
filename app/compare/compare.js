/* Boxes on the list of runs become "Compare 3 runs"; fields with data-param live in the address. */
(() => {
  "use strict";
  const picked = new Set(); // of the tab, in the order of ticking
  const bar = () => {
    const place = document.querySelector(".compare-bar");
    if (!place) return;
    const ids = [...picked];
    if (ids.length > 1)
      place.innerHTML = `<a class="button primary" href="/compare?runs=${ids.join(",")}">Compare ${ids.length} runs</a>`;
    else place.innerHTML = ids.length ? "<p>Tick another run to compare it with.</p>" : "";
  };
  document.addEventListener("change", (event) => {
    const box = event.target.closest("[data-pick]");
    if (box) {
      picked[box.checked ? "add" : "delete"](+box.dataset.pick);
      bar();
    }
    const field = event.target.closest("[data-param]");
    if (field && field.checkValidity()) {
      const address = new URL(location.href);
      address.searchParams.set(field.dataset.param, field.value);
      studio.go(address.pathname + address.search, true);
    }
  });
  document.addEventListener("input", (event) => { // a slider and its number move together
    const field = event.target.closest("[data-param]");
    if (!field) return;
    for (const twin of document.querySelectorAll(`[data-param="${field.dataset.param}"]`))
      if (twin !== field) twin.value = field.value;
  });
  document.addEventListener("studio:shown", () => {
    for (const box of document.querySelectorAll("[data-pick]")) box.checked = picked.has(+box.dataset.pick);
    bar();
  });
})();
