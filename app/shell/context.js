/* What the server writes into the page's head (app/shell/head.py). */

let read = null;

/* {pages, logo, plotly}: the pages of the navigation bar, and the addresses of two files. */
export const context = () =>
  (read ??= JSON.parse(document.getElementById("studio-context").textContent));

/* The name of the user who is logged in; undefined where the studio has no accounts. */
export const user = () => document.querySelector('meta[name="studio-user"]')?.content;
