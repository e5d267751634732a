/* The Predict page: send a dropped, chosen or linked image to the studio and show the answer, which
   the server renders. Prepare a run's download. */
(() => {
  "use strict";
  let asked = ""; // run and image that the page shows or waits for
  let request = null;
  let preview = null; // object URL of a dropped image

  const waiting = (place, words) => {
    const begun = Date.now();
    place.innerHTML = `<div class="progress"><div class="progress-words"><span></span>` +
      `<span class="num"></span></div><progress></progress></div>`;
    place.querySelector("span").textContent = words;
    place.querySelector("progress").setAttribute("aria-label", words);
    const seconds = place.querySelector(".num");
    const timer = setInterval(() => {
      const passed = Math.round((Date.now() - begun) / 1000);
      if (passed > 1) seconds.textContent = `${passed} s`;
    }, 500);
    return () => clearInterval(timer);
  };
  const showError = (place, sentence) => {
    const words = document.createElement("p");
    words.className = "notice notice-error";
    words.setAttribute("role", "alert");
    words.textContent = sentence;
    place.replaceChildren(words);
  };

  const ask = async (section, address, options, source, name) => {
    request?.abort();
    const mine = (request = new AbortController());
    const place = section.querySelector("[data-answer]");
    place.innerHTML = `<div class="prediction-columns"><img alt=""><div data-result></div></div>`;
    const image = place.querySelector("img");
    image.alt = name;
    image.addEventListener("error", () => image.remove()); // the browser can't show it; the answer explains why
    image.src = source;
    const result = place.querySelector("[data-result]");
    const done = waiting(result, "Predicting");
    try {
      const answer = await fetch(address, { ...options, signal: mine.signal });
      const { html, error } = await answer.json();
      if (html) result.innerHTML = html;
      else showError(result, error ?? "The prediction failed. Try again.");
    } catch (error) {
      if (error.name !== "AbortError") showError(result, "The studio is not responding. Check that it is running, then try again.");
    } finally {
      done();
    }
  };

  const send = (section, file) => {
    if (!file) return;
    if (new URLSearchParams(location.search).has("image")) // the address named another image
      studio.go(`/predict?run=${section.dataset.predict}`, true);
    asked = `${section.dataset.predict}:file`;
    if (preview) URL.revokeObjectURL(preview);
    preview = URL.createObjectURL(file);
    ask(section, `/predict/${section.dataset.predict}`, { method: "POST", body: file }, preview, file.name);
  };

  /* Predict the image that the address names. */
  const look = () => {
    const section = document.querySelector("[data-predict]");
    if (!section) return void (asked = "");
    const { predict: run, image, src } = section.dataset;
    const wanted = image ? `${run}:${image}` : "";
    if (!image && asked === `${run}:file`) return; // keep the dropped image
    if (wanted === asked) return;
    asked = wanted;
    if (image) ask(section, `/predict/${run}?image=${image}`, {}, src, "Image to classify");
    else {
      request?.abort();
      section.querySelector("[data-answer]").replaceChildren();
    }
  };
  document.addEventListener("studio:shown", look);

  document.addEventListener("change", (event) => {
    const input = event.target.closest("[data-drop] input");
    if (!input) return;
    send(input.closest("[data-predict]"), input.files[0]);
    input.value = "";
  });
  for (const type of ["dragover", "dragleave", "drop"])
    document.addEventListener(type, (event) => {
      const section = event.target.closest?.("[data-predict]");
      if (!section) return;
      event.preventDefault();
      section.classList.toggle("over", type === "dragover");
      if (type === "drop") send(section, event.dataTransfer.files[0]);
    });

  /* The worker prepares a run's export: poll its progress, then show the links. */
  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  let preparing = ""; // the run whose export the page waits for
  const prepare = async (button, method) => {
    const run = button.dataset.prepare;
    if (preparing === run) return;
    preparing = run;
    const place = button.closest(".card").querySelector("[data-preparing]");
    const here = () => place.isConnected && document.querySelector(`[data-prepare="${run}"]`);
    const done = waiting(place, "Waiting for the worker");
    button.disabled = true;
    try {
      for (let how = method; here(); how = "GET") {
        const answer = await fetch(`/download/run/${run}/export`, { method: how });
        const { state, stage, error } = await answer.json();
        if (state === "finished") {
          place.textContent = "The download is ready.";
          return studio.go(location.pathname + location.search, true);
        }
        if (state !== "queued" && state !== "running")
          return showError(place, error ?? "The export failed. Try again.");
        place.querySelector(".progress-words span").textContent = stage || "Starting";
        await pause(1000);
      }
    } catch {
      showError(place, "The studio is not responding. Check that it is running, then try again.");
    } finally {
      done();
      button.disabled = false;
      preparing = "";
    }
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-prepare]");
    if (button) prepare(button, "POST");
  });
  let shown = false;
  document.addEventListener("studio:shown", () => {
    const button = document.querySelector("[data-prepare][data-under-way]");
    if (button) prepare(button, "GET");
    const target = location.hash === "#download" && document.getElementById("download");
    if (target && !shown) {
      shown = true;
      target.scrollIntoView();
    }
  });
})();
