/* Gradio gives each radio of a group a name of its own, so browsers don't take them for a group:
   the arrow keys go from one to the next here, and choose it, as they do everywhere else. */
document.addEventListener("keydown", (event) => {
  "use strict";
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  const radio = event.target.closest?.("fieldset input[type=radio]");
  if (!step || !radio || event.altKey || event.ctrlKey || event.metaKey) return;
  const group = [...radio.closest("fieldset").querySelectorAll("input[type=radio]:not(:disabled)")];
  const next = group[(group.indexOf(radio) + step + group.length) % group.length];
  event.preventDefault();
  next.click();
  next.focus();
});
