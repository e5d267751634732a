/* The Predict page: an image dropped, chosen or named by the address is sent to the studio, and the
   answer, which the server renders, is shown. Downloads are made ready before they begin. */
(() => {
  "use strict";
  let asked = ""; // what the page shows or waits for: run and image
  let request = null;
  let picture = null; // address of a dropped image, in this page alone

  const waiting = (place, words) => {
    const begun = Date.now();
    place.innerHTML = `<div class="progress"><div class="progress-words"><span></span>` +
      `<span class="num"></span></div><progress aria-label="Waiting"></progress></div>`;
    place.querySelector("span").textContent = words;
    const seconds = place.querySelector(".num");
    const timer = setInterval(() => {
      const passed = Math.round((Date.now() - begun) / 1000);
      if (passed > 1) seconds.textContent = `${passed} s`;
    }, 500);
    return () => clearInterval(timer);
  };
  const complain = (place, sentence) => {
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
    place.innerHTML = `<div class="asked"><img alt=""><div data-said></div></div>`;
    const image = place.querySelector("img");
    image.alt = name;
    image.src = source;
    const said = place.querySelector("[data-said]");
    const done = waiting(said, "Asking the model");
    try {
      const answer = await fetch(address, { ...options, signal: mine.signal });
      const { html, error } = await answer.json();
      if (html) said.innerHTML = html;
      else complain(said, error ?? "The studio could not answer. Try again.");
    } catch (error) {
      if (error.name !== "AbortError") complain(said, "The studio does not answer. Is it running?");
    } finally {
      done();
    }
  };

  const send = (section, file) => {
    if (!file) return;
    if (new URLSearchParams(location.search).has("image")) // the address named another image
      studio.go(`/predict?run=${section.dataset.predict}`, true);
    asked = `${section.dataset.predict}:file`;
    if (picture) URL.revokeObjectURL(picture);
    picture = URL.createObjectURL(file);
    ask(section, `/predict/${section.dataset.predict}`, { method: "POST", body: file }, picture, file.name);
  };

  /* A page that names an image is answered at once; one that names none is left empty. */
  const look = () => {
    const section = document.querySelector("[data-predict]");
    if (!section) return void (asked = "");
    const { predict: run, image, src } = section.dataset;
    const wanted = image ? `${run}:${image}` : "";
    if (!image && asked === `${run}:file`) return; // a dropped image stays
    if (wanted === asked) return;
    asked = wanted;
    if (image) ask(section, `/predict/${run}?image=${image}`, {}, src, "The image");
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

  /* The first download of a run makes its export, which takes a while: say so meanwhile. */
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-prepare]");
    if (!link || link.dataset.ready) return;
    event.preventDefault();
    const card = link.closest(".card");
    const place = card.querySelector("[data-preparing]");
    if (place.firstChild?.matches?.(".progress")) return;
    const done = waiting(place, "Preparing the files and checking the ONNX model, the first time");
    try {
      const answer = await fetch(`/download/run/${link.dataset.prepare}/files`);
      const { files, error } = await answer.json();
      if (!files) return complain(place, error ?? "The files could not be made. Try again.");
      place.replaceChildren();
      const names = new Set(files.map(({ name }) => name));
      for (const other of card.querySelectorAll("a[data-prepare]")) {
        const name = other.pathname.match(/\/files\/(.+)$/)?.[1];
        if (name && !names.has(name)) other.closest("li").remove();
        else other.dataset.ready = "1";
      }
      if (link.isConnected) link.click();
    } catch {
      complain(place, "The studio does not answer. Is it running?");
    } finally {
      done();
    }
  });
})();
