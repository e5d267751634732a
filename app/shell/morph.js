/* Patch an element until it equals new HTML, so that updates do not flicker. Children with
   data-key are matched by it. An open <details>, a focused field and a loaded image stay; so does
   all inside an element with data-own, which a script fills. */

const keepsOpen = (element, name) => name === "open" && element.tagName === "DETAILS";

const morphElement = (old, fresh) => {
  for (const { name } of [...old.attributes])
    if (!fresh.hasAttribute(name) && !keepsOpen(old, name)) old.removeAttribute(name);
  for (const { name, value } of [...fresh.attributes])
    if (old.getAttribute(name) !== value && !keepsOpen(old, name)) old.setAttribute(name, value);
  if (!old.hasAttribute("data-own")) morphChildren(old, fresh);
};

const morphChildren = (old, fresh) => {
  const wanted = new Set([...fresh.children].map((child) => child.dataset.key));
  const keyed = new Map();
  for (const child of [...old.children]) {
    const { key } = child.dataset;
    if (key && wanted.has(key)) keyed.set(key, child);
    else if (key) child.remove(); // removed now, because an element that is moved past it would lose its focus
  }
  let at = old.firstChild;
  for (const want of [...fresh.childNodes]) {
    const key = want.nodeType === 1 ? want.dataset.key : undefined;
    let have = key ? keyed.get(key) : at;
    if (!key && have?.nodeType === 1 && have.dataset.key) have = undefined;
    if (have && have.nodeName === want.nodeName) {
      if (have !== at) old.insertBefore(have, at);
      else at = at.nextSibling;
      if (have.nodeType === 1) morphElement(have, want);
      else if (have.nodeValue !== want.nodeValue) have.nodeValue = want.nodeValue;
    } else old.insertBefore(want, at);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
};

/* Make the children of `root` those of `html`. */
export const morph = (root, html) => {
  const fresh = document.createElement("div");
  fresh.innerHTML = html;
  morphChildren(root, fresh);
};
