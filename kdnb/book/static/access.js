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

// A figure that a menu has taken off the page comes back by its entry; the menu's classes name all that it shows, in order.
// Not before the one that is there is drawn: ipywidgets stumble over a figure that goes while it comes.
function choose(area, name) {
  if (!area.querySelector(".main-svg")) return;
  const menu = area.querySelector(`.${CSS.escape(`shows-${name}`)}`);
  const entry = [...(menu?.classList ?? [])].filter((one) => one.startsWith("shows-")).indexOf(`shows-${name}`);
  const list = menu?.querySelector("select");
  if (!list || list.selectedIndex === entry) return;
  list.selectedIndex = entry;
  list.dispatchEvent(new Event("change", { bubbles: true }));
}

// Whether an area of widgets has come to its size: each figure that is not folded away is there.
function isDrawn(area) {
  const boxes = [...area.querySelectorAll(".kdnb-figure, .kdnb-stepper")];
  return !area.clientWidth || (boxes.length > 0 && boxes.every((box) => !box.clientWidth || box.querySelector(".main-svg")));
}

function mendAccess() {
  for (const entry of document.querySelectorAll(".citation-list > .citation")) entry.setAttribute("role", "listitem");
  const holders = document.querySelectorAll("script[type='application/vnd.jupyter.widget-view+json']");
  const areas = [...holders].map((holder) => holder.parentElement);
  let sought = ""; // what the address names, until it is in sight and nothing more will move it, or its reader moves on
  const seek = (area) => {
    const place = document.getElementById(sought);
    if (!place) return sought && choose(area, sought);
    place.scrollIntoView();
    if (areas.every(isDrawn)) sought = "";
  };
  const heed = () => {
    sought = location.hash.slice(1);
    try { sought = decodeURIComponent(sought); } catch { /* a lone % is taken as it stands */ }
    areas.forEach(seek);
  };
  addEventListener("hashchange", heed);
  addEventListener("click", ({ target }) => { // the same link once more changes no address
    if (location.hash && target.closest("a")?.href === location.href) heed();
  });
  for (const move of ["wheel", "touchmove", "keydown"]) addEventListener(move, () => { sought = ""; });
  heed();
  for (const area of areas) watch(area, () => { nameControls(area); seek(area); });
}
