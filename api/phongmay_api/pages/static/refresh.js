// Fetches the page that is shown every few seconds and puts its new content in place; open evidence and focus
// stay. Without JavaScript the page reloads itself (meta refresh in <noscript>).
"use strict";
(function () {
  var live = document.getElementById("live");
  var status = document.getElementById("status");
  if (!live || !status || !window.fetch) { return; }
  var interval = Number(live.dataset.seconds) * 1000;

  function remember() {
    var state = { open: {}, focus: document.activeElement && document.activeElement.id };
    live.querySelectorAll("details[id]").forEach(function (item) { state.open[item.id] = item.open; });
    return state;
  }

  function restore(state) {
    live.querySelectorAll("details[id]").forEach(function (item) {
      if (item.id in state.open) { item.open = state.open[item.id]; }
    });
    var focus = state.focus && document.getElementById(state.focus);
    if (focus && live.contains(focus)) { focus.focus({ preventScroll: true }); }
  }

  function put(text) {
    var fresh = new DOMParser().parseFromString(text, "text/html");
    var content = fresh.getElementById("live");
    if (!content) { window.location.reload(); return; }
    var time = fresh.getElementById("status");
    if (time) { status.innerHTML = time.innerHTML; }
    if (content.innerHTML === live.dataset.shown) { return; }
    var state = remember();
    live.dataset.shown = content.innerHTML;
    live.innerHTML = content.innerHTML;
    restore(state);
  }

  function again() { window.setTimeout(turn, interval); }

  function turn() {
    if (document.hidden || String(window.getSelection()).length > 0) { again(); return; }
    fetch(window.location.href, { credentials: "same-origin", redirect: "manual" }).then(function (answer) {
      if (answer.type === "opaqueredirect" || answer.status === 401) { window.location.reload(); return null; }
      if (!answer.ok) { throw new Error(String(answer.status)); }
      return answer.text();
    }).then(function (text) {
      if (text !== null) { put(text); again(); }
    }).catch(function () {
      var note = status.querySelector(".note");
      if (note) { note.textContent = status.dataset.paused; }
      again();
    });
  }

  live.dataset.shown = live.innerHTML;
  again();
}());
