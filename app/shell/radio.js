/* Gradio gives each radio button of a group its own name, so browsers don't see a group. One shared
   name gives the group one Tab stop and the arrow keys. Gradio renames the buttons when the choice
   changes, so their names are watched. */

const RADIO = "fieldset input[type=radio]";
const holdsRadio = (node) => node.nodeType === 1 && (node.matches(RADIO) || node.querySelector(RADIO));
const join = () => {
  for (const group of document.querySelectorAll("fieldset")) {
    const radios = [...group.querySelectorAll("input[type=radio]")];
    for (const radio of radios) if (radio.name !== radios[0].name) radio.name = radios[0].name;
  }
};
new MutationObserver((changes) => {
  if (changes.some(({ type, target, addedNodes }) =>
    type === "attributes" ? holdsRadio(target) : [...addedNodes].some(holdsRadio))) join();
}).observe(document.documentElement, { childList: true, subtree: true, attributeFilter: ["name"] });
