/* The drop zone: choose or drop a zip, name the dataset, watch the bytes go, cancel. */
studio.upload = (element, trigger) => {
  "use strict";
  const zone = element.querySelector(".drop");
  const input = zone.querySelector("input[type=file]");
  const form = zone.querySelector("form");
  const name = form.querySelector("[name=name]");
  const chosen = zone.querySelector(".drop-chosen");
  const problem = zone.querySelector(".drop-problem");
  const bar = zone.querySelector("progress");
  const words = zone.querySelector(".drop-words");
  let file = null;
  let request = null;

  const bytes = (count) => {
    for (const unit of ["B", "kB", "MB"]) {
      if (count < 1000) return `${unit === "B" ? count : count.toFixed(1)} ${unit}`;
      count /= 1000;
    }
    return `${count.toFixed(1)} GB`;
  };
  const state = (value) => (zone.dataset.state = value);
  const say = (sentence) => {
    problem.textContent = sentence;
    problem.hidden = !sentence;
  };
  const reset = () => {
    file = request = null;
    input.value = "";
    state("empty");
  };

  const choose = async (candidate) => {
    say("");
    if (!candidate || request) return;
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
  };

  const send = async () => {
    say("");
    const query = new URLSearchParams({ name: name.value, bytes: file.size });
    try {
      const check = await fetch(`/upload?${query}`);
      if (!check.ok) return say((await check.json()).error);
    } catch {
      return say("The studio does not answer. Is it still running?");
    }
    state("sending");
    const begun = performance.now();
    request = new XMLHttpRequest();
    request.open("POST", `/upload?${query}`);
    request.setRequestHeader("Content-Type", "application/zip");
    const moved = (loaded) => {
      bar.max = file.size;
      bar.value = loaded;
      const seconds = (performance.now() - begun) / 1000;
      const left = seconds > 1 && loaded ? ` · ${studio.span((seconds / loaded) * (file.size - loaded))} left` : "";
      words.textContent = `${bytes(loaded)} of ${bytes(file.size)}${loaded < file.size ? left : ""}`;
    };
    moved(0);
    request.upload.onprogress = (event) => moved(event.loaded);
    request.onload = () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* said below */ }
      if (request.status === 200) {
        reset();
        trigger("act", { act: "uploaded", query: location.search });
      } else {
        request = null;
        state("chosen");
        say(answer.error ?? "The upload failed. Try again.");
      }
    };
    request.onerror = () => {
      request = null;
      state("chosen");
      say("The connection broke off, so the upload was discarded. Try again.");
    };
    request.onabort = () => {
      request = null;
      state("chosen");
      say("The upload was canceled; nothing was kept.");
    };
    request.send(file);
  };

  input.addEventListener("change", () => choose(input.files[0]));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  zone.querySelector(".drop-cancel").addEventListener("click", () => request?.abort());
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
};
