// In the page that kaleido draws in: figures as a reader would see them on paper.
const { toImage } = Plotly;
globalThis.Plotly = {
  ...Plotly,
  toImage: ({ data, layout }, size) => toImage({ data, layout: onPaper(layout, size.width, size.height) }, size),
};
