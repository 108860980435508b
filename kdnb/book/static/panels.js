// Several plots that move together, beside each other below a line of text.

function element(parent, tag, className, attributes = {}) {
  const made = Object.assign(document.createElement(tag), { className });
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

// The line of text that is read aloud when it changes.
const reading = (model, el) => element(el, "p", "kdnb-explorer-reading", { role: "status", id: `${model.get("name")}-reading` });

// Draws `specs`, by name [what gives the figure, alt]; `say` writes `status` whenever the model changes, once a frame.
// Gives the plots' nodes by name, and how to stop; where nothing can be drawn neither, and `status` says it of `what`.
async function panels(model, el, status, what, specs, say) {
  const grid = element(el, "div", "kdnb-explorer-grid");
  const nodes = {};
  const views = [];
  try {
    say(); // a text that came last would move the plots
    const Plotly = await findPlotly(model);
    for (const [key, [spec, alt]] of Object.entries(specs)) {
      const frame = element(grid, "div", "kdnb-explorer-panel kdnb-frame");
      nodes[key] = element(frame, "div", "kdnb-figure", { role: "figure", id: `${model.get("name")}-${key}`, "aria-label": alt });
      views.push(await follow(Plotly, nodes[key], spec));
      addTools(nodes[key], spec, nodes[key].id, alt);
    }
    let asked = false;
    const redraw = () => {
      asked = false;
      say();
      for (const view of views) view.draw();
    };
    redraw();
    model.on("change", () => {
      if (!asked) requestAnimationFrame(redraw);
      asked = true;
    });
    return { nodes, stop: () => Object.values(nodes).forEach((node, i) => { views[i].stop(); Plotly.purge(node); }) };
  } catch (error) {
    status.textContent = `${what} could not be drawn (${error.message}). The book's page draws it without a network.`;
    return {};
  }
}
