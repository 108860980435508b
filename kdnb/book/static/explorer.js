// The explorer's view: four plots of one study that move together. All of it is computed here, from the packed runs.
const FAINT = "rgba(128,128,128,0.55)";
const decoded = new WeakMap();

// A packed array (kdnb/book/explorer_data.py) as plain numbers.
function numbers(packed) {
  if (!decoded.has(packed)) {
    const { buffer } = Uint8Array.from(atob(packed.f4 ?? packed.u2), (c) => c.charCodeAt(0));
    const step = (packed.high - packed.low) / 65535;
    const values = packed.f4 ? new Float32Array(buffer) : Float64Array.from(new Uint16Array(buffer), (k) => packed.low + step * k);
    decoded.set(packed, Array.from(values));
  }
  return decoded.get(packed);
}

// What the controls say, looked up in the data.
function chosen(model) {
  const data = model.get("data");
  const sweeps = data.sweeps.filter((sweep) => sweep.set === data.sets[model.get("data_set")]);
  const decay = data.decays[model.get("decay")];
  const sweep = sweeps.find((one) => one.decay === decay) ?? sweeps[0];
  const { method, name } = data.methods[model.get("method")];
  const temperature = data.temperatures[model.get("temperature")];
  const distance = (run) => Math.abs((run.temperature ?? temperature) - temperature);
  const [run] = sweep.runs.filter((one) => one.method === method).sort((a, b) => distance(a) - distance(b));
  const cut = Math.floor((sweep.epochs * model.get("warm_up")) / 100);
  const followed = sweep.classes.indexOf(model.get("followed"));
  return { data, sweep, decay, method, name, temperature, run, kind: data.kinds[model.get("kind")], cut, followed };
}

const after = ({ cut }, run, column) => (run.curves[column] ? numbers(run.curves[column]).slice(cut) : null);
const epochs = ({ sweep, cut }) => Array.from({ length: sweep.epochs - cut }, (_, i) => cut + 1 + i);

// Distance of the followed class's row, times the root of the number of classes: raw mu is the root mean square of these.
// Null where the teacher's run is not beside its students'.
function row({ sweep, cut, followed }, run) {
  if (followed < 0 || !run?.rows) return null;
  const count = sweep.classes.length;
  const own = numbers(run.rows).filter((_, i) => i % count === followed);
  return own.slice(cut).map((distance) => distance * Math.sqrt(count));
}

function correlation(choice, run, series) {
  return series ? pearson(series, after(choice, run, "loss")) : null;
}

// ------------------------------------------------------------------------------------------------------------- plots
function line(x, y, name, look, more = {}) {
  const hovertemplate = `${name}<br>epoch %{x}: %{y:.4g}<extra></extra>`;
  return { type: "scatter", mode: "lines", x, y, name, line: look, hovertemplate, ...more };
}

function panel(title, data, layout) {
  const shared = { showlegend: false, hovermode: "closest", height: 310, margin: { l: 56, r: 12, t: 44, b: 44 } };
  return { data, layout: { title: { text: title, font: { size: 14 } }, ...shared, ...layout } };
}

function drops({ sweep, cut }) {
  const at = sweep.drops.filter((drop) => drop > cut).map((drop) => drop + 0.5);
  const look = { color: FAINT, width: 1, dash: "dot" };
  return at.map((x) => ({ type: "line", yref: "paper", x0: x, x1: x, y0: 0, y1: 1, line: look }));
}

// One curve a run: KD and normal training faint, the chosen one in front.
function curves(choice, column) {
  const x = epochs(choice);
  const isShown = (run) => run === choice.run || ["kd", "normal"].includes(run.method);
  const there = choice.sweep.runs.filter((run) => isShown(run) && run.curves[column]);
  const curve = (run, width, more) => line(x, after(choice, run, column), run.label, { ...run.line, width }, more);
  const front = there.filter((run) => run === choice.run);
  return [...there.map((run) => curve(run, 1.2, { opacity: 0.6 })), ...front.map((run) => curve(run, 3.5, { meta: "front" }))];
}

function muPanel(choice) {
  const { kind, run, followed, sweep } = choice;
  const data = curves(choice, kind.column);
  const other = run && kind.bystander && after(choice, run, kind.bystander);
  if (other) {
    const look = { color: "#8c8c8c", dash: "dot", width: 2 };
    data.push(line(epochs(choice), other, `${run.label}, to the bystander`, look, { meta: "bystander" }));
  }
  const own = row(choice, run);
  if (own) {
    const look = { color: sweep.colors[followed], dash: "dash", width: 2.5 };
    data.push(line(epochs(choice), own, `√K × row of ${sweep.classes[followed]}`, look, { meta: "followed" }));
  }
  const layout = { xaxis: { title: { text: "epoch" } }, yaxis: { title: { text: kind.name } }, shapes: drops(choice) };
  return panel(`${kind.name} after each epoch`, data, layout);
}

function lossPanel(choice) {
  const data = curves(choice, "loss");
  const values = data.flatMap((trace) => trace.y);
  const wide = Math.max(...values) > 10 * Math.min(...values);
  const yaxis = wide ? { title: { text: "loss (log)" }, type: "log", dtick: 1 } : { title: { text: "loss" } };
  return panel("training loss", data, { xaxis: { title: { text: "epoch" } }, yaxis, shapes: drops(choice) });
}

// One r a temperature; `series` gives the curve of a run whose correlation with its loss is wanted.
function points(choice, name, series, look) {
  const runs = choice.sweep.runs.filter((run) => run.temperature !== null);
  const y = runs.map((run) => correlation(choice, run, series(run)));
  const hovertemplate = `T = %{x}<br>r of ${name}: %{y:.3f}<extra></extra>`;
  return { type: "scatter", mode: "markers", x: runs.map((run) => run.temperature), y, name, hovertemplate, ...look(runs) };
}

// Methods without a temperature: a line across.
function levels(choice, ends) {
  return choice.sweep.runs.filter((run) => run.temperature === null).map((run) => {
    const r = correlation(choice, run, after(choice, run, choice.kind.column));
    const isFront = run === choice.run;
    const hovertemplate = `${run.label}<br>r: %{y:.3f}<extra></extra>`;
    const look = { ...run.line, width: isFront ? 4 : 1.5 };
    return line(ends, [r, r], run.label, look, { hovertemplate, ...(isFront && { meta: "front" }) });
  });
}

function rTraces(choice) {
  const { kind, run, sweep, followed } = choice;
  const colors = (runs) => runs.map((one) => one.line.color);
  const full = (runs) => ({ meta: "r", mode: "lines+markers", marker: { size: 10, color: colors(runs) }, line: { color: FAINT } });
  const hollow = (runs) => ({ meta: "bystander", marker: { size: 16, symbol: "circle-open", color: colors(runs), line: { width: 1.5 } } });
  const diamond = () => ({ meta: "followed", marker: { size: 11, symbol: "diamond", color: sweep.colors[followed] } });
  const traces = [points(choice, kind.name, (one) => after(choice, one, kind.column), full)];
  if (kind.bystander) {
    traces.push(points(choice, `${kind.name}, to the bystander`, (one) => after(choice, one, kind.bystander), hollow));
  }
  if (followed >= 0) traces.push(points(choice, `row of ${sweep.classes[followed]}`, (one) => row(choice, one), diamond));
  if (run && run.temperature !== null) {
    const marker = { size: 26, symbol: "circle-open", color: run.line.color, line: { width: 3 } };
    const r = correlation(choice, run, after(choice, run, kind.column));
    traces.push({ type: "scatter", mode: "markers", x: [run.temperature], y: [r], name: kind.name, meta: "front", hoverinfo: "skip", marker });
  }
  return traces;
}

function rPanel(choice) {
  const { temperatures } = choice.data;
  const [low, high] = [temperatures[0], temperatures[temperatures.length - 1]];
  const margin = 0.05 * (high - low) + 0.1;
  const ends = [low - margin, high + margin];
  const zero = { type: "line", xref: "paper", x0: 0, x1: 1, y0: 0, y1: 0, line: { color: FAINT, width: 1 } };
  const xaxis = { title: { text: "temperature T" }, range: ends, tickvals: temperatures };
  const yaxis = { title: { text: "Pearson r" }, range: [-1.08, 1.08] };
  return panel(`r of ${choice.kind.name} and loss`, [...rTraces(choice), ...levels(choice, ends)], { xaxis, yaxis, shapes: [zero] });
}

function dots({ sweep, run, followed }) {
  const flat = numbers(run.map.points);
  const isFollowed = (k) => k === followed;
  return {
    type: "scatter", mode: "markers", name: run.label, meta: "map",
    x: flat.filter((_, i) => i % 2 === 0), y: flat.filter((_, i) => i % 2 === 1),
    text: sweep.labels.map((k) => sweep.classes[k]), hovertemplate: "%{text}<extra></extra>",
    marker: {
      color: sweep.labels.map((k) => sweep.colors[k]),
      size: sweep.labels.map((k) => (isFollowed(k) ? 9 : 6)),
      line: { width: 0 },
      opacity: sweep.labels.map((k) => (followed < 0 || isFollowed(k) ? 0.9 : 0.12)),
    },
  };
}

function mapPanel(choice) {
  const { sweep, run } = choice;
  const bare = { visible: false, range: [-1.06 * sweep.reach, 1.06 * sweep.reach], constrain: "domain" };
  const layout = { xaxis: bare, yaxis: { ...bare, scaleanchor: "x" }, margin: { l: 8, r: 8, t: 44, b: 8 } };
  if (run?.map) return panel(`features of ${run.label} at epoch ${run.map.epoch}, t-SNE`, [dots(choice)], layout);
  const text = run ? `${run.label} never reached the accuracy<br>at which students are compared.` : "";
  const note = { text, showarrow: false, xref: "paper", yref: "paper", x: 0.5, y: 0.5 };
  return panel("features", [], { ...layout, annotations: run ? [note] : [] });
}

const PANELS = {
  mu: [muPanel, "The chosen kind of mu after each epoch, the chosen student in front of all others."],
  loss: [lossPanel, "Training loss over the same epochs, the chosen student in front of all others."],
  r: [rPanel, "Correlation of mu with the loss against temperature, the chosen student marked."],
  map: [mapPanel, "t-SNE map of test images by the chosen student's features, a colour a class or group of classes."],
};

// The reading in words and numbers.
function sentence(choice) {
  const { sweep, decay, method, name, temperature, run, kind, cut, followed } = choice;
  const plain = (text) => text.replace(/<[^>]*>/g, "");
  const r = (series) => { const found = correlation(choice, run, series); return Number.isFinite(found) ? signed(found, 3) : "undefined"; };
  const notes = [];
  if (sweep.decay !== decay) notes.push(`Weight decay ${decay} was not trained on ${sweep.set}; shown: ${sweep.decay}.`);
  if (!run) return [...notes, `${name} was not trained here.`].join(" ");
  if (method === "kd" && run.temperature !== temperature) notes.push(`T = ${temperature} was not trained here; shown: ${run.label}.`);
  const readings = [`r of ${plain(kind.name)} and the loss: ${r(after(choice, run, kind.column))}`];
  if (kind.bystander) readings.push(`to the bystander: ${r(after(choice, run, kind.bystander))}`);
  const own = row(choice, run);
  if (own) readings.push(`row of ${sweep.classes[followed]}: ${r(own)}`);
  return [`${sweep.set}, ${run.label}, epochs ${cut + 1} to ${sweep.epochs}. ${readings.join("; ")}.`, ...notes].join(" ");
}

// What the marks mean, from the runs that are there.
function legend({ sweep, kind, run }) {
  const key = (look, text) => `<span><i style="${look}"></i>${text}</span>`;
  const kd = sweep.runs.filter((run) => run.temperature !== null);
  const ramp = `linear-gradient(90deg, ${kd.map((run) => run.line.color).join(", ")})`;
  const [low, high] = [kd[0], kd[kd.length - 1]].map((run) => run?.label.replace("KD ", ""));
  const dashes = { solid: "solid", dash: "dashed", dot: "dotted" };
  const others = sweep.runs.filter((run) => run.temperature === null);
  return [
    kd.length ? key(`height: 5px; background: ${ramp}`, `KD, ${low} to ${high}`) : "",
    ...others.map(({ line, label }) => key(`border-top: 3px ${dashes[line.dash]} ${line.color}`, label)),
    kind.bystander ? key("border-top: 2px dotted #8c8c8c", "○ to the bystander") : "",
    run && run.temperature !== null ? "<span>◎ the student in front</span>" : "",
    `<span>${sweep.caption}</span>`,
  ].join("");
}

// ------------------------------------------------------------------------------------------------------ what one does
function follower(model) {
  // Names, not switches: a class that was typed, or gone with its data set, is neither.
  let pinned = "", hovered = "";
  const isPinned = () => pinned !== "" && model.get("followed") === pinned;
  const follow = (name) => {
    if (model.get("followed") === name) return;
    model.set("followed", name);
    model.save_changes();
  };
  return {
    hover: (event) => { if (!isPinned()) follow(hovered = event.points[0].text); },
    leave: () => { if (!isPinned() && model.get("followed") === hovered) follow(""); },
    click: (event) => {
      const name = event.points[0].text;
      pinned = isPinned() && name === pinned ? "" : name;
      follow(hovered = name);
    },
  };
}

function choose(model, event) {
  const { data } = chosen(model);
  const place = data.temperatures.indexOf(event.points[0].x);
  if (place < 0) return;
  model.set({ temperature: place, method: data.methods.findIndex(({ method }) => method === "kd") });
  model.save_changes();
}

async function render({ model, el }) {
  const status = reading(model, el);
  const keys = element(el, "p", "kdnb-explorer-keys");
  const drawn = (spec) => {
    const choice = chosen(model);
    const { data, layout } = spec(choice);
    return { data, layout: { ...layout, meta: choice.sweep.made } };
  };
  const specs = Object.entries(PANELS).map(([key, [spec, alt]]) => [key, [() => drawn(spec), alt]]);
  const say = () => {
    status.textContent = sentence(chosen(model));
    keys.innerHTML = legend(chosen(model));
  };
  const { nodes, stop } = await panels(model, el, status, "The explorer", Object.fromEntries(specs), say);
  if (!nodes) return;
  const { hover, leave, click } = follower(model);
  nodes.map.on("plotly_hover", hover);
  nodes.map.on("plotly_click", click);
  nodes.map.addEventListener("mouseleave", leave);
  nodes.r.on("plotly_click", (event) => choose(model, event));
  return stop;
}

export default { render };
