// Two curves that know nothing of each other under one schedule: their r, again and again.
const DROPS = [40, 80]; // epochs after which the learning rate falls
const EPOCHS = 120;
const JUMPS = [1, 0.4]; // spread of the change of level after each drop
const SETTLING = 5; // epochs
const NOISE = 0.05; // a choice: |r| >= 0.8 in 55 % of 1000 draws; with 0.15 in 28 %
const MOST = 5000; // draws

// mulberry32: numbers in [0, 1) from a 32-bit seed.
function uniform(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function curve(next) {
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const jumps = JUMPS.map((spread) => spread * normal());
  return Array.from({ length: EPOCHS }, (_, i) => {
    const level = (jump, k) => (i < DROPS[k] ? 0 : jump * (1 - Math.exp(-(i + 1 - DROPS[k]) / SETTLING)));
    return jumps.reduce((sum, jump, k) => sum + level(jump, k), NOISE * normal());
  });
}

const steps = (values) => values.slice(1).map((value, i) => value - values[i]);

// Draw number `place` of the sequence that `seed` starts.
function drawn(seed, place) {
  const next = uniform(seed + place);
  const curves = [curve(next), curve(next)];
  return { curves, r: pearson(...curves), differences: pearson(...curves.map(steps)) };
}

function counts(values) {
  const bins = Array(20).fill(0);
  for (const value of values) bins[Math.min(19, Math.floor((value + 1) * 10))] += 1;
  return bins;
}

function curvesPanel({ curves }) {
  const x = Array.from({ length: EPOCHS }, (_, i) => i + 1);
  const look = [{ color: "#0072b2", width: 2 }, { color: "#d55e00", width: 2, dash: "dash" }];
  const data = curves.map((y, i) => ({ type: "scatter", mode: "lines", x, y, name: `curve ${i + 1}`, line: look[i] }));
  const shapes = DROPS.map((drop) => (
    { type: "line", yref: "paper", x0: drop + 0.5, x1: drop + 0.5, y0: 0, y1: 1, line: { color: "#8c8c8c", width: 1, dash: "dot" } }));
  return { data, layout: layout("two curves (dotted: rate falls)", "epoch", "value", { shapes }) };
}

function histogram(all) {
  const x = Array.from({ length: 20 }, (_, i) => Number((-0.95 + 0.1 * i).toFixed(2)));
  const bars = (name, key, color, pattern) => (
    { type: "bar", x, y: counts(all.map((one) => one[key])), name, marker: { color, pattern: { shape: pattern } } });
  const data = [bars("r of the curves", "r", "#0072b2", ""), bars("r of their differences", "differences", "#e69f00", "/")];
  const xaxis = { range: [-1, 1], title: { text: "Pearson r" } };
  return { data, layout: { ...layout(`r of all draws so far (${all.length})`, "", "draws", { barmode: "group", bargap: 0.1 }), xaxis } };
}

function layout(title, across, up, more) {
  const legend = { orientation: "h", x: 0, yref: "container", y: 0, yanchor: "bottom" };
  const shared = { height: 340, margin: { l: 52, r: 8, t: 40, b: 84 }, legend };
  return { title: { text: title, font: { size: 14 } }, ...shared, xaxis: { title: { text: across } }, yaxis: { title: { text: up } }, ...more };
}

function sentence(all) {
  const share = (key) => `${((100 * all.filter((one) => Math.abs(one[key]) >= 0.8).length) / all.length).toFixed(0)}%`;
  const { r, differences } = all[all.length - 1];
  return `Draw ${all.length}: r = ${signed(r, 2)}; of the differences: ${signed(differences, 2)}. |r| of at least 0.8 so far: ${share("r")} of the draws; of the differences: ${share("differences")}.`;
}

async function render({ model, el }) {
  const row = element(el, "div", "kdnb-toy-buttons", { role: "group", "aria-label": "Draws" });
  const button = (text, count) => {
    const made = element(row, "button", "", { type: "button" });
    made.textContent = text;
    made.onclick = () => { model.set("draws", Math.min(MOST, count())); model.save_changes(); };
  };
  button("Again", () => model.get("draws") + 1);
  button("100 times", () => model.get("draws") + 100);
  button("From the start", () => 1);
  const status = reading(model, el);
  const known = [];
  const all = () => {
    while (known.length < model.get("draws")) known.push(drawn(model.get("seed"), known.length + 1));
    return known.slice(0, model.get("draws"));
  };
  const specs = {
    curves: [() => curvesPanel(all()[model.get("draws") - 1]), "Two independent random curves over the epochs of one schedule."],
    r: [() => histogram(all()), "How often each r was drawn so far: of the curves, and of their differences."],
  };
  const { stop } = await panels(model, el, status, "This toy", specs, () => { status.textContent = sentence(all()); });
  return stop;
}

export default { render };
