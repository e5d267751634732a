/* What the workflow bar reads from addresses. Pure functions. */

const NAMED_ONLY = ["/", "/runs"]; // these pages are about a dataset only if the address names it
const WITHOUT = ["/compare"];
const NAMES = [["dataset", "dataset"], ["run", "run"], ["run", "clone"], ["subset", "subset"]];

/* What names the dataset of this page, as a query; null if the page is about none. */
export const asked = (path, found, last) => {
  if (WITHOUT.includes(path)) return null;
  for (const [name, parameter] of NAMES)
    if (/^\d{1,18}$/.test(found.get(parameter) ?? "")) return `${name}=${found.get(parameter)}`;
  if (NAMED_ONLY.includes(path)) return null;
  return last ? `dataset=${last}` : "";
};

/* Whether a link leads to what the address already shows. */
export const leadsHere = (link, path, found) =>
  link.pathname === path && [...new URLSearchParams(link.search)]
    .every(([name, value]) => name === "dataset" || found.get(name) === value);
