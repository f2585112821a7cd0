// Runs before the page is painted, so that a chosen theme does not flash.
(function () {
  let choice = null;
  try {
    choice = localStorage.getItem("ionvolt-theme");
  } catch {
    // Storage is off: the system's choice holds.
  }
  if (choice === "light" || choice === "dark") document.documentElement.dataset.theme = choice;
})();
