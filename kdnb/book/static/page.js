// On every page of the book: draws the figures that notebooks left as JSON, with one Plotly, fetched when needed.
const base = new URL((document.documentElement.dataset.content_root || "./") + "vendor/", location.href).href;
let arriving;

function plotly() {
  const address = base + "plotly.min.js";
  const missing = () => { throw new Error(`${address} is missing; build the book again.`); };
  return arriving ??= load(address).then(() => globalThis.Plotly, missing);
}

globalThis.kdnb = { base, plotly };

// Sphinx's search fetches every page that it found, for an excerpt; a browser refuses that on a disk.
const isSphinx = typeof DOCUMENTATION_OPTIONS !== "undefined";
if (isSphinx && location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

async function drawAll() {
  for (const holder of document.querySelectorAll("script[data-kdnb-figure]")) {
    const node = document.getElementById(holder.dataset.kdnbFigure);
    const spec = JSON.parse(holder.textContent);
    const drawn = follow(await plotly(), node, () => spec); // not awaited: what is folded away is drawn when it opens
    drawn.then(() => addTools(node, () => spec, node.id, node.getAttribute("aria-label")));
  }
}

function start() {
  mendAccess();
  return drawAll();
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
else start();
