// On every page of the book: draws the figures that notebooks left as JSON, with one Plotly, fetched when needed.
const base = new URL((document.documentElement.dataset.content_root || "./") + "vendor/", location.href).href;
let arriving;

function plotly() {
  arriving ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = base + "plotly.min.js";
    script.onload = () => resolve(globalThis.Plotly);
    script.onerror = () => reject(new Error(`${script.src} is missing; build the book again.`));
    document.head.append(script);
  });
  return arriving;
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
