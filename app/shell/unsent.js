/* Text that was typed but not sent survives a reload by us or by Gradio. */

import { pending, unsaved } from "./actions.js";
import { interrupted, reloading } from "./connection.js";
import { user } from "./context.js";
import { session } from "./storage.js";

const KEY = "studio-unsent";

const fields = () => [...document.querySelectorAll("main .live :is(form [name], [data-change])")]
  .filter((field) => field.matches("input, textarea, select") && !field.matches("[data-jump]")
    && !["file", "hidden", "password"].includes(field.type));
const nameOf = ({ name, dataset: { change, sample, number } }) => [name, change, sample, number].join(" ");
const edited = (field) => {
  if (field.matches("[type=checkbox], [type=radio]"))
    return field.checked !== field.defaultChecked && { checked: field.checked };
  if (field.options) return !field.selectedOptions[0]?.defaultSelected && { value: field.value };
  return field.value !== field.defaultValue && { value: field.value };
};

const keep = () => {
  const typed = fields().flatMap((field, place) => {
    const now = edited(field);
    return now ? [{ place, name: nameOf(field), now }] : [];
  });
  // Another user who logs in next must not send it.
  if (typed.length) session.setJson(KEY, { at: location.href, whose: user(), typed });
};
addEventListener("pagehide", () => {
  if (interrupted() || unsaved.size) keep();
});
addEventListener("beforeunload", (event) => { // unconfirmed actions would be lost
  if (pending() && !reloading()) event.preventDefault();
});

let kept = session.getJson(KEY);
session.remove(KEY);
document.addEventListener("studio:shown", () => {
  const found = fields();
  if (!kept || !found.length) return;
  const { at, whose, typed } = kept;
  kept = null;
  if (at !== location.href || whose !== user()) return;
  for (const { place, name, now } of typed) {
    const field = [found[place], ...found].find((one) => one && nameOf(one) === name);
    if (!field) continue;
    Object.assign(field, now);
    for (const type of ["input", "change"]) field.dispatchEvent(new Event(type, { bubbles: true }));
  }
});
