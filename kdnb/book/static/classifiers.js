// A teacher's and a student's classifier, 3 classes x 2 features, of which the student's features can be moved.
const CLASSES = ["#0072b2", "#e69f00", "#009e73"];
const SYMBOLS = ["circle", "square", "triangle-up"];
const REACH = 4.3;

const times = (a, b) => a.map((row) => b[0].map((_, j) => row.reduce((sum, value, i) => sum + value * b[i][j], 0)));
const inverse = ([[a, b], [c, d]]) => [[d, -b], [-c, a]].map((row) => row.map((value) => value / (a * d - b * c)));
const distance = (a, b) => Math.hypot(...a.flatMap((row, k) => row.map((value, j) => value - b[k][j])));
const column = (rows, j) => rows.map((row) => row[j]);
const swapped = (rows) => rows.map(([first, second]) => [second, first]);
const largest = (values) => values.indexOf(Math.max(...values));
const decide = (weight, feature) => largest(weight.map(([a, b]) => a * feature[0] + b * feature[1]));

// First rotate, then swap, then scale; the classifier takes the inverse.
function moved(model) {
  const angle = (model.get("angle") * Math.PI) / 180;
  const rotation = [[Math.cos(angle), -Math.sin(angle)], [Math.sin(angle), Math.cos(angle)]];
  const turned = model.get("swap") ? [rotation[1], rotation[0]] : rotation;
  const move = [turned[0].map((value) => value * model.get("scale")), turned[1]];
  const { student, student_features: features } = model.get("data");
  return {
    weight: times(student, inverse(move)),
    features: features.map((feature) => column(times(move, feature.map((value) => [value])), 0)),
  };
}

// The order of the student's two features that correlates best with the teacher's.
function matched({ teacher_features: known }, { weight, features }) {
  const fit = (order) => [0, 1].reduce((sum, j) => sum + pearson(column(known, j), column(order(features), j)), 0);
  return fit(swapped) > fit((rows) => rows) ? swapped(weight) : weight;
}

function measured(model) {
  const data = model.get("data");
  const before = { weight: data.student, features: data.student_features };
  const after = moved(model);
  const decisions = ({ weight, features }) => features.map((feature) => decide(weight, feature));
  const old = decisions(before);
  return {
    before, after, count: old.length,
    raw: [before, after].map(({ weight }) => distance(data.teacher, weight)),
    matched: [before, after].map((one) => distance(data.teacher, matched(data, one))),
    equal: decisions(after).filter((k, i) => k === old[i]).length,
    negative: after.features.filter((feature) => Math.min(...feature) < 0).length,
  };
}

// The cone of directions that class k wins, degree by degree.
function region(weight, k) {
  const degrees = [...Array(360).keys()];
  const at = (degree) => [Math.cos((degree * Math.PI) / 180), Math.sin((degree * Math.PI) / 180)];
  const wins = (degree) => decide(weight, at(degree)) === k;
  const start = degrees.find((degree) => wins(degree) && !wins(degree - 1));
  if (start === undefined) return [];
  const edge = [start - 0.5];
  for (let degree = start; degree < start + 360 && wins(degree); degree += 1) edge.push(degree + 0.5);
  const corners = edge.map((degree) => at(degree).map((value) => (2 * REACH * value).toFixed(3)).join(","));
  return [{ type: "path", path: `M0,0L${corners.join("L")}Z`, fillcolor: CLASSES[k], opacity: 0.18, line: { width: 0 }, layer: "below" }];
}

function rows(weight, name, dash, symbol) {
  const ends = (j) => weight.flatMap((row) => [0, row[j], null]);
  const marker = { size: ends(0).map((_, i) => (i % 3 === 1 ? 11 : 0)), symbol, color: "#8c8c8c" };
  return { type: "scatter", mode: "lines+markers", x: ends(0), y: ends(1), name, line: { color: "#8c8c8c", dash, width: 2 }, marker };
}

function panel(model, title, { weight, features }) {
  const dots = CLASSES.map((color, k) => {
    const own = features.filter((feature) => decide(weight, feature) === k);
    const marker = { color, symbol: SYMBOLS[k], size: 8 };
    return { type: "scatter", mode: "markers", x: column(own, 0), y: column(own, 1), name: `class ${k + 1}`, marker };
  });
  const lines = [rows(model.get("data").teacher, "rows of W<sub>t</sub>", "dot", "circle-open"), rows(weight, "rows of W<sub>s</sub>", "solid", "diamond")];
  const axis = (text) => ({ title: { text }, range: [-REACH, REACH], zeroline: true, dtick: 2, constrain: "domain" });
  const layout = {
    title: { text: title, font: { size: 14 } }, height: 400, margin: { l: 48, r: 8, t: 40, b: 100 },
    xaxis: axis("feature 1"), yaxis: { ...axis("feature 2"), scaleanchor: "x" },
    legend: { orientation: "h", x: 0, yref: "container", y: 0, yanchor: "bottom" },
    shapes: weight.flatMap((_, k) => region(weight, k)),
  };
  return { data: [...lines, ...dots], layout };
}

function sentence(model) {
  const found = measured(model);
  const change = ([before, after]) => `${before.toFixed(3)} before, ${after.toFixed(3)} now`;
  const why = found.negative
    ? `${found.negative} of ${found.count} points have a negative feature`
    : "other points than these would have a negative feature";
  const relu = model.get("angle") % 360 === 0
    ? "Behind a ReLU this move is allowed too."
    : `Behind a ReLU this rotation is not allowed: ${why}.`;
  const share = (100 * found.equal) / found.count;
  return `μ raw: ${change(found.raw)}. μ matched: ${change(found.matched)}. Equal decisions: ${found.equal} of ${found.count} (${share.toFixed(0)}%). ${relu}`;
}

async function render({ model, el }) {
  const status = reading(model, el);
  const alt = (when) => `The student's points and class regions, ${when}; the rows of both classifiers.`;
  const specs = {
    before: [() => panel(model, "student as trained", measured(model).before), alt("as trained")],
    now: [() => panel(model, "student, features moved", measured(model).after), alt("after the move")],
  };
  const { stop } = await panels(model, el, status, "This toy", specs, () => { status.textContent = sentence(model); });
  return stop;
}

export default { render };
