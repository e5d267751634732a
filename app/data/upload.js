/* The upload form: choose or drop a ZIP file, name the dataset, follow the upload, cancel it. */
studio.upload = (element, trigger) => {
  "use strict";
  const HAND_OVER = 8000; // ms until the form is reset even if the import's card did not appear
  const zone = element.querySelector(".drop");
  const input = zone.querySelector("input[type=file]");
  const form = zone.querySelector("form");
  const name = form.querySelector("[name=name]");
  const fileLine = zone.querySelector(".drop-file");
  const problem = zone.querySelector(".drop-problem");
  const bar = zone.querySelector("progress");
  const words = zone.querySelector(".drop-words");
  const stage = zone.querySelector(".drop-stage");
  let file = null;
  let proposal = null; // request for a name that is not taken
  let checking = false; // whether the server is checking name and size
  let request = null;
  let arrived = null; // id of the upload's import until the import's card is shown

  const bytes = (count) => {
    for (const unit of ["B", "kB", "MB"]) {
      if (count < 1000) return `${unit === "B" ? count : count.toFixed(1)} ${unit}`;
      count /= 1000;
    }
    return `${count.toFixed(1)} GB`;
  };
  const act = (data) => studio.act(trigger, data);
  const state = (value) => (zone.dataset.state = value);
  const showProblem = (sentence) => {
    problem.textContent = sentence;
    problem.hidden = !sentence;
  };
  const reset = () => {
    file = request = arrived = null;
    input.value = "";
    state("empty");
  };

  const choose = async (candidate) => {
    showProblem("");
    if (!candidate || request || arrived) return;
    remember(null);
    const magic = new Uint8Array(await candidate.slice(0, 2).arrayBuffer().catch(() => new ArrayBuffer(0)));
    if (magic[0] !== 0x50 || magic[1] !== 0x4b) {
      reset();
      return showProblem(`“${candidate.name}” is not a ZIP file. Put your images into a ZIP file and drop it here.`);
    }
    if (candidate.size > +zone.dataset.limit) {
      reset();
      return showProblem(`“${candidate.name}” has ${bytes(candidate.size)}. The limit is ${bytes(+zone.dataset.limit)} (VECAF_MAX_ARCHIVE_BYTES).`);
    }
    file = candidate;
    fileLine.textContent = `${file.name} · ${bytes(file.size)}`;
    name.value = file.name.replace(/\.zip$/i, "").replace(/[^\p{L}\p{N}_ .()+-]+/gu, " ").trim().slice(0, 100);
    state("chosen");
    name.focus();
    name.select();
    proposal = propose(name.value);
  };
  const propose = async (wish) => {
    const mine = file;
    const answer = await fetch(`/upload/name?${new URLSearchParams({ name: wish })}`).catch(() => null);
    if (!answer?.ok) return; // the check before the upload reports the problem
    const { name: free } = await answer.json();
    if (file !== mine || name.value !== wish) return; // the file or the name has changed meanwhile
    name.value = free;
    if (document.activeElement === name) name.select();
  };

  /* After the upload the form shows the import until the import's own card replaces it. */
  const phase = (sent) => {
    stage.textContent = sent ? "Checking images" : "Uploading";
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

  /* Leaving the page or stopping the server cancels an upload. The next page reports it. */
  const KEY = "studio-upload";
  const remember = (value) => {
    try {
      if (value === null) sessionStorage.removeItem(KEY);
      else sessionStorage.setItem(KEY, value);
    } catch { /* private window */ }
  };
  const send = async () => {
    if (checking || request || arrived || !file) return;
    showProblem("");
    const mine = file;
    let query;
    checking = true;
    try {
      await proposal;
      query = new URLSearchParams({ name: name.value, bytes: mine.size });
      const check = await fetch(`/upload?${query}`);
      if (!check.ok) return showProblem((await check.json()).error);
    } catch {
      return showProblem("The studio is not responding. Check that it is running, then try again.");
    } finally {
      checking = false;
    }
    if (file !== mine) return; // another file was chosen meanwhile
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
      try { answer = JSON.parse(going.responseText); } catch { /* reported below */ }
      if (going.status === 200) {
        request = null;
        arrived = String(answer.import);
        remember(null);
        phase(true);
        act({ act: "uploaded" });
        setTimeout(handOver, HAND_OVER); // the import may end before its card is shown
      } else {
        remember(null);
        request = null;
        state("chosen");
        showProblem(answer.error ?? "The upload failed. Try again.");
      }
    };
    going.onerror = () => {
      request = null; // still remembered: without a server this page is reloaded
      state("chosen");
      showProblem("The connection was lost and the upload was discarded. Try again.");
    };
    going.onabort = () => {
      request = null;
      remember(null);
      state("chosen");
      showProblem("The upload was canceled. No data was kept.");
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
  zone.querySelector(".drop-reset").addEventListener("click", () => { showProblem(""); reset(); });
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
      showProblem(`The upload of “${lost}” was interrupted and discarded. Choose the file again.`);
    remember(null);
  } catch { /* private window */ }
};
