// The browser of puzzles: one at a time, filtered, turned by buttons or arrow keys. Without scripts all are shown.
(function () {
  "use strict";
  var all = Array.prototype.slice.call(document.querySelectorAll(".puzzle"));
  var solved = document.getElementById("by-solved");
  var kind = document.getElementById("by-kind");
  var chosen = all, place = 0;

  function show() {
    all.forEach(function (puzzle) { puzzle.hidden = puzzle !== chosen[place]; });
    document.getElementById("nothing").hidden = chosen.length > 0;
    document.getElementById("place").textContent = chosen.length ? place + 1 + " / " + chosen.length : "0 / 0";
  }
  function choose() {
    chosen = all.filter(function (puzzle) {
      return (!solved.value || puzzle.dataset.solved === solved.value) &&
        (!kind || !kind.value || puzzle.dataset.kind === kind.value);
    });
    place = 0;
    show();
  }
  function turn(by) {
    if (!chosen.length) { return; }
    place = (place + by + chosen.length) % chosen.length;
    show();
  }
  solved.addEventListener("change", choose);
  if (kind) { kind.addEventListener("change", choose); }
  document.getElementById("previous").addEventListener("click", function () { turn(-1); });
  document.getElementById("next").addEventListener("click", function () { turn(1); });
  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(SELECT|INPUT)$/.test(event.target.tagName)) { return; }
    if (event.key === "ArrowLeft") { turn(-1); }
    if (event.key === "ArrowRight") { turn(1); }
  });
  document.querySelector(".toolbar").hidden = false;
  show();
})();
