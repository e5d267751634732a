/* The address bar holds a page's state: reload, the back button and a second tab find it again. */

export const query = () => location.search;

const RENAMED = { colour: "color", pick: "image" }; // old name in bookmarks: name

export const parameters = () => {
  const found = new URLSearchParams(location.search);
  for (const [old, name] of Object.entries(RENAMED)) {
    if (!found.has(old)) continue;
    if (!found.has(name)) found.set(name, found.get(old));
    found.delete(old);
  }
  return found;
};

/* A parameter that is a plausible id, else null. */
export const id = (name) => {
  const text = parameters().get(name) ?? "";
  return /^\d{1,18}$/.test(text) ? Number(text) : null;
};

/* Go to an address of this page: live pieces ask for their new view.
   `stay` keeps the scroll position. */
export const go = (href, replace = false, stay = replace) => {
  history[replace ? "replaceState" : "pushState"]({}, "", href);
  if (!stay) scrollTo({ top: 0 });
  dispatchEvent(new Event("studio:go"));
};

/* Set parameters and leave the others; null and "" remove one. The page itself follows. */
export const setParameters = (values, push = false) => {
  const now = parameters();
  for (const [name, value] of Object.entries(values))
    if (value === null || value === undefined || value === "") now.delete(name);
    else now.set(name, value);
  const address = `${location.pathname}?${now}`;
  if (address !== location.pathname + location.search)
    history[push ? "pushState" : "replaceState"]({}, "", address);
};
