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
    return Array.from({ length }, (_, i) => Object.fromEntries(lists.map(([key, values]) => [key, at(values, i)])));
  }

  // A panel's title: the note above it, else what its upright axis says.
  function panelName({ layout }, { xaxis, yaxis }) {
    const [across, up] = [layout[`xaxis${xaxis.slice(1)}`], layout[`yaxis${yaxis.slice(1)}`]];
    const isNear = (one, other) => Math.abs(one - other) < 1e-6;
    const isAbove = (note) => note.xref === "paper" && across.domain && up.domain &&
      isNear(note.x, (across.domain[0] + across.domain[1]) / 2) && isNear(note.y, up.domain[1]);
    return plain((layout.annotations ?? []).find(isAbove)?.text ?? up.title?.text);
  }

  // All that is drawn now as one long table: its columns' names, and its rows as objects.
  function table(node) {
    const traces = node._fullData.filter((trace) => trace.visible);
    const isSplit = new Set(traces.map((trace) => `${trace.xaxis}${trace.yaxis}`)).size > 1;
    const rows = traces.flatMap((trace) => {
      const head = { ...(isSplit && { panel: panelName(node, trace) }), trace: plain(trace.name) };
      return records(trace, rowNames(node._fullLayout[`yaxis${trace.yaxis.slice(1)}`])).map((record) => ({ ...head, ...record }));
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
