/* What the browser keeps: `local` for all tabs of this browser, `session` for this tab.
   A private window may refuse to store anything; reads then return null. */

const storage = (area) => ({
  get(key) {
    try {
      return area().getItem(key);
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      area().setItem(key, value);
    } catch { /* the browser refuses, or its quota is used up */ }
  },
  remove(key) {
    try {
      area().removeItem(key);
    } catch { /* the browser refuses */ }
  },
  /* The stored JSON value; null where there is none, or text that is not JSON. */
  getJson(key) {
    try {
      return JSON.parse(area().getItem(key));
    } catch {
      return null;
    }
  },
  setJson(key, value) {
    this.set(key, JSON.stringify(value));
  },
  available() {
    try {
      return Boolean(area());
    } catch {
      return false;
    }
  },
});

export const local = storage(() => localStorage);
export const session = storage(() => sessionStorage);
