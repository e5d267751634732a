/* The drop zone: choose or drop a zip, name the dataset, watch the bytes go, cancel. */
studio.upload = (element, trigger) => {
  "use strict";
  const HAND_OVER = 8000; // milliseconds
  const zone = element.querySelector(".drop");
  const input = zone.querySelector("input[type=file]");
  const form = zone.querySelector("form");
  const name = form.querySelector("[name=name]");
  const chosen = zone.querySelector(".drop-chosen");
  const problem = zone.querySelector(".drop-problem");
  const bar = zone.querySelector("progress");
  const words = zone.querySelector(".drop-words");
  const doing = zone.querySelector(".drop-doing");
  let file = null;
  let proposal = null; // a free name in the place of a taken one, on its way
  let checking = false; // whether the server is being asked if it would take the file
  let request = null;
  let arrived = null; // the import that the upload has become, until its own card shows

  const bytes = (count) => {
    for (const unit of ["B", "kB", "MB"]) {
      if (count < 1000) return `${unit === "B" ? count : count.toFixed(1)} ${unit}`;
      count /= 1000;
    }
    return `${count.toFixed(1)} GB`;
  };
  const act = (data) => studio.act(trigger, data);
  const state = (value) => (zone.dataset.state = value);
  const say = (sentence) => {
    problem.textContent = sentence;
    problem.hidden = !sentence;
  };
  const reset = () => {
    file = request = arrived = null;
    input.value = "";
    state("empty");
  };

  const choose = async (candidate) => {
    say("");
    if (!candidate || request || arrived) return;
    remember(null);
    const magic = new Uint8Array(await candidate.slice(0, 2).arrayBuffer().catch(() => new ArrayBuffer(0)));
    if (magic[0] !== 0x50 || magic[1] !== 0x4b) {
      reset();
      return say(`“${candidate.name}” is not a zip archive. Put your images into a .zip and drop that here.`);
    }
    if (candidate.size > +zone.dataset.limit) {
      reset();
      return say(`“${candidate.name}” has ${bytes(candidate.size)}; the limit is ${bytes(+zone.dataset.limit)}.`);
    }
    file = candidate;
    chosen.textContent = `${file.name} · ${bytes(file.size)}`;
    name.value = file.name.replace(/\.zip$/i, "").replace(/[^\p{L}\p{N}_ .()+-]+/gu, " ").trim().slice(0, 100);
    state("chosen");
    name.focus();
    name.select();
    proposal = propose(name.value);
  };
  const propose = async (wish) => {
    const mine = file;
    const answer = await fetch(`/upload/name?${new URLSearchParams({ name: wish })}`).catch(() => null);
    if (!answer?.ok) return; // the check before the upload says what is wrong
    const { name: free } = await answer.json();
    if (file !== mine || name.value !== wish) return; // another file or name was chosen meanwhile
    name.value = free;
    if (document.activeElement === name) name.select();
  };

  /* One card all along: when every byte is there, it waits here until the import's card takes over. */
  const phase = (sent) => {
    doing.textContent = sent ? "Looking at the images" : "Uploading";
    zone.querySelector(".drop-step-1").classList.toggle("done", sent);
    zone.querySelector(`.drop-step-${sent ? 1 : 2}`).removeAttribute("aria-current");
    zone.querySelector(`.drop-step-${sent ? 2 : 1}`).setAttribute("aria-current", "step");
    zone.querySelector(".drop-hint").hidden = sent;
    if (!sent) return;
    words.textContent = "";
    bar.removeAttribute("value");
  };
  const handOver = () => { if (arrived) reset(); };
  document.addEventListener("studio:shown", () => {
    if (arrived && document.querySelector(`[data-key="import-${arrived}"]`)) handOver();
  });

  /* A page that is left while bytes go, or a server that is, loses them: the next page says so. */
  const KEY = "studio-upload";
  const remember = (value) => {
    try {
      if (value === null) sessionStorage.removeItem(KEY);
      else sessionStorage.setItem(KEY, value);
    } catch { /* private window: not kept */ }
  };
  const send = async () => {
    if (checking || request || arrived || !file) return;
    say("");
    const mine = file;
    let query;
    checking = true;
    try {
      await proposal;
      query = new URLSearchParams({ name: name.value, bytes: mine.size });
      const check = await fetch(`/upload?${query}`);
      if (!check.ok) return say((await check.json()).error);
    } catch {
      return say("The studio does not answer. Is it still running?");
    } finally {
      checking = false;
    }
    if (file !== mine) return; // another one was chosen meanwhile
    state("sending");
    phase(false);
    zone.querySelector(".drop-title").textContent = query.get("name");
    remember(query.get("name"));
    const begun = performance.now();
    const going = (request = new XMLHttpRequest());
    going.open("POST", `/upload?${query}`);
    going.setRequestHeader("Content-Type", "application/zip");
    const moved = (loaded) => {
      bar.max = file.size;
      bar.value = loaded;
      const seconds = (performance.now() - begun) / 1000;
      const left = seconds > 1 && loaded ? ` · ${studio.span((seconds / loaded) * (file.size - loaded))} left` : "";
      words.textContent = `${bytes(loaded)} of ${bytes(file.size)}${loaded < file.size ? left : ""}`;
    };
    moved(0);
    going.upload.onprogress = (event) => moved(event.loaded);
    going.onload = () => {
      let answer = {};
      try { answer = JSON.parse(going.responseText); } catch { /* said below */ }
      if (going.status === 200) {
        request = null;
        arrived = String(answer.import);
        remember(null);
        phase(true);
        act({ act: "uploaded" });
        setTimeout(handOver, HAND_OVER); // in case the import ended before its card was shown
      } else {
        remember(null);
        request = null;
        state("chosen");
        say(answer.error ?? "The upload failed. Try again.");
      }
    };
    going.onerror = () => {
      request = null; // still remembered: without a server this page is loaded anew
      state("chosen");
      say("The connection broke off, so the upload was discarded. Try again.");
    };
    going.onabort = () => {
      request = null;
      remember(null);
      state("chosen");
      say("The upload was canceled; nothing was kept.");
    };
    going.send(mine);
  };

  input.addEventListener("change", () => choose(input.files[0]));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  zone.querySelector(".drop-cancel").addEventListener("click", () => {
    if (request) request.abort();
    else if (arrived) {
      act({ act: "cancel", import: arrived });
      reset();
    }
  });
  zone.querySelector(".drop-reset").addEventListener("click", () => { say(""); reset(); });
  let depth = 0; // dragenter and dragleave also fire for children
  for (const type of ["dragenter", "dragover", "dragleave", "drop"])
    zone.addEventListener(type, (event) => {
      event.preventDefault();
      if (type === "dragenter") depth++;
      if (type === "dragleave") depth--;
      if (type === "drop") {
        depth = 0;
        choose(event.dataTransfer.files[0]);
      }
      zone.classList.toggle("over", depth > 0);
    });
  addEventListener("beforeunload", (event) => { if (request) event.preventDefault(); });
  try {
    const lost = sessionStorage.getItem(KEY);
    if (lost !== null)
      say(`The upload of “${lost}” broke off; nothing was kept. Choose the file again.`);
    remember(null);
  } catch { /* private window: nothing is known */ }
};
