/* The queue of labels to save. Labels are sent in order, retried on failure, and kept in the
   browser's storage until the server has them, so a reload loses none. */
(() => {
  "use strict";
  const DELAYS = [1, 2, 4, 8, 15]; // seconds between retries
  const MAX_IMAGES = 5000; // per request: the server refuses more
  const TEMPORARY = [408, 421, 429]; // the labels are valid, so they are sent again
  const refused = (status) => status >= 400 && status < 500 && !TEMPORARY.includes(status);

  /* `onChange(waiting, problem, {refused, undone, shown})`: how many requests wait, the error
     message, whether the server refused a label, the labels that an undo restored, and whether the
     page shows them already. */
  studio.labelQueue = (subset, onChange) => {
    // The next user of this browser must neither send nor lose the labels of this one.
    const user = document.querySelector('meta[name="studio-user"]')?.content;
    const key = ["vecaf-labels", user, subset].filter(Boolean).join("-");
    const read = () => {
      try { return JSON.parse(localStorage.getItem(key)) ?? []; } catch { return []; }
    };
    const write = () => {
      try {
        const kept = waiting.filter((one) => one !== undoing);
        if (kept.length) localStorage.setItem(key, JSON.stringify(kept));
        else localStorage.removeItem(key);
      } catch { /* private window: kept in memory only */ }
    };
    const waiting = read(); // of {image id: class index or null}, or {undo: true, values}
    const before = new WeakMap(); // request → the previous labels of its images
    const group = new WeakMap(); // request → the labels it was put with
    const given = []; // the group of each request, newest last
    let sending = null;
    let undoing = null; // sent only once: a repeated undo would undo two labels
    const send = async (one) => {
      if (!one.undo) return void (await studio.fetchJson(`/label/${subset}/labels`, { values: one }));
      undoing = one;
      write();
      return (await studio.fetchJson(`/label/${subset}/undo`, {})).values;
    };

    const pump = async () => {
      let tries = 0;
      while (waiting.length) {
        try {
          const undone = await send(waiting[0]);
          const shown = !!waiting.shift().values;
          tries = 0;
          write();
          onChange(waiting.length, "", { undone, shown });
        } catch (error) {
          if (waiting[0].undo) {
            waiting.shift();
            const problem = error.status ? error.message : "The server is not responding, so the label was not undone. Try again.";
            onChange(waiting.length, problem, { refused: true });
            continue;
          }
          if (error.status === 401) { // logged out: kept until the next login
            onChange(waiting.length, error.message);
            break;
          }
          if (refused(error.status)) { // a retry would fail too
            const at = given.lastIndexOf(group.get(waiting.shift()));
            if (at >= 0) given.splice(at, 1);
            if (waiting[0]?.undo) waiting.shift(); // there is no label to undo
            write();
            onChange(waiting.length, error.message, { refused: true });
            continue;
          }
          const pause = DELAYS[Math.min(tries++, DELAYS.length - 1)];
          onChange(waiting.length, `The server is not responding. Retrying in ${pause} s. Your labels are kept in this browser.`);
          await new Promise((done) => setTimeout(done, 1000 * pause));
        }
      }
      sending = null;
    };
    const undoPart = () => {
      const last = waiting.at(-1);
      const were = before.get(last);
      if (were && !(sending && last === waiting[0])) waiting.pop();
      else waiting.push({ undo: true, values: were });
      return were;
    };
    const flush = () => (sending ??= waiting.length ? pump() : null) ?? Promise.resolve();
    return {
      waiting,
      flush,
      put(values, were = {}) {
        const all = Object.entries(values);
        for (let start = 0; start < all.length; start += MAX_IMAGES) {
          const part = Object.fromEntries(all.slice(start, start + MAX_IMAGES));
          before.set(part, Object.fromEntries(Object.keys(part).map((id) => [id, were[id] ?? null])));
          group.set(part, all);
          given.push(all);
          waiting.push(part);
        }
        write();
        flush();
      },
      /* Undo the newest labels, in all their parts. A part that was not sent is dropped; for the
         others an undo is queued. Returns the previous labels, as far as they are known. */
      undo() {
        const last = given.at(-1); // none: labeled before a reload
        const were = [];
        do were.push(undoPart());
        while (last && given.pop() && given.at(-1) === last);
        write();
        flush();
        const known = were.filter(Boolean);
        return known.length ? Object.assign({}, ...known) : undefined;
      },
    };
  };
})();
