/* A short tour along the bar. It offers itself once, on the first start; "?" starts it again. */
(() => {
  "use strict";
  const STEPS = [
    ["/", "Data", "Drop a zip of images here, labelled or not. See what arrived and mend it."],
    ["/explore", "Explore", "All images on one map and in one grid. Search by words, lasso a cluster, find duplicates and wrong labels."],
    ["/select", "Select", "Ask which images are worth a label under your budget, and why each was picked."],
    ["/label", "Label", "Label the picks with number keys. A suggestion waits for you to confirm it."],
    ["/finetune", "Finetune", "Launch a run: select, train, test, again. Closing the tab stops nothing."],
    ["/runs", "Runs", "Watch it live, and compare it with a random baseline in plain words."],
    ["/shift", "Shift", "Type words for a domain your data lack, such as “in thick fog”, and test a model made for it."],
    ["/predict", "Predict", "Drop an image on a finished model, or take the model with you."],
  ];
  const KEY = "studio-tour";
  const kept = () => {
    try { return localStorage.getItem(KEY); } catch { return "seen"; } // a private window: don't ask
  };
  const keep = () => {
    try { localStorage.setItem(KEY, "seen"); } catch { /* asked again next time */ }
  };

  let box = null;
  let step = 0;
  const link = () => document.querySelector(`.bar nav a[href="${STEPS[step][0]}"]`);
  const close = () => {
    keep();
    box?.remove();
    box = null;
    document.querySelectorAll(".bar .toured").forEach((one) => one.classList.remove("toured"));
  };
  const place = () => {
    const at = link().getBoundingClientRect();
    const left = Math.min(Math.max(12, at.left), innerWidth - box.offsetWidth - 12);
    box.style.left = `${left}px`;
    box.style.top = `${at.bottom + 10}px`;
  };
  const show = () => {
    const [path, name, words] = STEPS[step];
    document.querySelectorAll(".bar .toured").forEach((one) => one.classList.remove("toured"));
    link().classList.add("toured");
    link().scrollIntoView({ block: "nearest", inline: "center" });
    box.querySelector("h2").textContent = name;
    box.querySelector("p").textContent = words;
    box.querySelector(".tour-count").textContent = `${step + 1} of ${STEPS.length}`;
    box.querySelector("[data-tour=back]").disabled = step === 0;
    box.querySelector("[data-tour=next]").textContent = step + 1 < STEPS.length ? "Next" : "Done";
    box.querySelector("a").href = path;
    place();
    box.querySelector("[data-tour=next]").focus();
  };
  const start = () => {
    close();
    document.querySelector(".tour-offer")?.remove();
    step = 0;
    box = document.createElement("div");
    box.className = "tour";
    box.setAttribute("role", "dialog");
    box.setAttribute("aria-labelledby", "tour-title");
    box.setAttribute("aria-describedby", "tour-words");
    box.innerHTML =
      '<h2 id="tour-title"></h2><p id="tour-words"></p><div class="tour-bar">' +
      '<span class="muted num tour-count"></span><a>Go there</a><span class="grow"></span>' +
      '<button type="button" data-tour="back">Back</button>' +
      '<button type="button" class="primary" data-tour="next">Next</button>' +
      '<button type="button" class="tour-close" data-tour="close" aria-label="Close the tour">×</button></div>';
    box.addEventListener("click", (event) => {
      const what = event.target.closest("[data-tour]")?.dataset.tour;
      if (what === "close" || (what === "next" && step + 1 === STEPS.length)) finish();
      else if (what) move(what === "next" ? 1 : -1);
    });
    box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") finish();
      if (event.key === "ArrowRight") move(1);
      if (event.key === "ArrowLeft") move(-1);
    });
    document.body.append(box);
    show();
  };
  const move = (by) => {
    const next = step + by;
    if (next < 0 || next >= STEPS.length) return;
    step = next;
    show();
  };
  const finish = () => {
    close();
    document.querySelector(".bar .help")?.focus();
  };
  addEventListener("resize", () => box && place());

  const offer = () => {
    const help = document.createElement("button");
    help.type = "button";
    help.className = "help";
    help.textContent = "?";
    help.title = "A short tour";
    help.setAttribute("aria-label", "A short tour");
    help.addEventListener("click", start);
    document.querySelector(".bar .theme").before(help);
    if (kept() || location.pathname !== "/") return; // where the first start leads
    const card = document.createElement("aside");
    card.className = "tour-offer";
    card.setAttribute("aria-label", "A short tour");
    card.innerHTML =
      "<p><b>New here?</b> A tour of one minute shows what is where.</p>" +
      '<button type="button" class="primary">Show me</button><button type="button" class="quiet">No, thanks</button>';
    const [yes, no] = card.querySelectorAll("button");
    yes.addEventListener("click", start);
    no.addEventListener("click", () => { keep(); card.remove(); });
    document.body.append(card);
  };
  if (document.querySelector(".bar")) offer();
  else document.addEventListener("studio:bar", offer);
})();
