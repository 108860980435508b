// Drawing a Plotly figure in the colours of the page around it. Shared by the book's pages and the widgets.
const THEMES = __THEMES__;
const CONFIG = { responsive: true, displaylogo: false, typesetMath: false };
const NARROW = 560; // pixels; below this the legend goes under the plot and the title is broken into lines
const PAPER = 660; // pixels: what fits on a printed page

function isDark() {
  const page = document.documentElement; // book: data-theme; Colab: theme; JupyterLab and VS Code mark the body
  const { jpThemeLight, vscodeThemeKind = "" } = document.body.dataset;
  return page.dataset.theme === "dark" || page.getAttribute("theme") === "dark" || jpThemeLight === "false" ||
    ["vscode-dark", "vscode-high-contrast"].includes(vscodeThemeKind);
}

function broken(text, pixels, size) {
  if (text.includes("<br")) return text;
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines[lines.length - 1];
    const length = (line + " " + word).replace(/<[^>]*>/g, "").length;
    if (line && length * size * 0.53 > pixels) lines.push(word);
    else lines[lines.length - 1] = line ? line + " " + word : word;
  }
  return lines.join("<br>");
}

function fitted(layout, width, theme = isDark() ? "dark" : "light") {
  const result = { ...layout, autosize: true, template: THEMES[theme] };
  delete result.width;
  result.margin = { ...layout.margin };
  const title = typeof layout.title === "string" ? { text: layout.title } : layout.title;
  if (title?.text) {
    const size = title.font?.size ?? (width < NARROW ? 15 : 17);
    const text = broken(title.text, width - (width < NARROW ? 16 : 56), size); // clear of the mode bar at the right
    // Plotly neither breaks long titles nor makes room for their lines, and it puts the first of several too high.
    const lines = text.split("<br").length;
    // At the edge, not at the axis: long labels leave no room there.
    const place = { xref: "container", x: 0.01, xanchor: "left", pad: { t: lines > 1 ? 10 + 0.75 * size : 10 } };
    result.title = { ...title, text, font: { ...title.font, size }, ...place };
    result.margin.t = Math.max(layout.margin?.t ?? 0, 28 + lines * size * 1.3);
  }
  if (width >= NARROW) return result;
  for (const [name, axis] of Object.entries(result)) {
    const said = /^xaxis/.test(name) && axis.title?.text;
    if (said) result[name] = { ...axis, title: { ...axis.title, text: broken(said, width - 88, 14) } };
  }
  Object.assign(result.margin, { l: 8, r: layout.margin?.r > 16 ? layout.margin.r : 8 }); // names at lines' ends need room
  result.legend = {
    ...layout.legend, orientation: "h", x: 0, xanchor: "left", yref: "container", y: 0, yanchor: "bottom", font: { size: 12 },
  };
  return result;
}

// A layout in light colours on white, without what only moves on a screen.
function onPaper(layout, width, height = layout.height ?? 450) {
  const still = fitted({ ...layout, updatemenus: [], sliders: [] }, width, "light");
  return { ...still, paper_bgcolor: "#ffffff", plot_bgcolor: "#ffffff", autosize: false, width, height };
}

async function load(address) {
  await new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = resolve;
    script.onerror = () => reject(new Error("no network"));
    document.head.append(script);
  });
}

// Plotly as the kernel's machine has it; where no kernel gave it, only its makers' server does.
async function fetchPlotly(model) {
  const kept = model.get("source")?.replace("IPY_MODEL_", "");
  const source = kept && (await model.widget_manager.get_model(kept).catch(() => null));
  if (!source) return load(`https://cdn.plot.ly/plotly-${model.get("plotly")}.min.js`);
  const plain = new Blob([source.get("gzipped")]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(plain).text(); // runs at once, and has no address that a page could refuse
  document.head.append(script);
}

// Plotly for a widget, once a page.
async function findPlotly(model) {
  if (globalThis.kdnb) return globalThis.kdnb.plotly(); // a page of the book: its own copy, never the network
  if (globalThis.Plotly?.react) return globalThis.Plotly;
  globalThis.kdnbPlotly ??= fetchPlotly(model);
  await globalThis.kdnbPlotly.catch((error) => { delete globalThis.kdnbPlotly; throw error; });
  return globalThis.Plotly;
}

// Waits until node has a width: a figure that is drawn before, in a hidden tab or outside the page, has none to fill.
async function shown(node) {
  if (node.clientWidth) return;
  await new Promise((resolve) => {
    const sizes = new ResizeObserver(() => { if (node.clientWidth) { sizes.disconnect(); resolve(); } });
    sizes.observe(node);
  });
}

// What changes with the width and the colours; null puts a legend that was under the plot back beside it.
function look({ template, margin, legend = null, title = null }) {
  return { template, margin, legend, title };
}

// Draws spec = {data, layout} into node; the colours, the width and a printer are followed until stop().
async function follow(Plotly, node, current) {
  let drawn = "";
  const state = () => `${isDark()} ${node.clientWidth < NARROW} ${Math.round(node.clientWidth / 40)}`;
  const draw = async () => {
    const spec = current();
    drawn = state();
    await Plotly.react(node, spec.data, fitted(spec.layout, node.clientWidth), CONFIG);
  };
  await shown(node);
  node.replaceChildren();
  await draw();
  const check = () => {
    if (!node.isConnected || !node.clientWidth || state() === drawn) return;
    drawn = state();
    Plotly.relayout(node, { ...look(fitted(current().layout, node.clientWidth)), autosize: true, width: null });
  };
  const print = () => {
    drawn = "";
    Plotly.relayout(node, { ...look(fitted(current().layout, PAPER, "light")), width: PAPER });
  };
  addEventListener("beforeprint", print);
  addEventListener("afterprint", check);
  const themes = new MutationObserver(() => requestAnimationFrame(check)); // JupyterLab hides all while themes change
  themes.observe(document.documentElement, { attributes: true });
  themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-vscode-theme-kind"] });
  const sizes = new ResizeObserver(check);
  sizes.observe(node);
  const stop = () => {
    themes.disconnect();
    sizes.disconnect();
    removeEventListener("beforeprint", print);
    removeEventListener("afterprint", check);
  };
  return { draw, stop };
}
