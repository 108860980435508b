// What stands under every figure: its data as CSV and as a table, the picture to keep, and which runs it shows.
const addTools = (() => {
  const ROWS = 300; // of a table on the page; the CSV has all
  const WIDTH = 900; // pixels: of a picture to keep, whatever the screen

  function make(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  function plain(text) {
    const page = new DOMParser().parseFromString(String(text ?? "").replace(/<br ?\/?>/g, " "), "text/html");
    return page.body.textContent;
  }

  // A number of single precision in the fewest digits that mean it.
  const shortest = (value) =>
    [6, 7, 8, 9].map((digits) => Number(value.toPrecision(digits))).find((short) => Math.fround(short) === value);

  function at(values, place) {
    const value = values?.[place] ?? "";
    if (Number.isNaN(value)) return "";
    return values instanceof Float32Array ? shortest(value) : value;
  }

  const shown = (value) => (typeof value === "string" ? plain(value) : value);

  // Rows of a figure lie at heights of numbers: the name of the nearest.
  function rowNames({ tickvals, ticktext }) {
    if (!isList(ticktext) || !isList(tickvals) || tickvals.some((place) => typeof place !== "number")) return null;
    const far = (value, place) => Math.abs(value - tickvals[place]);
    return (value) => plain(ticktext[tickvals.reduce((best, _, place) => (far(value, place) < far(value, best) ? place : best), 0)]);
  }

  const isList = (values) => Array.isArray(values) || ArrayBuffer.isView(values);

  // The points of a trace, each as {x, y, …}; a picture has none.
  // `rows`: what the upright axis calls its places, where it names them.
  function records({ x, y, z, text, customdata, error_x, error_y, marker }, rows) {
    if (z) return Array.from(z, (line, i) => Array.from(line, (_, j) => ({ x: at(x, j), y: at(y, i), z: at(line, j) }))).flat();
    const color = marker?.colorbar?.title?.text ?? "color";
    const bars = isList(error_y?.array) ? error_y : error_x;
    const told = isList(customdata) ? Array.from(customdata, (one) => (isList(one) ? Array.from(one, shown).join(", ") : shown(one))) : null;
    const known = { x: x ?? (y && [...y.keys()]), y: rows ? Array.from(y, rows) : y, text, customdata: told, above: bars?.array, below: bars?.arrayminus };
    if (marker?.showscale) known[plain(color)] = marker.color;
    const lists = Object.entries(known).filter(([, values]) => isList(values));
    const length = Math.max(0, ...lists.map(([, values]) => values.length));
    const all = Array.from({ length }, (_, i) => Object.fromEntries(lists.map(([key, values]) => [key, at(values, i)])));
    return all.filter((record) => record.x !== "" || record.y !== ""); // a mark for the legend alone stands nowhere
  }

  const isNear = (one, other) => Math.abs(one - other) < 1e-6;

  // A panel's title: the note above it, else what its upright axis says. A map's axes are drawn in a part of their room.
  function panelTitle(notes, across, up) {
    const [[left, right], [, top]] = [across, up].map((axis) => axis._inputDomain ?? axis.domain);
    const isAbove = (note) => note.xref === "paper" && isNear(note.x, (left + right) / 2) && isNear(note.y, top);
    return plain(notes.find(isAbove)?.text ?? up.title?.text);
  }

  // Names of panels, where there are several: the title, and if others have it too, what the axis across says.
  function panelNames({ _fullLayout: layout }, traces) {
    const place = ({ xaxis, yaxis }) => [`xaxis${xaxis.slice(1)}`, `yaxis${yaxis.slice(1)}`];
    const panels = new Map(traces.map((trace) => [`${place(trace)}`, place(trace).map((name) => layout[name])]));
    const titles = new Map([...panels].map(([key, axes]) => [key, panelTitle(layout.annotations ?? [], ...axes)]));
    const isAlone = (title) => [...titles.values()].filter((other) => other === title).length === 1;
    return (trace) => {
      const [title, [across]] = [titles, panels].map((known) => known.get(`${place(trace)}`));
      return panels.size > 1 && { panel: isAlone(title) ? title : `${title} against ${plain(across.title?.text)}` };
    };
  }

  // All that is seen now as one long table: its columns' names, and its rows as objects.
  function table(node) {
    const traces = node._fullData.filter((trace) => trace.visible === true); // "legendonly": a reader has hidden it
    const panel = panelNames(node, traces);
    const known = new Set();
    const rows = traces.flatMap((trace) => {
      const head = { ...panel(trace), trace: plain(trace.name) };
      const own = records(trace, rowNames(node._fullLayout[`yaxis${trace.yaxis.slice(1)}`])).map((record) => ({ ...head, ...record }));
      const isNew = own.some((row) => !known.has(JSON.stringify(row))); // else it is drawn once more, to stand out
      for (const row of own) known.add(JSON.stringify(row));
      return isNew ? own : [];
    });
    return { columns: [...new Set(rows.flatMap((row) => Object.keys(row)))], rows };
  }

  const quoted = (value) => (/[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value));

  function csv({ columns, rows }) {
    const lines = [columns, ...rows.map((row) => columns.map((column) => row[column] ?? ""))];
    return lines.map((line) => line.map(quoted).join(",")).join("\r\n") + "\r\n";
  }

  function save(name, text) {
    const href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
    make("a", { href, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(href));
  }

  // The figure as it is now, on paper.
  function keep(node, { layout: given }, filename, format) {
    const { title, legend, margin, height } = given;
    const layout = onPaper({ ...node.layout, title, legend, margin, height }, WIDTH);
    const size = { width: WIDTH, height: layout.height, scale: format === "png" ? 2 : 1 };
    return globalThis.Plotly.downloadImage({ data: node.data, layout }, { format, filename, ...size });
  }

  const cells = (tag, values, more) => make("tr", {}, ...values.map((value) => make(tag, more, String(value ?? ""))));

  function written({ columns, rows }, caption) {
    const body = rows.slice(0, ROWS).map((row) => cells("td", columns.map((column) => row[column])));
    return make("table", {}, make("caption", {}, caption), make("thead", {}, cells("th", columns, { scope: "col" })), make("tbody", {}, ...body));
  }

  function describe(node, alt, count) {
    const titles = ["x", "y"].map((letter) => {
      const axes = Object.entries(node.layout).filter(([key, axis]) => key.startsWith(`${letter}axis`) && axis.title?.text);
      return axes.length ? ` ${letter}: ${[...new Set(axes.map(([, axis]) => plain(axis.title.text)))].join(", ")}.` : "";
    });
    const rest = count > ROWS ? ` The first ${ROWS} of ${count} rows; the CSV has all.` : "";
    return alt + titles.join("") + rest;
  }

  const source = (meta = {}) =>
    Object.entries(meta).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, [value].flat().join(", "))]);

  // Puts the strip under `node`, a drawn figure; `current` gives its {layout} as it was asked for.
  return function addTools(node, current, name, alt) {
    const button = (label, act) => {
      const made = make("button", { type: "button", onclick: act }, label);
      made.setAttribute("aria-label", `${label}: download ${name}`);
      return made;
    };
    const region = make("div", { className: "kdnb-tools-table", tabIndex: 0 });
    region.setAttribute("role", "region");
    region.setAttribute("aria-label", `Data of ${name}`);
    const origin = make("dl");
    const csvButton = button("CSV", () => save(`${name}.csv`, csv(table(node))));
    const pictures = ["png", "svg"].map((format) => button(format.toUpperCase(), () => keep(node, current(), name, format)));
    const strip = make(
      "details", { className: "kdnb-tools" }, make("summary", {}, "Data, downloads, source"),
      make("div", { className: "kdnb-tools-buttons" }, csvButton, ...pictures), region, origin,
    );
    const fill = () => {
      if (!strip.open) return;
      const found = table(node);
      csvButton.hidden = region.hidden = !found.rows.length;
      region.replaceChildren(written(found, describe(node, alt, found.rows.length)));
      origin.replaceChildren(...source(current().layout.meta));
    };
    strip.addEventListener("toggle", fill);
    for (const event of ["plotly_afterplot", "plotly_animated"]) node.on(event, fill);
    node.after(strip);
  };
})();
