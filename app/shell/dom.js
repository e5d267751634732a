/* How scripts build elements. HTML that the server renders goes through morph.js instead. */

/* Return an element with attributes, listeners ("onclick") and children. Text is always text.
   An attribute that is null or undefined is left out; so is a child that is null, undefined or false. */
export const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean" && !name.startsWith("aria-")) made.toggleAttribute(name, value);
    else if (name === "value") made.value = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
};

const SVG = "http://www.w3.org/2000/svg";
const STROKE = {
  viewBox: "0 0 24 24", width: 18, height: 18, fill: "none", stroke: "currentColor",
  "stroke-width": 1.8, "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true",
};
/* Return a line drawing as an SVG element. `path` is the `d` of its one path, on a grid of 24 × 24. */
export const icon = (path) => {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries(STROKE)) svg.setAttribute(name, value);
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
};

/* Return a color of the theme: color("accent") reads the CSS variable --accent. */
export const color = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/* Whether a click opens a link in another tab or window, which scripts leave to the browser. */
export const opensElsewhere = (event) =>
  event.metaKey || event.ctrlKey || event.shiftKey || Boolean(event.button);
