/* Labels on their way to the server: shown at once, sent one after the other, tried again on
   failure, and kept in the browser until the server has them, so a reload loses none. */
(() => {
  "use strict";
  const PATIENCE = [1, 2, 4, 8, 15]; // seconds between tries
  const MOST = 5000; // images of one request: the server refuses more
  const PASSING = [408, 421, 429]; // nothing is wrong with the labels: they are sent again
  const refused = (status) => status >= 400 && status < 500 && !PASSING.includes(status);

  /* `told(waiting, problem)` hears how many wait and the sentence of a refusal, if any. */
  studio.labelQueue = (subset, told) => {
    // Who logs in next in this browser must not send, or lose, what another one has labelled.
    const user = document.querySelector('meta[name="studio-user"]')?.content;
    const key = ["vecaf-labels", user, subset].filter(Boolean).join("-");
    const read = () => {
      try { return JSON.parse(localStorage.getItem(key)) ?? []; } catch { return []; }
    };
    const write = () => {
      try {
        if (waiting.length) localStorage.setItem(key, JSON.stringify(waiting));
        else localStorage.removeItem(key);
      } catch { /* a private window: kept in memory alone */ }
    };
    const waiting = read(); // of {image id: class index or null}
    let sending = null;

    const pump = async () => {
      let tries = 0;
      while (waiting.length) {
        try {
          await studio.fetchJson(`/label/${subset}/labels`, { values: waiting[0] });
          waiting.shift();
          tries = 0;
          write();
          told(waiting.length, "");
        } catch (error) {
          if (error.status === 401) { // the login has ended: kept until there is another
            told(waiting.length, error.message);
            break;
          }
          if (refused(error.status)) { // trying again changes nothing
            waiting.shift();
            write();
            told(waiting.length, error.message, true);
            continue;
          }
          const pause = PATIENCE[Math.min(tries++, PATIENCE.length - 1)];
          told(waiting.length, `The studio does not answer. Trying again in ${pause} s; nothing is lost.`);
          await new Promise((done) => setTimeout(done, 1000 * pause));
        }
      }
      sending = null;
    };
    const flush = () => (sending ??= waiting.length ? pump() : null) ?? Promise.resolve();
    return {
      waiting,
      flush,
      put(values) {
        const all = Object.entries(values);
        for (let start = 0; start < all.length; start += MOST)
          waiting.push(Object.fromEntries(all.slice(start, start + MOST)));
        write();
        flush();
      },
    };
  };
})();
