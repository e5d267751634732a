/* A click on a thumbnail shows the image large with what is known about it; arrow keys go on. */
(() => {
  "use strict";
  let dialog = null;
  let current = null;

  const build = () => {
    dialog = document.createElement("dialog");
    dialog.className = "lightbox";
    dialog.setAttribute("aria-label", "Image");
    dialog.innerHTML =
      '<figure><div class="lightbox-frame"><img alt=""></div><figcaption></figcaption></figure>' +
      '<div class="lightbox-bar"><button type="button" data-step="-1" aria-label="Previous image">←</button>' +
      '<button type="button" data-step="1" aria-label="Next image">→</button><span class="grow"></span>' +
      '<a class="button" target="_blank" rel="noopener">Open the file</a>' +
      '<button type="button" data-close>Close</button></div>';
    document.body.append(dialog);
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
      const step = event.target.closest("[data-step]");
      if (step) move(+step.dataset.step);
    });
    dialog.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) move(step);
    });
    dialog.addEventListener("close", () => current?.isConnected && current.focus());
  };
  const show = (thumb) => {
    current = thumb;
    const lines = thumb.dataset.words.split("\n");
    const image = dialog.querySelector("img");
    image.src = thumb.href;
    image.alt = lines[0];
    const caption = dialog.querySelector("figcaption");
    caption.replaceChildren(...lines.map((line, i) => {
      const element = document.createElement(i ? "span" : "b");
      const at = line.lastIndexOf(": ");
      if (i && at > 0 && !isNaN(line.slice(at + 2))) { // a score: its value stands in a column
        element.className = "score";
        element.append(line.slice(0, at), Object.assign(document.createElement("i"), { textContent: line.slice(at + 2) }));
      } else element.textContent = line;
      return element;
    }));
    dialog.querySelector("a").href = thumb.href;
    const all = siblings();
    dialog.querySelector('[data-step="-1"]').disabled = all[0] === thumb;
    dialog.querySelector('[data-step="1"]').disabled = all.at(-1) === thumb;
  };
  const siblings = () => [...(current.parentElement?.querySelectorAll(".thumb") ?? [])];
  const move = (step) => {
    const next = siblings()[siblings().indexOf(current) + step];
    if (next) show(next);
  };

  document.addEventListener("click", (event) => {
    const thumb = event.target.closest("a.thumb");
    if (!thumb || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    if (!dialog) build();
    show(thumb);
    dialog.showModal();
  });
})();
