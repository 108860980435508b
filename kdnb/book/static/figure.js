// Drawing a Plotly figure in the colours of the page around it. Shared by the book's pages and the widgets.
const THEMES = __THEMES__;
const CONFIG = { responsive: true, displaylogo: false, typesetMath: false };
const NARROW = 560; // pixels; below this the legend goes under the plot and the title is broken into lines
const PAPER = 660; // pixels: what fits on a printed page

function isDark() {
  const page = document.documentElement; // book: data-theme; Colab: theme; JupyterLab marks the body
  return page.dataset.theme === "dark" || page.getAttribute("theme") === "dark" ||
    document.body.dataset.jpThemeLight === "false";
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
    const text = broken(title.text, width - 72, size);
    // Plotly neither breaks long titles nor makes room for their lines, and it puts the first of several too high.
    const lines = text.split("<br").length;
    result.title = { ...title, text, font: { ...title.font, size }, pad: { t: lines > 1 ? 10 + 0.75 * size : 10 } };
    result.margin.t = Math.max(layout.margin?.t ?? 0, 28 + lines * size * 1.3);
  }
  if (width >= NARROW) return result;
  Object.assign(result.margin, { l: 8, r: 8 });
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

// Plotly for a widget.
async function findPlotly(version) {
  if (globalThis.kdnb) return globalThis.kdnb.plotly(); // a page of the book: its own copy, never the network
  if (globalThis.Plotly?.react) return globalThis.Plotly;
  await new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `https://cdn.plot.ly/plotly-${version}.min.js`;
    script.onload = resolve;
    script.onerror = () => reject(new Error("no network"));
    document.head.append(script);
  });
  return globalThis.Plotly;
}

// What changes with the width and the colours; null puts a legend that was under the plot back beside it.
function look({ template, margin, legend = null, title = null }) {
  return { template, margin, legend, title };
}

// Draws spec = {data, layout, frames?} into node; the colours, the width and a printer are followed until stop().
async function follow(Plotly, node, current) {
  let drawn = "";
  const state = () => `${isDark()} ${node.clientWidth < NARROW} ${Math.round(node.clientWidth / 40)}`;
  const draw = async () => {
    const spec = current();
    drawn = state();
    await Plotly.react(node, spec.data, fitted(spec.layout, node.clientWidth), CONFIG);
  };
  await draw();
  const frames = current().frames;
  if (frames?.length) await Plotly.addFrames(node, frames);
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
  const themes = new MutationObserver(check);
  themes.observe(document.documentElement, { attributes: true });
  themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
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
