/* Labels on their way to the server: shown at once, sent one after the other, tried again on
   failure, and kept in the browser until the server has them, so a reload loses none. */
(() => {
  "use strict";
  const PATIENCE = [1, 2, 4, 8, 15]; // seconds between tries
  const MOST = 5000; // images of one request: the server refuses more
  const PASSING = [408, 421, 429]; // nothing is wrong with the labels: they are sent again
  const refused = (status) => status >= 400 && status < 500 && !PASSING.includes(status);

  /* `told(waiting, problem, {refused, undone, shown})` hears how many wait, the sentence of what went
     wrong, whether that is now given up, and the values that an undo has brought back. */
  studio.labelQueue = (subset, told) => {
    // Who logs in next in this browser must not send, or lose, what another one has labelled.
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
      } catch { /* a private window: kept in memory alone */ }
    };
    const waiting = read(); // of {image id: class index or null}, or {undo: true, values} for what came before
    const before = new WeakMap(); // one of them → what its images had before
    const group = new WeakMap(); // one of them → what it was put with
    const given = []; // the group of each that was put, the last one last
    let sending = null;
    let undoing = null; // sent once alone: twice, it would take back two labels
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
          told(waiting.length, "", { undone, shown });
        } catch (error) {
          if (waiting[0].undo) {
            waiting.shift();
            const problem = error.status ? error.message : "The studio does not answer, so nothing was taken back.";
            told(waiting.length, problem, { refused: true });
            continue;
          }
          if (error.status === 401) { // the login has ended: kept until there is another
            told(waiting.length, error.message);
            break;
          }
          if (refused(error.status)) { // trying again changes nothing
            const at = given.lastIndexOf(group.get(waiting.shift()));
            if (at >= 0) given.splice(at, 1);
            if (waiting[0]?.undo) waiting.shift(); // there is nothing to take back
            write();
            told(waiting.length, error.message, { refused: true });
            continue;
          }
          const pause = PATIENCE[Math.min(tries++, PATIENCE.length - 1)];
          told(waiting.length, `The studio does not answer. Trying again in ${pause} s; nothing is lost.`);
          await new Promise((done) => setTimeout(done, 1000 * pause));
        }
      }
      sending = null;
    };
    const takePart = () => {
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
        for (let start = 0; start < all.length; start += MOST) {
          const part = Object.fromEntries(all.slice(start, start + MOST));
          before.set(part, Object.fromEntries(Object.keys(part).map((id) => [id, were[id] ?? null])));
          group.set(part, all);
          given.push(all);
          waiting.push(part);
        }
        write();
        flush();
      },
      /* Take back what was given last, in all its parts: here alone where one was not sent yet, else
         behind it in line. Returns the values that its images had before, as far as they are known. */
      takeBack() {
        const last = given.at(-1); // none: given before a reload
        const were = [];
        do were.push(takePart());
        while (last && given.pop() && given.at(-1) === last);
        write();
        flush();
        const known = were.filter(Boolean);
        return known.length ? Object.assign({}, ...known) : undefined;
      },
    };
  };
})();
