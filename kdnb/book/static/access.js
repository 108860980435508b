// What ipywidgets and Sphinx leave out for those who listen, use the keyboard, or follow a link: names, roles, anchors.
const PLAY_BUTTONS = ["play or pause", "stop", "repeat"];

function nameControls(area) {
  for (const play of area.querySelectorAll(".widget-play")) {
    play.querySelectorAll("button").forEach((button, i) => button.setAttribute("aria-label", PLAY_BUTTONS[i]));
  }
  for (const handle of area.querySelectorAll(".noUi-handle")) {
    const slider = handle.closest(".jupyter-widgets");
    handle.setAttribute("aria-label", slider.querySelector(".widget-label")?.textContent || "step");
    const readout = slider.querySelector(".widget-readout")?.textContent; // the handle itself only knows its position
    if (readout) handle.setAttribute("aria-valuetext", readout);
  }
}

// Calls `act` now and whenever something changes in `area`, which widgets fill long after the page is loaded.
function watch(area, act) {
  new MutationObserver(act).observe(area, { childList: true, subtree: true, characterData: true });
  act();
}

function mendAccess() {
  for (const entry of document.querySelectorAll(".citation-list > .citation")) entry.setAttribute("role", "listitem");
  let sought = location.hash.slice(1);
  try { sought = decodeURIComponent(sought); } catch { /* a lone % is taken as it stands */ }
  if (document.getElementById(sought)) sought = "";
  for (const holder of document.querySelectorAll("script[type='application/vnd.jupyter.widget-view+json']")) {
    const area = holder.parentElement;
    watch(area, () => {
      nameControls(area);
      const place = sought && document.getElementById(sought);
      if (!place) return;
      sought = "";
      place.scrollIntoView();
    });
  }
}
