/* Fields with data-param live in the address, so the server draws the comparison for their values. */

import { go, parameters } from "../shell/address.js";
import "../shell/chart.js";

document.addEventListener("change", (event) => {
  const field = event.target.closest("[data-param]");
  if (!field?.checkValidity()) return;
  const now = parameters();
  now.set(field.dataset.param, field.value);
  go(`${location.pathname}?${now}`, true);
});
document.addEventListener("input", (event) => { // a slider and its number move together
  const field = event.target.closest("[data-param]");
  if (!field) return;
  for (const same of document.querySelectorAll(`[data-param="${field.dataset.param}"]`))
    if (same !== field) same.value = field.value;
});
