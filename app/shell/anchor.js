/* Scroll to the element that the address names (#id). The server's HTML arrives after the page. */

let scrolledTo = ""; // address whose element was shown
document.addEventListener("studio:shown", () => {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (!target || scrolledTo === location.href) return;
  scrolledTo = location.href;
  target.scrollIntoView();
});
