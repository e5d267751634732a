/* Live pieces: HTML that the server renders as `props.value` and that is patched in place.

   Clicks on [data-act], submits of form[data-act] (with its fields) and changes of [data-change] go
   to the server as the event "act" with the element's data. Links with data-go and select[data-jump]
   change the address and ask for the new view. "studio:shown" bubbles from a piece after each update. */

import { act } from "./actions.js";
import { go } from "./address.js";
import { confirmed } from "./confirm.js";
import { opensElsewhere } from "./dom.js";
import { morph } from "./morph.js";
import { showTimes } from "./times.js";

/* Show HTML in `root`; its focus and its open parts stay. */
export const show = (root, html) => {
  morph(root, html);
  showTimes(root);
};

/* Start a live piece; the arguments are those of Gradio's js_on_load. */
export const live = (element, props, trigger, watch) => {
  const root = element.querySelector(".live");
  const update = () => {
    if (typeof props.value !== "string" || !props.value) return;
    root.removeAttribute("aria-busy");
    show(root, props.value);
    element.dispatchEvent(new CustomEvent("studio:shown", { bubbles: true }));
  };
  root.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-act]");
    if (!form) return;
    event.preventDefault();
    const button = event.submitter;
    const data = { ...form.dataset, ...Object.fromEntries(new FormData(form, button)) };
    if (await confirmed(form)) act(trigger, data, { button });
  });
  root.addEventListener("change", (event) => {
    const field = event.target.closest("[data-change]");
    const value = field?.value;
    if (field) act(trigger, { ...field.dataset, act: field.dataset.change, value }, { field, value });
    const jump = event.target.closest("select[data-jump]"); // its value is an address
    if (jump) go(jump.value);
  });
  root.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-act]:not(form)");
    if (button) {
      const data = { ...button.dataset }; // copied now, because an update may reuse the element
      if (await confirmed(button)) act(trigger, data, { button });
      return;
    }
    const link = event.target.closest("a[data-go]");
    if (link && !opensElsewhere(event)) {
      event.preventDefault();
      go(link.getAttribute("href"), false, "stay" in link.dataset);
    }
  });
  // Of several waiting events, Gradio sends only the first, and reads its data when it sends it.
  const here = { get query() { return location.search; } };
  addEventListener("studio:go", () => trigger("go", here));
  watch("value", update);
  update(); // last, so that listeners receive the values that it restores
};

addEventListener("popstate", () => dispatchEvent(new Event("studio:go")));
