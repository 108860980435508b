// A figure, or number `index` of a sequence that shares traces and layout.
// From a view's own copy: Plotly keeps a menu's or slider's place in the layout that it is given.
function figure(model, { data, layout, steps }) {
  const step = steps[model.get("index")];
  const traces = step.data.map((own, i) => ({ ...data[i], ...own }));
  return { data: traces, layout: { ...layout, ...step.layout } };
}

async function render({ model, el }) {
  const node = document.createElement("div");
  node.id = model.get("name");
  node.className = "kdnb-stepper";
  node.setAttribute("role", "figure");
  node.style.cssText = `width:100%;min-height:${model.get("figures").layout.height ?? 450}px`;
  const own = structuredClone(model.get("figures"));
  const frame = document.createElement("div");
  frame.className = "kdnb-frame";
  frame.append(node);
  el.append(frame);
  const label = () => model.get("labels")[model.get("index")];
  const said = () => model.get("alt") + (label() ? ` Shown: ${label()}.` : "");
  const say = () => node.setAttribute("aria-label", said());
  say();
  node.textContent = said();
  try {
    const Plotly = await findPlotly(model);
    const view = await follow(Plotly, node, () => figure(model, own));
    addTools(node, () => figure(model, own), node.id, model.get("alt"));
    model.on("change:index", () => { say(); view.draw(); });
    return () => { view.stop(); Plotly.purge(node); };
  } catch (error) {
    node.textContent = `This figure could not be drawn (${error.message}). The book's page draws it without a network.`;
  }
}

export default { render };
