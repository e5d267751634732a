/* What every page shares: the bar at the top, light and dark, and "live" pieces of HTML that the
   server renders and this script patches in place, so that nothing flickers or loses its focus. */
(() => {
  "use strict";
  const studio = (window.studio = { query: () => location.search });

  /* Light and dark. Gradio puts `dark` on the body by the system's wish; ours may differ. */
  const wish = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => {
    try { return localStorage.getItem("studio-theme"); } catch { return null; }
  };
  studio.dark = () => (stored() ?? (wish.matches ? "dark" : "light")) === "dark";
  const paint = () => {
    const dark = studio.dark();
    document.documentElement.classList.toggle("dark", dark);
    document.documentElement.style.colorScheme = dark ? "dark" : "light";
    if (document.body && document.body.classList.contains("dark") !== dark)
      document.body.classList.toggle("dark", dark);
  };
  const repaint = () => { // at once: colors that fade would be unreadable half-way
    const root = document.documentElement;
    root.classList.add("repainting");
    paint();
    void root.offsetWidth; // the new colors are computed now, while nothing may fade
    root.classList.remove("repainting");
    document.dispatchEvent(new Event("studio:theme"));
  };
  paint();
  wish.addEventListener("change", repaint);

  /* The bar is there before Gradio is, so changing pages does not blink. */
  const PAGES = [
    ["/", "Data"], ["/explore", "Explore"], ["/select", "Select"], ["/label", "Label"],
    ["/finetune", "Finetune"], ["/runs", "Runs"], ["/shift", "Shift"], ["/predict", "Predict"],
  ];
  const UNLISTED = [["/compare", "Compare"]];
  const UNDER = { "/compare": "/runs" }; // which listed page an unlisted one belongs to
  const session = (key, value) => {
    try {
      if (value === undefined) return sessionStorage.getItem(key);
      sessionStorage.setItem(key, value);
    } catch { /* private window: not kept */ }
    return null;
  };
  const remember = () => {
    const dataset = new URLSearchParams(location.search).get("dataset");
    if (/^\d+$/.test(dataset ?? "")) session("studio-dataset", dataset);
  };
  addEventListener("studio:go", remember);
  const bar = () => {
    const logo = document.querySelector('meta[name="studio-logo"]').content;
    const here = location.pathname.replace(/\/+$/, "") || "/";
    const current = { [here]: ' aria-current="page"', [UNDER[here]]: ' aria-current="true"' };
    const links = PAGES.map(([path, name]) => `<a href="${path}"${current[path] ?? ""}>${name}</a>`).join("");
    const header = document.createElement("header");
    header.className = "bar";
    header.innerHTML =
      `<a class="skip" href="#main">Skip to content</a>` +
      `<a class="brand" href="/" aria-label="VeCAF Studio"><img src="${logo}" alt="" width="24" height="24">` +
      `<span>VeCAF <b>Studio</b></span></a><nav aria-label="Pages">${links}</nav>` +
      `<button type="button" class="theme" aria-label="Switch between light and dark" ` +
      `title="Light or dark"><span aria-hidden="true"></span></button>`;
    const user = document.querySelector('meta[name="studio-user"]')?.content;
    if (user) {
      const out = document.createElement("form");
      out.className = "who";
      out.method = "post";
      out.action = "/logout";
      out.innerHTML = `<span><span class="unseen">Logged in as </span><b></b></span>` +
        `<button type="submit" class="quiet">Log out</button>`;
      out.querySelector("b").textContent = out.title = user;
      header.append(out);
    }
    header.querySelector(".theme").addEventListener("click", () => {
      try { localStorage.setItem("studio-theme", studio.dark() ? "light" : "dark"); } catch { /* private window: not kept */ }
      repaint();
    });
    header.querySelector(".skip").addEventListener("click", (event) => {
      event.preventDefault();
      const title = document.querySelector("main h1");
      title?.setAttribute("tabindex", "-1");
      title?.focus();
    });
    header.querySelector("nav").addEventListener("click", (event) => { // the dataset comes along
      const link = event.target.closest("a");
      const dataset = new URLSearchParams(location.search).get("dataset") ?? session("studio-dataset");
      if (link && dataset && !["/", "/runs"].includes(link.pathname)) link.search = `?dataset=${dataset}`;
    });
    remember();
    const name = [...PAGES, ...UNLISTED].find(([path]) => path === here)?.[1];
    if (name) // Gradio gives every page the same title, once it has started
      new MutationObserver(() => {
        const title = `${name} · VeCAF Studio`;
        if (document.title !== title) document.title = title;
      }).observe(document.head, { childList: true, subtree: true, characterData: true });
    document.body.prepend(header);
    new MutationObserver(paint).observe(document.body, { attributeFilter: ["class"] });
    paint();
    document.dispatchEvent(new Event("studio:bar")); // others add to the bar
    header.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  };
  if (document.body) bar();
  else document.addEventListener("DOMContentLoaded", bar);

  /* Patch `old` until it looks like `fresh`. Children with data-key are matched by it; an open
     <details>, a focused field and a loaded image stay as they are. */
  const KEPT = new Set(["open"]);
  const patch = (old, fresh) => {
    for (const { name } of [...old.attributes])
      if (!fresh.hasAttribute(name) && !(KEPT.has(name) && old.tagName === "DETAILS"))
        old.removeAttribute(name);
    for (const { name, value } of [...fresh.attributes])
      if (old.getAttribute(name) !== value && !(KEPT.has(name) && old.tagName === "DETAILS"))
        old.setAttribute(name, value);
    if (!old.hasAttribute("data-own")) children(old, fresh);
  };
  const children = (old, fresh) => {
    const wanted = new Set([...fresh.children].map((child) => child.dataset.key));
    const keyed = new Map();
    for (const child of [...old.children]) {
      const { key } = child.dataset;
      if (key && wanted.has(key)) keyed.set(key, child);
      else if (key) child.remove(); // now: what would be moved past it loses its focus
    }
    let at = old.firstChild;
    for (const want of [...fresh.childNodes]) {
      const key = want.nodeType === 1 ? want.dataset.key : undefined;
      let have = key ? keyed.get(key) : at;
      if (!key && have?.nodeType === 1 && have.dataset.key) have = undefined;
      if (have && have.nodeName === want.nodeName) {
        if (have !== at) old.insertBefore(have, at);
        else at = at.nextSibling;
        if (have.nodeType === 1) patch(have, want);
        else if (have.nodeValue !== want.nodeValue) have.nodeValue = want.nodeValue;
      } else old.insertBefore(want, at);
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  };
  studio.patch = (element, html) => {
    const fresh = document.createElement("div");
    fresh.innerHTML = html;
    children(element, fresh);
    decorate(element);
  };

  /* Moments in the reader's own words, progress with the time left. */
  const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  const ago = (moment) => {
    const seconds = (moment - Date.now()) / 1000;
    if (seconds > -45) return "just now";
    for (const [unit, length] of [["day", 86400], ["hour", 3600], ["minute", 60]])
      if (-seconds >= length || unit === "minute")
        return relative.format(Math.min(-1, Math.round(seconds / length)), unit);
  };
  const seen = new Map(); // progress key → where it was when first seen
  const left = (element) => {
    const { eta, done, total } = element.dataset;
    const [now, ready, all] = [Date.now(), +done, +total];
    const start = seen.get(eta);
    if (!start || start.done > ready) seen.set(eta, { time: now, done: ready });
    const place = element.querySelector("[data-left]");
    if (!place || !start || !all || ready <= start.done || now - start.time < 2000) return;
    const seconds = ((now - start.time) / (ready - start.done) / 1000) * (all - ready);
    place.textContent = seconds < 1 ? "" : ` · ${studio.span(seconds)} left`;
  };
  studio.span = (seconds) =>
    seconds < 60 ? `${Math.max(1, Math.round(seconds))} s`
      : seconds < 3600 ? `${Math.round(seconds / 60)} min`
        : `${(seconds / 3600).toFixed(1)} h`;
  const age = (time) => {
    const moment = new Date(time.dateTime);
    time.title = moment.toLocaleString();
    time.textContent = ago(moment);
  };
  setInterval(() => document.querySelectorAll(".live time").forEach(age), 60_000);
  const decorate = (element) => {
    element.querySelectorAll("time").forEach(age);
    element.querySelectorAll("[data-eta]").forEach(left);
  };

  /* Acts go out one after the other: Gradio passes over one that comes before the last one's answer,
     of which the page's handlers tell (live.py). What a field holds stays in `studio.unsaved` until
     then; a change that did not arrive is sent again, ever more seldom where the server answers. */
  const [SOON, SELDOM] = [2000, 60_000]; // ms until a change is sent again, at first and at most
  const line = []; // of {send, key, query, button} or {send, key, query, field, value}
  const lost = [];
  let sent = null;
  let pause = SOON;
  const later = () => {
    setTimeout(async () => {
      if (lost.length && await studio.answers()) dispatchEvent(new Event("studio:back"));
    }, pause);
    pause = Math.min(2 * pause, SELDOM);
  };
  const next = () => {
    if (!sent) (sent = line.shift())?.send();
  };
  studio.unsaved = new Map(); // field → its value that the server is not known to have
  studio.pending = () => Boolean(sent || studio.unsaved.size);
  studio.act = (trigger, data, about = {}) => {
    const query = location.search; // of this moment, also where others go first
    const whole = { ...data, query };
    const key = JSON.stringify(whole);
    if (about.field) studio.unsaved.set(about.field, about.value);
    else if ([sent, ...line].some((one) => one?.key === key)) return; // a double click
    about.button?.setAttribute("aria-busy", "true");
    line.push({ send: () => trigger("act", whole), key, query, ...about });
    next();
  };
  studio.answered = (well) => {
    const { field, value, button, query = location.search } = sent ?? {};
    button?.removeAttribute("aria-busy");
    if (well) pause = SOON;
    if (field && !well) {
      lost.push(sent);
      later();
    } else if (studio.unsaved.get(field) === value) studio.unsaved.delete(field);
    sent = null;
    dispatchEvent(new CustomEvent("studio:answered", { detail: { field, well } }));
    if (query !== location.search) dispatchEvent(new Event("studio:go")); // it drew where one was
    next();
  };
  addEventListener("studio:back", () => {
    line.push(...lost.splice(0).filter(({ field, value }) => studio.unsaved.get(field) === value));
    next();
  });

  /* A live piece: `props.value` is HTML. Clicks on [data-act], submits of form[data-act] (with its
     fields) and changes of [data-change] go to the server as the event "act" with the element's
     data; links with data-go and select[data-jump] change the address and ask for the new view. */
  studio.live = (element, props, trigger, watch) => {
    const root = element.querySelector(".live");
    const show = () => {
      if (typeof props.value !== "string" || !props.value) return;
      root.removeAttribute("aria-busy");
      studio.patch(root, props.value);
      element.dispatchEvent(new CustomEvent("studio:shown", { bubbles: true }));
    };
    const act = (data, about) => studio.act(trigger, data, about);
    root.addEventListener("submit", async (event) => {
      const form = event.target.closest("form[data-act]");
      if (!form) return;
      event.preventDefault();
      const button = event.submitter;
      const data = { ...form.dataset, ...Object.fromEntries(new FormData(form, button)) };
      if (await studio.sure(form)) act(data, { button });
    });
    root.addEventListener("change", (event) => {
      const field = event.target.closest("[data-change]"); // its value goes out as it changes
      const value = field?.value;
      if (field) act({ ...field.dataset, act: field.dataset.change, value }, { field, value });
      const jump = event.target.closest("select[data-jump]"); // its value is an address
      if (jump) studio.go(jump.value);
    });
    root.addEventListener("click", async (event) => {
      const button = event.target.closest("[data-act]:not(form)");
      if (button) {
        const data = { ...button.dataset }; // a redraw meanwhile may make another button of it
        if (await studio.sure(button)) act(data, { button });
        return;
      }
      const link = event.target.closest("a[data-go]");
      if (link && !(event.metaKey || event.ctrlKey || event.shiftKey || event.button)) {
        event.preventDefault();
        studio.go(link.getAttribute("href"), false, "stay" in link.dataset);
      }
    });
    // Gradio sends the first of those that had to wait, and reads where it leads only then.
    const here = { get query() { return location.search; } };
    addEventListener("studio:go", () => trigger("go", here));
    watch("value", show);
    show(); // last: what it brings back into fields is already heard
  };
  studio.go = (href, replace = false, stay = replace) => {
    history[replace ? "replaceState" : "pushState"]({}, "", href);
    if (!stay) scrollTo({ top: 0 });
    dispatchEvent(new Event("studio:go"));
  };
  addEventListener("popstate", () => dispatchEvent(new Event("studio:go")));

  /* Copy buttons. The page may draw what a button stands in anew: the word goes to whichever is there. */
  const COPIED = 3000; // ms; long enough to be read after a glance at the terminal
  const copied = new Map(); // text → the word on its button
  const label = (button) => {
    const word = copied.get(button.dataset.copy) ?? "Copy";
    if (button.textContent !== word) button.textContent = word;
  };
  const labels = () => document.querySelectorAll("[data-copy]").forEach(label);
  const redrawn = new MutationObserver(labels);
  /* Without HTTPS a browser lends its clipboard to this machine's own pages only. */
  studio.copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const field = Object.assign(document.createElement("textarea"), { value: text, readOnly: true });
      document.body.append(field);
      field.select();
      const done = document.execCommand("copy");
      field.remove();
      return done;
    }
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = button.dataset.copy;
    copied.set(text, (await studio.copy(text)) ? "Copied" : "Select it and press Ctrl+C");
    labels();
    redrawn.observe(document.body, { childList: true, subtree: true });
    setTimeout(() => {
      copied.delete(text);
      labels();
      if (!copied.size) redrawn.disconnect();
    }, COPIED);
  });
})();
