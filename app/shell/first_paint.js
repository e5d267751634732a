/* A classic script, so that it runs before the first paint: a page in dark mode never flashes white. */
(() => {
  let kept = null;
  try {
    kept = localStorage.getItem("studio-theme");
  } catch { /* a private window */ }
  const dark = kept ? kept === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.classList.toggle("dark", dark);
  document.documentElement.style.colorScheme = dark ? "dark" : "light";
})();
